// What becomes of a COMMIT that fails, and of one of which nobody learns whether it did: nothing is announced that is not
// in the log, and nothing is written twice. A connection that breaks is broken by a proxy. [K1]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import { type Database, type Db, queryRows } from '../../../src/db/database.ts';
import { isLockTimeout } from '../../../src/db/errors.ts';
import type { Actor } from '../../../src/realtime/actor.ts';
import type { Add } from '../../../src/realtime/log/batcher.ts';
import { type Committed, createCommit, keyedBy } from '../../../src/realtime/log/commit.ts';
import { type LoggedEvent, readEvents } from '../../../src/realtime/log/event-log.ts';
import { createGroupCommit, type GroupItem } from '../../../src/realtime/log/group-commit.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import { reporter } from '../../support/reporter.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { anyTopic } from '../../support/topics.ts';
import { until } from '../../support/until.ts';

interface Thing {
  n: number;
}

const actor: Actor = {
  userId: Bun.randomUUIDv7(),
  sessionId: Bun.randomUUIDv7(),
  role: 'user',
  source: 'ws',
};
const newTopic = () => `app:${crypto.randomUUID()}`;
/** By default patient with locks: the gate of a COMMIT is no trouble. */
const connect = (env: Record<string, string>, lockMs = 15_000): Promise<Database> => {
  const config = readConfig({ ...quietEnv, ...env });
  return connectDatabase(config, createLogger(config), { lockMs });
};

/** What a COMMIT waits for, where a transaction wrote a thing that is to be held. */
const gate = 4_711;

/** Things whose COMMIT fails where they are negative, and waits for the gate where they are 100 or more. */
const createThings = async ({ db }: Database): Promise<void> => {
  await db.execute(sql`CREATE TABLE things (n int, topic text)`);
  await db.execute(sql`
    CREATE FUNCTION check_thing() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.n < 0 THEN RAISE EXCEPTION 'no thing is negative'; END IF;
      IF NEW.n >= 100 THEN PERFORM pg_advisory_xact_lock_shared(${sql.raw(String(gate))}); END IF;
      RETURN NULL;
    END $$`);
  await db.execute(sql`
    CREATE CONSTRAINT TRIGGER check_thing AFTER INSERT ON things
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_thing()`);
};

