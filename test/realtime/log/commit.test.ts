// Commit and the log: a change and its events together, seqs without gaps, keys that make a repeat harmless.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import { type Database, type Db, queryRows } from '../../../src/db/database.ts';
import { AppError } from '../../../src/protocol/errors.ts';
import type { Actor } from '../../../src/realtime/actor.ts';
import { type Commit, createCommit } from '../../../src/realtime/log/commit.ts';
import { type LoggedEvent, readEvents, reserveSeq } from '../../../src/realtime/log/event-log.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { anyTopic } from '../../support/topics.ts';

const actor: Actor = {
  userId: Bun.randomUUIDv7(),
  sessionId: Bun.randomUUIDv7(),
  role: 'user',
  source: 'ws',
  correlationId: 'c1',
};
const newTopic = () => `app:${crypto.randomUUID()}`;
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

onEachDatabase('commit', (_open, database) => {
  let own: Database;
  let commit: Commit;
  const published: LoggedEvent[] = [];

  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
    await own.db.execute(sql`CREATE TABLE things (topic text, n int)`);
    commit = createCommit(own.db, (events) => void published.push(...events));
  });
  afterAll(() => own.close());

  /** For what takes two open transactions at once. */
  const testOverlap = (name: string, run: () => Promise<void>) => {
    if (database.kind === 'postgres') test(name, run);
    else test.skip(`${name} (the embedded database has one connection)`, run);
  };
  const emitThing = (topic: string, n = 0) =>
    commit(actor, async (tx, emit) => {
      await tx.execute(sql`INSERT INTO things VALUES (${topic}, ${n})`);
      emit(anyTopic(topic), 'thing.happened', { n });
      return { n };
    });
  const seqsOf = async (topic: string) => (await readEvents(own.db, topic, 0, 10_000)).map(({ seq }) => seq);

  test('publishes when the transaction is over and not before, and with the epoch that was known before it began', async () => {
    const topic = newTopic();
    const steps: string[] = [];
    const watched: Db = Object.create(own.db);
    watched.transaction = async (work, options) => {
      const result = await own.db.transaction(work, options);
      steps.push('committed');
      return result;
    };
    let epoch = 'before';
    const commitWatched = createCommit(
      watched,
      (events, known) => steps.push(`published ${events.length} under ${known}`),
      () => epoch,
    );
    await commitWatched(actor, async (_tx, emit) => {
      epoch = 'renewed meanwhile';
      emit(anyTopic(topic), 'thing.happened', {});
      return {};
    });
    expect(steps).toEqual(['committed', 'published 1 under before']);
  });

  test('writes the change and its event together, and publishes what replay will say again', async () => {
    const topic = newTopic();
    const committed = await emitThing(topic, 7);
    expect(committed).toEqual({ value: { n: 7 }, events: [{ topic, seq: 1 }], isRepeat: false });
    const [live] = published.filter((event) => event.topic === topic);
    const [replayed] = await readEvents(own.db, topic, 0, 10);
    expect(replayed).toEqual(live as LoggedEvent);
    expect(JSON.parse(live?.frame ?? '')).toMatchObject({
      type: 'thing.happened',
      topic,
      seq: 1,
      payload: { n: 7 },
      meta: { actorId: actor.userId, source: 'ws', correlationId: 'c1' },
    });
  });

  test('an anonymous event has nothing but the source in its meta, live and in replay; others beside it have all', async () => {
    const [told, untold] = [newTopic(), newTopic()];
    await commit(actor, async (_tx, emit) => {
      emit(anyTopic(told), 'thing.happened', {});
      emit(anyTopic(untold), 'thing.happened', {}, { isAnonymous: true });
      return {};
    });
    const live = published.find(({ topic }) => topic === untold);
    const [replayed] = await readEvents(own.db, untold, 0, 10);
    expect(replayed).toEqual(live as LoggedEvent);
    expect(JSON.parse(live?.frame ?? '').meta).toEqual({ source: 'ws' });
    const [other] = await readEvents(own.db, told, 0, 10);
    expect(JSON.parse(other?.frame ?? '').meta).toEqual({
      actorId: actor.userId,
      source: 'ws',
      correlationId: 'c1',
    });
  });

  test('says the same text again in replay, whatever the payload is', async () => {
    const topic = newTopic();
    const payload = {
      z: 1,
      a: ['\u0000', '\ud83d\ude00', '"\\', 1e21, null],
      text: 'line\nbreak',
      nested: { b: 1, a: 2 },
    };
    await commit(actor, async (_tx, emit) => {
      emit(anyTopic(topic), 'thing.happened', payload);
      return {};
    });
    const live = published.find((event) => event.topic === topic);
    expect((await readEvents(own.db, topic, 0, 1))[0]?.frame).toBe(live?.frame ?? '');
    expect(JSON.parse(live?.frame ?? '').payload).toEqual(payload);
  });

  test('gives concurrent commits consecutive seqs on each topic', async () => {
    const topics = [newTopic(), newTopic(), newTopic()];
    const shuffled = (n: number) => (n % 2 === 0 ? [...topics] : [...topics].reverse());
    await Promise.all(
      range(1, 60).map((n) =>
        commit(actor, async (_tx, emit) => {
          for (const topic of shuffled(n)) emit(anyTopic(topic), 'thing.happened', { n });
          return {};
        }),
      ),
    );
    for (const topic of topics) expect(await seqsOf(topic)).toEqual(range(1, 60));
  });

  test('puts one event on several topics: one id, a seq on each', async () => {
    const topics = [newTopic(), newTopic()];
    await emitThing(topics[0] ?? '');
    const { events } = await commit(actor, async (_tx, emit) => {
      emit(topics.map(anyTopic), 'thing.moved', {});
      return {};
    });
    expect(events).toEqual([
      { topic: topics[0] ?? '', seq: 2 },
      { topic: topics[1] ?? '', seq: 1 },
    ]);
    const frames = published
      .filter(({ type }) => type === 'thing.moved')
      .map(({ frame }) => JSON.parse(frame));
    expect(frames).toHaveLength(2);
    expect(frames[0].id).toBe(frames[1].id);
  });

  test('leaves neither event nor gap behind when the work fails', async () => {
    const topic = newTopic();
    await emitThing(topic);
    const before = published.length;
    const failing = commit(actor, async (tx, emit) => {
      emit(anyTopic(topic), 'thing.happened', {});
      await tx.execute(sql`INSERT INTO things VALUES (${topic}, 99)`);
      throw new AppError('conflict', 'no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(published.length).toBe(before);
    await emitThing(topic);
    expect(await seqsOf(topic)).toEqual([1, 2]);
    expect(await queryRows(own.db, sql`SELECT 1 FROM things WHERE topic = ${topic} AND n = 99`)).toEqual([]);
  });

  testOverlap('numbers two writers by their commits, not by their starts', async () => {
    const topic = newTopic();
    const gate = Promise.withResolvers<void>();
    const slow = commit(actor, async (_tx, emit) => {
      emit(anyTopic(topic), 'thing.slow', {});
      await gate.promise;
      return {};
    });
    await emitThing(topic);
    gate.resolve();
    await slow;
    expect((await readEvents(own.db, topic, 0, 10)).map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'thing.happened'],
      [2, 'thing.slow'],
    ]);
  });

  test('reserves the seq that the next event gets', async () => {
    const topic = newTopic();
    const reserve = () =>
      commit(actor, async (tx, emit) => {
        const seq = await reserveSeq(tx, topic);
        emit(anyTopic(topic), 'thing.happened', { seq });
        return { seq };
      });
    const all = await Promise.all(range(1, 20).map(reserve));
    for (const { value, events } of all) expect(events).toEqual([{ topic, seq: value.seq }]);
    expect(all.map(({ value }) => value.seq).sort((a, b) => a - b)).toEqual(range(1, 20));
  });

  testOverlap('runs a transaction again that ran into a deadlock', async () => {
    const topics = [newTopic(), newTopic()];
    const lockBoth = (order: string[]) =>
      commit(actor, async (tx, emit) => {
        for (const topic of order) {
          await reserveSeq(tx, topic);
          await tx.execute(sql`SELECT pg_sleep(0.05)`);
        }
        emit(topics.map(anyTopic), 'thing.happened', {});
        return {};
      });
    await Promise.all([lockBoth(topics), lockBoth([...topics].reverse())]);
    for (const topic of topics) expect(await seqsOf(topic)).toEqual([1, 2]);
  });

  test('[K1] answers a repeated key with the first result, also when all arrive at once', async () => {
    const topic = newTopic();
    const key = { operation: 'thing.make', key: 'k1', body: { a: 1, b: 2 } };
    const make = (body: object = key.body) =>
      commit(
        actor,
        async (_tx, emit) => {
          emit(anyTopic(topic), 'thing.made', {});
          return { id: crypto.randomUUID() };
        },
        { ...key, body },
      );
    const all = await Promise.all(range(1, 10).map(() => make()));
    expect(new Set(all.map(({ value }) => value.id)).size).toBe(1);
    expect(all.filter(({ isRepeat }) => !isRepeat)).toHaveLength(1);
    for (const { events } of all) expect(events).toEqual([{ topic, seq: 1 }]);
    expect((await make({ b: 2, a: 1 })).isRepeat).toBe(true);
    await expect(make({ a: 2 })).rejects.toThrow(/used before with another body/);
    expect(await seqsOf(topic)).toEqual([1]);
  });

  test('[K1] frees the key of work that failed, and of work a day ago', async () => {
    const key = { operation: 'thing.make', key: 'k2', body: {} };
    await expect(commit(actor, () => Promise.reject(new AppError('conflict', 'first')), key)).rejects.toThrow(
      'first',
    );
    expect((await commit(actor, async () => ({ n: 1 }), key)).value).toEqual({ n: 1 });
    expect((await commit(actor, async () => ({ n: 2 }), key)).value).toEqual({ n: 1 });
    await own.db.execute(
      sql`UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'k2'`,
    );
    expect((await commit(actor, async () => ({ n: 3 }), key)).value).toEqual({ n: 3 });
  });
});
