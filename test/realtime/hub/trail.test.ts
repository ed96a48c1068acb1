// The ring of notes about recent events.

import { expect, test } from 'bun:test';
import { createHubRecord } from '../../../src/realtime/hub/record.ts';
import { Trail } from '../../../src/realtime/hub/trail.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

test('an event is found with all that was noted of it, and not with what was noted of others', () => {
  const trail = new Trail();
  trail.note('committed', 'a', 1, 10);
  trail.note('committed', 'a', 2, 11);
  trail.note('committed', 'b', 1, 12);
  trail.note('delivered', 'a', 1, 13, 7);
  expect(trail.find('a', 1)).toEqual([
    { mark: 'committed', at: 10, followers: 0 },
    { mark: 'delivered', at: 13, followers: 7 },
  ]);
  expect(trail.find('c', 1)).toEqual([]);
});

test('the oldest notes are forgotten, and those that are left stay in order', () => {
  const trail = new Trail(3);
  for (let seq = 1; seq <= 4; seq += 1) trail.note('committed', 'a', seq, seq);
  trail.note('delivered', 'a', 3, 5, 1);
  expect([1, 2].map((seq) => trail.find('a', seq))).toEqual([[], []]);
  expect(trail.find('a', 3).map(({ mark }) => mark)).toEqual(['committed', 'delivered']);
});

test('a frame that says no time is delivered and counted, and leaves the lag as it was', () => {
  const metrics = createMetrics();
  const record = createHubRecord(metrics, new Trail());
  const none = { revokes: undefined, withheldFrom: undefined, rewrites: undefined };
  record.delivered({ topic: 'a', seq: 1, type: 'some.thing', frame: 'no frame at all', ...none }, 2, false);
  expect(metrics.deliveries.value).toBe(2);
  expect(metrics.deliveryLag.sum).toBe(0);
});
