// When users were last seen, written by a database that may be slow or away.

import { expect, test } from 'bun:test';
import { startLastSeen } from '../../src/auth/last-seen.ts';
import { reportInto } from '../support/reporter.ts';
import { until } from '../support/until.ts';

/** Every write waits for its turn to end. */
function startSlow() {
  const writes: { userIds: string[]; end: PromiseWithResolvers<void> }[] = [];
  const failures: unknown[] = [];
  const lastSeen = startLastSeen(async (userIds) => {
    const end = Promise.withResolvers<void>();
    writes.push({ userIds: [...userIds], end });
    await end.promise;
  }, reportInto(failures));
  return { lastSeen, writes, failures };
}

test('one write is under way at a time, however long it takes, and a stop waits for it and writes the rest', async () => {
  const { lastSeen, writes } = startSlow();
  lastSeen.note('ann');
  await until(() => writes.length > 0, 'the first write');
  lastSeen.note('ben');
  await Bun.sleep(1_500); // a round and a half: there is nothing to be seen
  expect(writes).toHaveLength(1);
  let isStopped = false;
  const stopping = lastSeen.stop().then(() => {
    isStopped = true;
  });
  await Bun.sleep(0); // a stop that waits for nothing would be over by now
  expect(isStopped).toBe(false);
  writes[0]?.end.resolve();
  await until(() => writes.length === 2, 'the second write');
  expect(isStopped).toBe(false);
  writes[1]?.end.resolve();
  await stopping;
  expect(writes.map(({ userIds }) => userIds)).toEqual([['ann'], ['ben']]);
});

test('a write that fails is written again, but not by a stop', async () => {
  const { lastSeen, writes, failures } = startSlow();
  lastSeen.note('ann');
  await until(() => writes.length === 1, 'the first write');
  writes[0]?.end.reject(new Error('away'));
  lastSeen.note('ben');
  await until(() => writes.length === 2, 'the second write');
  expect(writes[1]?.userIds.sort()).toEqual(['ann', 'ben']);
  const stopping = lastSeen.stop();
  writes[1]?.end.reject(new Error('still away'));
  await stopping;
  expect(writes).toHaveLength(2);
  expect(failures).toEqual([new Error('away'), new Error('still away')]);
});
