// Pruning: what may go goes, however much it is, and nothing else; what is left of a topic has no gap.

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import { type Database, type Db, queryRows } from '../../../src/db/database.ts';
import { readPosition } from '../../../src/realtime/log/event-log.ts';
import { prune } from '../../../src/realtime/log/retention.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { hold, untilWaiting } from '../../protocol/chat.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

onEachDatabase('retention', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  beforeEach(async () => {
    await own.db.execute(sql`TRUNCATE events, topics, idempotency_keys`);
  });
  afterAll(() => own.close());

  /** Writes topics of so many events each, as old as `hoursOf` says; answers their names. */
  async function log(topicCount: number, count: number, hoursOf: (seq: number) => number): Promise<string[]> {
    const prefix = `app:${crypto.randomUUID()}.`;
    const ages = JSON.stringify(range(1, count).map((seq) => ({ seq, hours: hoursOf(seq) })));
    await own.db.execute(sql`
      INSERT INTO events (topic, seq, id, type, at, payload, meta)
      SELECT ${prefix}::text || n, seq, gen_random_uuid(), 'thing.happened', now() - make_interval(hours => hours), '{}', '{}'
      FROM generate_series(1, ${topicCount}::int) AS n, json_to_recordset(${ages}::json) AS r(seq bigint, hours int)`);
    await own.db.execute(
      sql`INSERT INTO topics SELECT ${prefix}::text || n, ${count}::int FROM generate_series(1, ${topicCount}::int) AS n`,
    );
    return range(1, topicCount).map((n) => prefix + n);
  }
  const seqsOf = async (topic: string) =>
    (
      await queryRows<{ seq: number | string }>(
        own.db,
        sql`SELECT seq FROM events WHERE topic = ${topic} ORDER BY seq`,
      )
    ).map(({ seq }) => Number(seq));
  const countAll = async () =>
    (await queryRows<{ count: number }>(own.db, sql`SELECT count(*)::int AS count FROM events`))[0]?.count ??
    0;

  test('prunes by count and by age, and always from the old end', async () => {
    const [counted = ''] = await log(1, 12, () => 1);
    const [aged = ''] = await log(1, 5, (seq) => (seq <= 2 ? 30 : 1));
    const [gone = ''] = await log(1, 5, () => 30);
    await prune(own.db, { hours: 24, perTopic: 5 });
    expect(await seqsOf(counted)).toEqual(range(8, 12));
    expect(await seqsOf(aged)).toEqual([3, 4, 5]);
    expect(await seqsOf(gone)).toEqual([]);
    expect(await readPosition(own.db, counted)).toMatchObject({ head: 12, reach: 7 });
    expect(await readPosition(own.db, gone)).toMatchObject({ head: 5, reach: 5 });
    await prune(own.db, { hours: 0, perTopic: 0 });
    expect(await seqsOf(counted)).toEqual(range(8, 12));
  });

  test('a clock that is behind takes no young event along, and leaves no gap', async () => {
    const [topic = ''] = await log(1, 6, (seq) => (seq === 1 || seq === 5 ? 30 : 1));
    await prune(own.db, { hours: 24, perTopic: 0 });
    expect(await seqsOf(topic)).toEqual(range(2, 6));
  });

  /** The same database, which says how many events each transaction deletes. */
  function watch(): { db: Db; deleted: number[] } {
    const deleted: number[] = [];
    const transaction: Db['transaction'] = async (work) => {
      const before = await countAll();
      const result = await own.db.transaction(work);
      deleted.push(before - (await countAll()));
      return result;
    };
    return { db: Object.assign(Object.create(own.db), { transaction }), deleted };
  }

  test('prunes whatever has piled up, in short transactions', async () => {
    const [large = ''] = await log(1, 25_000, (seq) => (seq <= 24_990 ? 30 : 1));
    const small = await log(1_500, 10, (seq) => (seq <= 5 ? 30 : 1));
    const { db, deleted } = watch();
    await prune(db, { hours: 24, perTopic: 0 });
    expect(await seqsOf(large)).toEqual(range(24_991, 25_000));
    for (const topic of [small[0], small[1_200]]) expect(await seqsOf(topic ?? '')).toEqual(range(6, 10));
    expect(deleted.reduce((sum, count) => sum + count)).toBe(24_990 + 1_500 * 5);
    expect(Math.max(...deleted)).toBeLessThanOrEqual(10_000);
  });

  test('several instances at once do what one does', async () => {
    const [topic = ''] = await log(1, 25_000, () => 1);
    await Promise.all(range(1, 4).map(() => prune(own.db, { hours: 0, perTopic: 7 })));
    expect(await seqsOf(topic)).toEqual(range(24_994, 25_000));
  });

  test('a round that is no longer wanted ends behind its slice', async () => {
    const [topic = ''] = await log(1, 25_000, () => 1);
    const stopping = new AbortController();
    const transaction: Db['transaction'] = (work) => {
      stopping.abort();
      return own.db.transaction(work);
    };
    const db: Db = Object.assign(Object.create(own.db), { transaction });
    await prune(db, { hours: 0, perTopic: 7 }, stopping.signal);
    expect((await seqsOf(topic)).at(0)).toBeGreaterThan(1);
    expect((await seqsOf(topic)).length).toBeGreaterThan(7);
  });

  // The embedded database has one connection: there nothing is rewritten meanwhile.
  if (database.kind === 'postgres') {
    test('[O5] an event that is rewritten while it is pruned goes with the others: it leaves no gap behind it', async () => {
      const [topic = ''] = await log(1, 12, () => 1);
      const release = await hold(
        own.db,
        sql`UPDATE events SET payload = '{"rewritten":1}' WHERE topic = ${topic} AND seq IN (2, 4)`,
      );
      const { db, deleted } = watch();
      const pruning = prune(db, { hours: 0, perTopic: 5 });
      await untilWaiting(own.db, 1);
      await release();
      await pruning;
      expect(await seqsOf(topic)).toEqual(range(8, 12));
      expect(deleted[0]).toBe(7);
    });
  }

  test('forgets keys of a day ago, however many', async () => {
    await own.db.execute(sql`
      INSERT INTO idempotency_keys (user_id, operation, key, body_hash, created_at)
      SELECT gen_random_uuid(), 'thing.make', n, '', now() - make_interval(hours => CASE WHEN n <= 12000 THEN 25 ELSE 23 END)
      FROM generate_series(1, 12003) AS n`);
    await prune(own.db, { hours: 0, perTopic: 0 });
    const kept = await queryRows<{ key: string }>(own.db, sql`SELECT key FROM idempotency_keys ORDER BY key`);
    expect(kept.map(({ key }) => key)).toEqual(['12001', '12002', '12003']);
  });
});
