// Connections to a server are looked at before anybody uses them, and all others can be dropped at once.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { type Database, type Db, queryRows } from '../../src/db/database.ts';
import { isDatabaseAway } from '../../src/db/errors.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

describeWith('a watched pool of connections', postgresMissing, () => {
  let own: Database;
  let url: string;
  const state = { looked: 0, broken: 0, mustDrop: false, failure: undefined as Error | undefined };

  beforeAll(async () => {
    url = await (await sharedPostgres()).createDatabase();
    own = await connectDatabase(
      { databaseUrl: url, databasePool: 3, dataDir: '' },
      pino({ level: 'silent' }),
    );
    own.watch?.({
      async connected(connection, dropOthers) {
        await pidOf(connection); // on the very connection: no other is free for it
        state.looked += 1;
        if (state.failure !== undefined) throw state.failure;
        if (state.mustDrop) dropOthers();
        state.mustDrop = false;
      },
      broken() {
        state.broken += 1;
      },
    });
  });
  afterAll(() => own.close());

  const pidOf = async (db: Db) =>
    (await queryRows<{ pid: number }>(db, sql`SELECT pg_backend_pid() AS pid, pg_sleep(0.05)`))[0]?.pid ?? 0;
  const pids = async () => (await Promise.all([1, 2, 3].map(() => pidOf(own.db)))).sort();
  const kill = async (...killed: number[]) => {
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    for (const pid of killed) await admin.query('SELECT pg_terminate_backend($1)', [pid]);
    await admin.end();
  };

  test('looks at each one once, and hears of each that breaks', async () => {
    const first = await pids();
    expect(new Set(first).size).toBe(3);
    expect(await pids()).toEqual(first);
    expect(state.looked).toBe(3);
    await kill(...first);
    await until(() => state.broken === 3, 'all have broken');
    expect(await pids()).not.toEqual(first);
    expect(state.looked).toBe(6);
  });

  test('drops the others, idle or in use: nobody gets one of them afterwards', async () => {
    const before = await pids();
    const inUse = own.db.execute(sql`SELECT pg_sleep(30)`).then(
      () => undefined,
      (error: unknown) => error,
    );
    state.mustDrop = true;
    await kill(before[0] ?? 0);
    // Whoever has to wait for a new one.
    while (state.mustDrop) await pids().catch((error: unknown) => expect(isDatabaseAway(error)).toBe(true));
    expect(isDatabaseAway(await inUse)).toBe(true);
    const after = await pids();
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  });

  test('refuses one, and asks again for the next', async () => {
    const { broken } = state;
    await kill(...(await pids()));
    await until(() => state.broken >= broken + 3, 'all have broken');
    state.failure = new Error('not this one');
    expect(await pids().catch(({ cause }: Error) => cause)).toBe(state.failure);
    state.failure = undefined;
    expect(await pids()).toHaveLength(3);
  });
});
