// Batches: what arrives together is written together, in order, and what is refused is refused alone.
// Over 400 lines: the batcher first, and what stands on it, on each database.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { eq, sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import { type Database, type Db, queryRows } from '../../../src/db/database.ts';
import { AppError } from '../../../src/protocol/errors.ts';
import type { Actor } from '../../../src/realtime/actor.ts';
import { type Add, createBatcher, type Outcome } from '../../../src/realtime/log/batcher.ts';
import { type Committed, createCommit, keyedBy } from '../../../src/realtime/log/commit.ts';
import { type LoggedEvent, readEvents } from '../../../src/realtime/log/event-log.ts';
import { createGroupCommit, type GroupItem } from '../../../src/realtime/log/group-commit.ts';
import { topics } from '../../../src/realtime/log/schema.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { reporter } from '../../support/reporter.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { anyTopic } from '../../support/topics.ts';
import { until } from '../../support/until.ts';

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

const failNever = (error: unknown) => {
  throw error;
};

describe('batcher', () => {
  /** Runs batches when told to, and notes them. */
  function createGated(maxBatch = 100, maxWaiting = 1_000) {
    const batches: number[][] = [];
    const gates: (() => void)[] = [];
    const add = createBatcher<number, number>({
      maxBatch,
      maxWaiting,
      onFailure: failNever,
      async run(items) {
        batches.push([...items]);
        const { promise, resolve } = Promise.withResolvers<void>();
        gates.push(resolve);
        await promise;
        const outcomes = items.map(
          (item): Outcome<number> =>
            item < 0
              ? { isDone: false, error: new Error(`no ${item}`) }
              : { isDone: true, result: item * 10 },
        );
        return { outcomes };
      },
    });
    const release = async () => {
      while (gates.length === 0) await Promise.resolve();
      gates.shift()?.();
    };
    return { add, batches, release };
  }

  test('puts what arrives during a batch into the next one, in order', async () => {
    const { add, batches, release } = createGated();
    const first = [add(1), add(2)];
    while (batches.length === 0) await Promise.resolve();
    const second = [add(3), add(4), add(5)];
    await release();
    expect(await Promise.all(first)).toEqual([10, 20]);
    await release();
    expect(await Promise.all(second)).toEqual([30, 40, 50]);
    expect(batches).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
  });

  test('runs the next batch while one is finished, and finishes them in order', async () => {
    const steps: string[] = [];
    const slow = Promise.withResolvers<void>();
    const add = createBatcher<number, number>({
      maxBatch: 1,
      maxWaiting: 10,
      onFailure: failNever,
      async run([item = 0]) {
        steps.push(`run ${item}`);
        return {
          outcomes: [{ isDone: true, result: item }],
          async finish() {
            if (item === 1) await slow.promise;
            steps.push(`finish ${item}`);
          },
        };
      },
    });
    const all = [1, 2, 3].map((item) => add(item).then(() => steps.push(`done ${item}`)));
    while (!steps.includes('run 2')) await Promise.resolve();
    for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
    // No further: what has run must not pile up before a finish that is slow.
    expect(steps).toEqual(['run 1', 'run 2']);
    slow.resolve();
    await Promise.all(all);
    expect(steps.filter((step) => !step.startsWith('run'))).toEqual([
      'finish 1',
      'done 1',
      'finish 2',
      'done 2',
      'finish 3',
      'done 3',
    ]);
  });

  test('fails an item alone, and takes no more than it may at once', async () => {
    const { add, batches, release } = createGated(2);
    const all = [add(1), add(-2), add(3)];
    await release();
    await release();
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(batches).toEqual([[1, -2], [3]]);
  });

  test('keeps the outcomes of a batch whose finish fails, says so, and goes on', async () => {
    const failures: unknown[] = [];
    const add = createBatcher<number, number>({
      maxBatch: 1,
      maxWaiting: 10,
      onFailure: (error) => failures.push(error),
      run: async ([item = 0]) => ({
        outcomes: [{ isDone: true, result: item }],
        async finish() {
          if (item === 1) throw new Error('no finish');
        },
      }),
    });
    expect(await Promise.all([add(1), add(2)])).toEqual([1, 2]);
    expect(await add(3)).toBe(3);
    expect(failures).toEqual([new Error('no finish')]);
  });

  test('fails all of a batch whose run fails, and no other', async () => {
    const add = createBatcher<number, number>({
      maxBatch: 2,
      maxWaiting: 10,
      onFailure: failNever,
      async run(items) {
        if (items.includes(1)) throw new Error('no run');
        return { outcomes: items.map((item) => ({ isDone: true, result: item })) };
      },
    });
    const all = await Promise.allSettled([add(1), add(2), add(3)]);
    expect(all).toEqual([
      { status: 'rejected', reason: new Error('no run') },
      { status: 'rejected', reason: new Error('no run') },
      { status: 'fulfilled', value: 3 },
    ]);
    expect(await add(4)).toBe(4);
  });

  test('refuses with unavailable when too much waits, and goes on afterwards', async () => {
    const { add, release } = createGated(2, 3);
    const accepted = [add(1), add(2), add(3)];
    await expect(add(4)).rejects.toMatchObject({ code: 'unavailable' });
    await release();
    await release();
    await Promise.all(accepted);
    const later = add(5);
    await release();
    expect(await later).toBe(50);
  });
});

