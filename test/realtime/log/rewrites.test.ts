// An event that rewrites earlier ones: they keep their places in the log and lose what they said, with the transaction or not
// at all. What memory does about it is tested with the hub. [O5]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { type Commit, createCommit } from '../../../src/realtime/log/commit.ts';
import {
  appendEvents,
  idOf,
  type LoggedEvent,
  type Rewrite,
  readEvents,
} from '../../../src/realtime/log/event-log.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import type { Frame } from '../../support/client.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { anyTopic } from '../../support/topics.ts';

const newTopic = () => `app:${crypto.randomUUID()}`;

onEachDatabase('rewriting', (_open, database) => {
  let own: Database;
  let commit: Commit;
  const published: LoggedEvent[] = [];
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
    commit = createCommit(own.db, (events) => void published.push(...events));
  });
  afterAll(() => own.close());

  const say = (topic: string, text: string, rewrites?: Rewrite[]) =>
    commit(undefined, async (_tx, emit) => {
      emit(anyTopic(topic), 'thing.said', { text }, { rewrites });
      return {};
    });
  const framesOf = async (topic: string): Promise<Frame[]> =>
    (await readEvents(own.db, topic, 0, 100)).map(({ frame }) => JSON.parse(frame));
  const textsOf = async (topic: string) => (await framesOf(topic)).map(({ payload }) => payload.text);

  test('[O5] replaces payloads of earlier events, and nothing else of them or of others', async () => {
    const [topic, other] = [newTopic(), newTopic()];
    for (const text of ['one', 'two', 'three']) {
      await say(topic, text);
      await say(other, text);
    }
    const before = await framesOf(topic);
    const text = 'what \u0000 is left';
    await say(topic, 'four', [
      { seq: 3, payload: { text: null } },
      { seq: 1, payload: { text } },
    ]);
    const after = await framesOf(topic);
    expect(after.slice(0, 3)).toEqual(
      before.map((frame, n) => ({ ...frame, payload: { text: [text, 'two', null][n] } })),
    );
    expect(await textsOf(topic)).toEqual([text, 'two', null, 'four']);
    expect(await textsOf(other)).toEqual(['one', 'two', 'three']);
  });

  test('[O5] the event says which, as it is published and as the log says it again', async () => {
    const topic = newTopic();
    await say(topic, 'one');
    await say(topic, 'two');
    await say(
      topic,
      'three',
      [1, 2].map((seq) => ({ seq, payload: {} })),
    );
    await say(topic, 'four', []);
    const live = published.filter((event) => event.topic === topic);
    expect(live.map(({ rewrites }) => rewrites)).toEqual([undefined, undefined, [1, 2], undefined]);
    expect(await readEvents(own.db, topic, 2, 100)).toEqual(live.slice(2));
  });

  test('[O5] events that were pruned stay away', async () => {
    const topic = newTopic();
    for (const text of ['one', 'two', 'three']) await say(topic, text);
    await own.db.execute(sql`DELETE FROM events WHERE topic = ${topic} AND seq <= 2`);
    await say(
      topic,
      'four',
      [1, 3].map((seq) => ({ seq, payload: { text: 'gone' } })),
    );
    expect((await framesOf(topic)).map(({ seq, payload }) => [seq, payload.text])).toEqual([
      [3, 'gone'],
      [4, 'four'],
    ]);
  });

  test('[O5] a rollback leaves everything as it was', async () => {
    const topic = newTopic();
    await say(topic, 'one');
    const event = { topic, type: 'thing.said', payload: {}, rewrites: [{ seq: 1, payload: {} }] };
    const failed = own.db.transaction(async (tx) => {
      await appendEvents(tx, [{ event, meta: { source: 'system' } }]);
      throw new Error('behind the rewriting');
    });
    await expect(failed).rejects.toThrow('behind the rewriting');
    expect(await textsOf(topic)).toEqual(['one']);
  });

  test('[O5] an event on several topics cannot', async () => {
    const topics = [newTopic(), newTopic()].map(anyTopic);
    const failed = commit(undefined, async (_tx, emit) => {
      emit(topics, 'thing.said', {}, { rewrites: [{ seq: 1, payload: {} }] });
      return {};
    });
    await expect(failed).rejects.toThrow('on one topic only');
  });
});

test('[O5] the id of an event does not hold on to its frame', () => {
  const count = 200;
  const frame = 'x'.repeat(500_000);
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  const ids = Array.from({ length: count }, (_, seq) => {
    const begin = `{"type":"thing.said","topic":"app:x","seq":${seq},"id":"`;
    const event = {
      topic: 'app:x',
      seq,
      type: 'thing.said',
      revokes: undefined,
      withheldFrom: undefined,
      rewrites: undefined,
    };
    return idOf({ ...event, frame: Buffer.from(`${begin}${Bun.randomUUIDv7()}","${frame}`).toString() });
  });
  Bun.gc(true);
  expect(process.memoryUsage().rss - before).toBeLessThan((count * frame.length) / 2);
  expect(new Set(ids).size).toBe(count);
});