/** Keeps every COMMIT at the gate waiting, until it is called. */
async function holdGate(db: Db): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const transaction = db.transaction(async (tx) => {
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${sql.raw(String(gate))})`);
    held.resolve();
    await released.promise;
  });
  await held.promise;
  return async () => {
    released.resolve();
    await transaction;
  };
}

/** Also for those whom nobody listens to any more. */
const untilNobodyWorks = (db: Db): Promise<void> =>
  until(async () => {
    const working = await queryRows(
      db,
      sql`SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`,
    );
    return working.length === 0;
  }, 'every transaction has ended');

onEachDatabase('the outcome of a commit', (_open, database) => {
  let own: Database;
  let env: Record<string, string>;
  beforeAll(async () => {
    env = await database.create();
    own = await connect(env);
    await createThings(own);
  });
  afterAll(() => own.close());

  const numbersOn = async (topic: string): Promise<number[]> =>
    (await readEvents(own.db, topic, 0, 1_000)).map(({ frame }) => JSON.parse(frame).payload.n);
  const thingsOn = async (topic: string): Promise<number[]> =>
    (await queryRows<{ n: number }>(own.db, sql`SELECT n FROM things WHERE topic = ${topic} ORDER BY n`)).map(
      ({ n }) => n,
    );
  const createAdd = (
    { db }: Database,
    publish: (events: readonly LoggedEvent[]) => void,
  ): Add<GroupItem<Thing>, Committed<Thing & { topic: string }>> =>
    createGroupCommit(
      db,
      publish,
      reporter,
    )<Thing, Thing & { topic: string }>({
      toValue: ({ topic, input }) => ({ ...input, topic }),
      toEvent: (_, { n }) => ({ type: 'thing.made', payload: { n } }),
      write: (values) =>
        values.map(({ n, topic }) => ({
          name: 'insert_thing',
          text: 'INSERT INTO things VALUES ($1, $2)',
          values: [n, topic],
        })),
    });
  const makeWith =
    (add: ReturnType<typeof createAdd>, topic: string) =>
    (n: number, key?: string): Promise<Committed<Thing>> =>
      add({
        actor,
        topic,
        input: { n },
        request: keyedBy(actor, { operation: 'thing.make', key, body: { n } }),
      });

  test('nothing is published of a transaction whose COMMIT fails', async () => {
    const topic = newTopic();
    const published: LoggedEvent[] = [];
    const commit = createCommit(own.db, (events) => void published.push(...events));
    const make = (n: number) =>
      commit(actor, async (tx, emit) => {
        await tx.execute(sql`INSERT INTO things VALUES (${n}, ${topic})`);
        emit(anyTopic(topic), 'thing.made', { n });
        return { n };
      });
    await expect(make(-1)).rejects.toThrow();
    expect(published).toEqual([]);
    await make(1);
    expect(published.map(({ seq }) => seq)).toEqual([1]);
    expect(await numbersOn(topic)).toEqual([1]);
  });

  test('a batch whose COMMIT fails is written without the one at fault, and published once', async () => {
    const topic = newTopic();
    const published: LoggedEvent[] = [];
    const make = makeWith(
      createAdd(own, (events) => void published.push(...events)),
      topic,
    );
    const made = await Promise.allSettled([make(1), make(-2), make(3)]);
    expect(made.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await numbersOn(topic)).toEqual([1, 3]);
    expect(published.map(({ topic: name, seq }) => [name, seq])).toEqual([
      [topic, 1],
      [topic, 2],
    ]);
  });

  // An embedded database is no connection away: there is nothing that could break.
  if (database.kind !== 'postgres') return;

  /** Runs `work` on a connection that breaks while its COMMIT is under way; the server goes on and commits. */
  async function breakAtCommit<Result>(work: (through: Database) => Promise<Result>): Promise<Result> {
    const url = new URL(env.DATABASE_URL ?? '');
    const proxy = await startTcpProxy(Number(url.port));
    url.port = String(proxy.port);
    const through = await connect({ ...env, DATABASE_URL: url.href });
    const release = await holdGate(own.db);
    const working = work(through);
    await untilWaiting(own.db, 1); // the COMMIT
    proxy.cut();
    await release();
    const result = await working;
    await untilNobodyWorks(own.db);
    await through.close();
    await proxy.stop();
    return result;
  }

  test('a batch whose COMMIT is in doubt is not written again: it happened once, and is answered as unknown', async () => {
    const topic = newTopic();
    const made = await breakAtCommit((through) => {
      const make = makeWith(
        createAdd(through, () => {}),
        topic,
      );
      return Promise.allSettled([make(101), make(102), make(103, 'a key')]);
    });
    expect(await numbersOn(topic)).toEqual([101, 102, 103]);
    expect(await thingsOn(topic)).toEqual([101, 102, 103]);
    expect(made.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    // Who has a key can ask what became of it.
    const again = await makeWith(
      createAdd(own, () => {}),
      topic,
    )(103, 'a key');
    expect(again).toMatchObject({ events: [{ topic, seq: 3 }], isRepeat: true });
    expect(await numbersOn(topic)).toEqual([101, 102, 103]);
  });

  test('a transaction whose COMMIT is in doubt is not run again either', async () => {
    const topic = newTopic();
    let runs = 0;
    const [outcome] = await breakAtCommit((through) =>
      Promise.allSettled([
        createCommit(through.db, () => {})(actor, async (tx, emit) => {
          runs += 1;
          await tx.execute(sql`INSERT INTO things VALUES (100, ${topic})`);
          emit(anyTopic(topic), 'thing.made', { n: 100 });
          return {};
        }),
      ]),
    );
    expect(outcome?.status).toBe('rejected');
    expect(runs).toBe(1);
    expect(await numbersOn(topic)).toEqual([100]);
    expect(await thingsOn(topic)).toEqual([100]);
  });

  test('a topic whose row somebody keeps is waited for once more, not once for each that wants it', async () => {
    const [stuck, free] = [newTopic(), newTopic()];
    const publish = () => {};
    await makeWith(createAdd(own, publish), stuck)(0);
    const kept = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const keeping = own.db.transaction(async (tx) => {
      await tx.execute(sql`SELECT 1 FROM topics WHERE name = ${stuck} FOR UPDATE`);
      kept.resolve();
      await released.promise;
    });
    await kept.promise;
    const lockMs = 500;
    const impatient = await connect(env, lockMs);
    const add = createAdd(impatient, publish);
    const startedAt = performance.now();
    const waiting = Array.from({ length: 30 }, (_, n) => makeWith(add, stuck)(n));
    const other = makeWith(add, free)(1);
    expect((await other).events).toEqual([{ topic: free, seq: 1 }]);
    // Two waits; thirty-one of them would take longer than the transaction that keeps the row may be idle.
    expect(performance.now() - startedAt).toBeLessThan(8 * lockMs);
    const outcomes = await Promise.allSettled(waiting);
    expect(outcomes.every((outcome) => outcome.status === 'rejected' && isLockTimeout(outcome.reason))).toBe(
      true,
    );
    released.resolve();
    await keeping;
    expect((await makeWith(add, stuck)(1)).events).toEqual([{ topic: stuck, seq: 2 }]);
    await impatient.close();
  });
});
