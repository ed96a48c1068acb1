// A replay at its seams: where the stream is behind the log, where the log is behind the stream, and where the right was
// read. [S2] [S4] [S7] [O1]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import type { NewEvent } from '../../../src/realtime/log/event-log.ts';
import type { Subscription } from '../../../src/realtime/socket/connection.ts';
import { startReplay } from '../../../src/realtime/socket/replay.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createTelemetry } from '../../../src/telemetry/tracing.ts';
import { createHub } from '../../support/hub.ts';
import { reporter } from '../../support/reporter.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

onEachDatabase('replay', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  /** Ann's subscription to a topic with so many events, the right to which was read at `authorizedAt`. */
  async function subscribe(
    events: number,
    payload = {},
    authorizedAt = events,
    more: Partial<NewEvent> = {},
  ) {
    const hand = createHub(own.db);
    const topic = `app:${crypto.randomUUID()}`;
    await hand.write(topic, events, { payload });
    if (Object.keys(more).length > 0) await hand.write(topic, 2, { payload, ...more });
    const stream = await hand.hub.follow(topic);
    const ann = hand.connect('ann');
    const subscription: Subscription = { topic, stream, authorizedAt, phase: 'replaying' };
    ann.connection.subscriptions.set(topic, subscription);
    const start = (after: number) =>
      startReplay(ann.connection, subscription, after, {
        hub: hand.hub,
        readEvents: hand.readEvents,
        reporter,
        telemetry: createTelemetry(),
      });
    return { hand, topic, stream, ann, subscription, start };
  }

  test('[O1] reads no further than the live stream is, so that nothing comes again behind it', async () => {
    // More than memory holds, and less than a page.
    const { hand, topic, ann, subscription, start } = await subscribe(60, { filler: 'x'.repeat(10_000) });
    const ahead = await hand.write(topic, 10); // in the log, and not delivered here yet
    start(0);
    await until(() => subscription.phase !== 'replaying', 'the replay is over');
    expect(hand.reads).toBe(1);
    expect(ann.seqsOf(topic)).toEqual(range(1, 60));
    for (const event of ahead) hand.arrive(event);
    expect(ann.seqsOf(topic)).toEqual(range(1, 70));
    expect(ann.closes).toEqual([]);
  });

  test('[S4] sends away whose events were pruned before they could be read, after one look', async () => {
    const { hand, topic, ann, start } = await subscribe(901);
    await own.db.execute(sql`DELETE FROM events WHERE topic = ${topic}`);
    start(0);
    await until(() => ann.closes.length > 0, 'the connection is closed');
    expect(ann.closes).toEqual([1012]);
    expect(ann.seqsOf(topic)).toEqual([]);
    expect(hand.reads).toBe(1);
  });

  test('[S7] an event that revoked before the right was read, and be it the newest, ends nothing', async () => {
    const { hand, topic, ann, subscription, start } = await subscribe(2, {}, 3);
    hand.publish(await hand.write(topic, 1, { revokes: ['ann'] }));
    start(0);
    await until(() => subscription.phase !== 'replaying', 'the replay is over');
    hand.publish(await hand.write(topic, 1));
    expect(ann.seqsOf(topic)).toEqual([1, 2, 3, 4]);
    expect(ann.frames.map(({ type }) => type)).not.toContain('unsubscribed');
  });

  test('[S7] an event that revokes behind the right that was read is the last', async () => {
    const { hand, topic, ann, subscription, start } = await subscribe(2);
    hand.publish(await hand.write(topic, 1, { revokes: ['ann'] }));
    hand.publish(await hand.write(topic, 1));
    start(0);
    await until(() => subscription.phase !== 'replaying', 'the replay is over');
    expect(ann.seqsOf(topic)).toEqual([1, 2, 3]);
    expect(ann.frames.at(-1)?.type).toBe('unsubscribed');
  });

  test('[S7] ends before an event that is withheld, from memory and from the log alike', async () => {
    const both = { withheldFrom: ['bob', 'ann'], revokes: ['ann'] };
    const large = { filler: 'x'.repeat(400_000) }; // more than memory holds
    for (const payload of [{}, large]) {
      const { hand, topic, ann, subscription, start } = await subscribe(3, payload, 3, both);
      start(0);
      await until(() => subscription.phase !== 'replaying', 'the replay is over');
      hand.publish(await hand.write(topic, 1));
      expect(ann.frames.map(({ type, seq }) => seq ?? type)).toEqual([1, 2, 3, 'unsubscribed']);
      expect(hand.reads > 0).toBe(payload === large);
    }
  });

  test('[S7] an event withheld at or before the right that was read ends nothing, and comes', async () => {
    const { hand, topic, ann, subscription, start } = await subscribe(1, {}, 3, { withheldFrom: ['ann'] });
    start(0);
    await until(() => subscription.phase !== 'replaying', 'the replay is over');
    hand.publish(await hand.write(topic, 1));
    expect(ann.frames.map(({ type, seq }) => seq ?? type)).toEqual([1, 2, 3, 4]);
  });

  test('[S7] an event that came live while the replay went on is withheld as well', async () => {
    const { hand, topic, ann, subscription, start } = await subscribe(2);
    const isFree = Promise.withResolvers<void>();
    ann.connection.replayInTurn(() => isFree.promise); // of another topic, before this one
    start(0);
    hand.publish(await hand.write(topic, 1, { withheldFrom: ['ann'] }));
    expect(subscription.phase).toBe('replaying');
    isFree.resolve();
    await until(() => subscription.phase !== 'replaying', 'the replay is over');
    expect(ann.frames.map(({ type, seq }) => seq ?? type)).toEqual([1, 2, 'unsubscribed']);
  });
});