const untilSomebodyWaits = (db: Db): Promise<void> =>
  until(async () => {
    const waiting = await queryRows(db, sql`SELECT 1 FROM pg_locks WHERE NOT granted`);
    return waiting.length > 0;
  }, 'somebody waits for a lock');

interface Thing {
  n: number;
  /** Refused by the rules; or refused by the database. */
  flaw?: 'refused' | 'broken';
}

onEachDatabase('group commit', (_open, database) => {
  let own: Database;
  let add: Add<GroupItem<Thing>, Committed<Thing & { seq: number }>>;
  let published: LoggedEvent[] = [];
  /** Each size once: about new topics a batch is asked twice. */
  let batchSizes = new Set<number>();
  const actor: Actor = {
    userId: Bun.randomUUIDv7(),
    sessionId: Bun.randomUUIDv7(),
    role: 'user',
    source: 'ws',
  };

  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
    await own.db.execute(sql`CREATE TABLE things (n int CHECK (n >= 0), seq int)`);
    add = createGroupCommit(
      own.db,
      (events) => void published.push(...events),
      reporter,
    )<Thing, Thing & { seq: number }>({
      async refuse(_tx, items) {
        batchSizes.add(items.length);
        return items.map(({ input }) =>
          input.flaw === 'refused' ? new AppError('forbidden', 'not this one') : undefined,
        );
      },
      toValue: ({ input }, seq) => ({ ...input, seq }),
      toEvent: (_, { n }) => ({ type: 'thing.made', payload: { n } }),
      write: (things) =>
        things.map(({ n, seq, flaw }) => ({
          name: 'insert_thing',
          text: 'INSERT INTO things VALUES ($1, $2)',
          values: [flaw === 'broken' ? -1 : n, seq],
        })),
    });
  });
  afterAll(() => own.close());

  const newTopic = () => {
    published = [];
    batchSizes = new Set();
    return `app:${crypto.randomUUID()}`;
  };
  const make = (topic: string, input: Thing, key?: string) =>
    add({ actor, topic, input, request: keyedBy(actor, { operation: 'thing.make', key, body: input }) });
  const loggedNumbers = async (topic: string): Promise<number[]> =>
    (await readEvents(own.db, topic, 0, 1_000)).map(({ frame }) => JSON.parse(frame).payload.n);

  test('writes a batch in the order of arrival, rows and events alike', async () => {
    const topics = [newTopic(), newTopic()] as const;
    const all = await Promise.all(range(1, 100).map((n) => make(topics[n % 2 === 0 ? 0 : 1], { n })));
    expect([...batchSizes]).toEqual([100]);
    expect(await loggedNumbers(topics[0])).toEqual(range(1, 100).filter((n) => n % 2 === 0));
    expect(await loggedNumbers(topics[1])).toEqual(range(1, 100).filter((n) => n % 2 === 1));
    expect(published).toHaveLength(100);
    const rows = await queryRows<{ n: number; seq: number }>(
      own.db,
      sql`SELECT n, seq FROM things ORDER BY n`,
    );
    expect(rows).toEqual(all.map(({ value }) => ({ n: value.n, seq: value.seq })));
    for (const { value, events } of all) expect(events[0]?.seq).toBe(value.seq);
  });

  test('refuses one by the rules, and leaves the others together', async () => {
    const topic = newTopic();
    const all = range(1, 5).map((n) => make(topic, { n, ...(n === 3 && { flaw: 'refused' }) }));
    expect((await Promise.allSettled(all)).map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
    await expect(all[2]).rejects.toMatchObject({ code: 'forbidden' });
    expect([...batchSizes]).toEqual([5]);
    expect(await loggedNumbers(topic)).toEqual([1, 2, 4, 5]);
    expect((await readEvents(own.db, topic, 0, 10)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect((await make(topic, { n: 6 })).value.seq).toBe(5);
  });

  test('leaves no trace of a topic on which everything was refused', async () => {
    const topic = newTopic();
    const refused = range(1, 3).map((n) => make(topic, { n, flaw: 'refused' }));
    expect((await Promise.allSettled(refused)).every(({ status }) => status === 'rejected')).toBe(true);
    expect(published).toEqual([]);
    expect(await queryRows(own.db, sql`SELECT 1 FROM topics WHERE name = ${topic}`)).toEqual([]);
    expect((await make(topic, { n: 4 })).value.seq).toBe(1);
  });

  test('reads rights behind the lock of the topic, however it reads them', async () => {
    const topic = newTopic();
    const seen: unknown[] = [];
    const addReading = createGroupCommit(
      own.db,
      () => {},
      reporter,
    )<Thing, Thing>({
      async refuse(tx, items) {
        const [raw, built, named] = await Promise.all([
          tx.execute(sql`SELECT head FROM topics WHERE name = ${topic}`),
          tx.select({ head: topics.head }).from(topics).where(eq(topics.name, topic)),
          queryRows<{ head: number | string }>(tx, sql`SELECT head FROM topics WHERE name = ${topic}`),
        ]);
        const { rows } = raw as unknown as { rows: { head: number | string }[] }; // as both drivers answer
        for (const row of [rows[0], built[0], named[0]]) seen.push(Number(row?.head));
        return items.map(() => undefined);
      },
      toValue: ({ input }) => input,
      toEvent: () => ({ type: 'thing.made', payload: {} }),
    });
    const add = (n: number) => addReading({ actor, topic, input: { n }, request: undefined });
    await add(1);
    // The topic was not there, so it was asked once more behind the lock of the row that was made.
    expect(seen).toEqual([Number.NaN, Number.NaN, Number.NaN, 0, 0, 0]);
    seen.length = 0;
    const held = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const holding = createCommit(own.db, () => {})(actor, async (_tx, emit) => {
      await emit.seqOf(anyTopic(topic));
      held.resolve();
      await released.promise;
      emit(anyTopic(topic), 'thing.made', {});
      return {};
    });
    await held.promise;
    const added = add(2);
    // The embedded database has one connection: there it waits for the whole transaction.
    if (own.kind === 'postgres') await untilSomebodyWaits(own.db);
    released.resolve();
    await Promise.all([holding, added]);
    expect(seen).toEqual([2, 2, 2]);
  });

  test('finds the one that the database refuses, and writes the others in order', async () => {
    const topic = newTopic();
    const all = range(1, 5).map((n) => make(topic, { n, ...(n === 2 && { flaw: 'broken' }) }));
    expect((await Promise.allSettled(all)).map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      false,
      true,
      true,
      true,
    ]);
    expect(await loggedNumbers(topic)).toEqual([1, 3, 4, 5]);
    expect((await readEvents(own.db, topic, 0, 10)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test('[K1] answers keys that repeat within a batch, across batches, and against commit', async () => {
    const topic = newTopic();
    const together = await Promise.all(range(1, 5).map(() => make(topic, { n: 1 }, 'a')));
    const later = await make(topic, { n: 1 }, 'a');
    const byCommit = await createCommit(own.db, () => {})(actor, async () => ({ n: 0, seq: 0 }), {
      operation: 'thing.make',
      key: 'a',
      body: { n: 1 },
    });
    for (const { value, events } of [...together, later, byCommit]) {
      expect(value).toEqual({ n: 1, seq: 1 });
      expect(events).toEqual([{ topic, seq: 1 }]);
    }
    expect([...together, later, byCommit].filter(({ isRepeat }) => !isRepeat)).toHaveLength(1);
    await expect(make(topic, { n: 2 }, 'a')).rejects.toMatchObject({ code: 'conflict' });
    expect(await loggedNumbers(topic)).toEqual([1]);
  });

  test('[K1] leaves the key of a refused item free', async () => {
    const topic = newTopic();
    const others = range(1, 3).map((n) => make(topic, { n }));
    await expect(make(topic, { n: 9, flaw: 'refused' }, 'b')).rejects.toMatchObject({ code: 'forbidden' });
    await Promise.all(others);
    expect((await make(topic, { n: 10 }, 'b')).value.n).toBe(10);
  });

  /** Adds that many items to two topics in turn, at once, and answers what publishing saw of it. */
  const addToTwoTopics = async (count: number, publish: (topic: string) => void) => {
    const two = [newTopic(), newTopic()] as const;
    const addPlain = createGroupCommit(
      own.db,
      (events) => {
        for (const { topic } of events) publish(topic);
      },
      reporter,
    )<Thing, Thing>({
      toValue: ({ input }) => input,
      toEvent: (_, { n }) => ({ type: 'thing.made', payload: { n } }),
    });
    await Promise.all(
      range(1, count).map((n) =>
        addPlain({ actor, topic: two[n % 2 === 0 ? 0 : 1], input: { n }, request: undefined }),
      ),
    );
    return two;
  };

  test('publishes what is on one topic in one go, whatever came in between', async () => {
    const order: string[] = [];
    const [even, odd] = await addToTwoTopics(40, (topic) => order.push(topic));
    expect(order).toEqual([...range(1, 20).map(() => odd), ...range(1, 20).map(() => even)]);
  });

  test('gives the event loop its turn while a large batch is published', async () => {
    let turn = 0;
    let isOver = false;
    const count = () => {
      turn += 1;
      if (!isOver) setImmediate(count);
    };
    count();
    const turns: number[] = [];
    await addToTwoTopics(20, () => {
      turns.push(turn);
      const until = performance.now() + 10;
      while (performance.now() < until); // as long as it takes with very many subscribers
    });
    isOver = true;
    // Not each in a turn of its own: the clock may be read just before the time is up.
    expect(new Set(turns).size).toBeGreaterThan(10);
  });
});
