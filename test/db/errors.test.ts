// What the drivers really throw, and what it means.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { type Database, queryRows } from '../../src/db/database.ts';
import { asRefusal, isDatabaseAway, isTransient } from '../../src/db/errors.ts';
import { AppError } from '../../src/protocol/errors.ts';
import { findFreePort } from '../support/child.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, startPostgres } from '../support/postgres.ts';
import { onEachDatabase } from '../support/server.ts';

setDefaultTimeout(20_000);

const connect = (databaseUrl: string): Promise<Database> =>
  connectDatabase({ databaseUrl, databasePool: 4, dataDir: '' }, pino({ level: 'silent' }));

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

onEachDatabase('errors of the database', (open) => {
  test('a character that it cannot keep is an invalid request', async () => {
    const { db } = await open();
    const error = await failureOf(db.execute(sql`SELECT ${'a\u0000b'}::text`));
    expect(asRefusal(error)?.code).toBe('invalid');
  });

  test('a mistake in a statement is a bug', async () => {
    const { db } = await open();
    const error = await failureOf(db.execute(sql`SELECT * FROM nowhere`));
    expect(error).toBeInstanceOf(Error);
    expect(asRefusal(error)).toBeUndefined();
    expect(isDatabaseAway(error)).toBe(false);
  });

  test('a statement on a database that was closed is unavailable', async () => {
    const server = await open();
    await server.stop();
    const error = await failureOf(server.db.execute(sql`SELECT 1`));
    expect(asRefusal(error)).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 });
  });
});

describe('errors of a database that is not there', () => {
  test('nobody listens', async () => {
    const database = await connect(`postgres://nobody@127.0.0.1:${findFreePort()}/none`);
    const error = await failureOf(database.db.execute(sql`SELECT 1`));
    expect(isDatabaseAway(error)).toBe(true);
    await database.close();
  });

  test('what is no error of a database stays what it is', () => {
    const refusal = new AppError('conflict', 'Somebody was faster.');
    expect(asRefusal(refusal)).toBe(refusal);
    expect(asRefusal(new TypeError('a bug'))).toBeUndefined();
    expect(asRefusal('a string')).toBeUndefined();
    const circle = new Error('circle');
    circle.cause = circle;
    expect(asRefusal(circle)).toBeUndefined();
  });
});

describeWith('errors of a PostgreSQL server that stops', postgresMissing, () => {
  test('in the middle of a statement, and afterwards, it is away; nothing else breaks', async () => {
    const postgres = await startPostgres();
    const database = await connect(postgres.url('template_carillon'));
    await database.db.execute(sql`SELECT 1`);
    const running = failureOf(database.db.execute(sql`SELECT pg_sleep(30)`));
    await waitUntilRunning(database, 'pg_sleep(30)');
    await postgres.stop();
    expect(isDatabaseAway(await running)).toBe(true);
    expect(isDatabaseAway(await failureOf(database.db.execute(sql`SELECT 1`)))).toBe(true);
    await database.close();
  });

  test('two transactions that wait for each other: one is told to try again', async () => {
    const postgres = await startPostgres();
    const database = await connect(postgres.url('template_carillon'));
    const met = Promise.withResolvers<void>();
    let arrived = 0;
    const lockBoth = (first: number, second: number) =>
      database.db.transaction(async (tx) => {
        await tx.execute(sql`SELECT pg_advisory_xact_lock(${first}::int)`);
        arrived += 1;
        if (arrived === 2) met.resolve();
        await met.promise;
        await tx.execute(sql`SELECT pg_advisory_xact_lock(${second}::int)`);
      });
    const errors = await Promise.all([failureOf(lockBoth(1, 2)), failureOf(lockBoth(2, 1))]);
    const failed = errors.filter((error) => error !== undefined);
    expect(failed).toHaveLength(1);
    expect(isTransient(failed[0])).toBe(true);
    expect(asRefusal(failed[0])?.code).toBe('unavailable');
    await database.close();
    await postgres.stop();
  });
});

async function waitUntilRunning({ db }: Database, statement: string): Promise<void> {
  const running = sql`SELECT 1 FROM pg_stat_activity WHERE query LIKE ${`%${statement}%`} AND pid <> pg_backend_pid()`;
  while ((await queryRows(db, running)).length === 0) await Bun.sleep(5);
}
