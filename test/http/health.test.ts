// Liveness and readiness, also with the database away and while draining.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { queryRows } from '../../src/db/database.ts';
import { createDatabaseCheck, createHealth } from '../../src/http/health.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres, startPostgres } from '../support/postgres.ts';
import { spawnServer } from '../support/process.ts';
import { onEachDatabase } from '../support/server.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(20_000);

onEachDatabase('health', (open, database) => {
  test('an instance that runs is alive and ready, and tells its port', async () => {
    const server = await open();
    expect(await server.request('GET', '/health/live')).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
    const { status, body } = await server.request('GET', '/health/ready');
    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'ready',
      instanceId: expect.any(String),
      database: 'up',
      redis: 'none',
      port: server.port,
    });
  });

  test('an instance that can read but not write is not ready, and ready again as soon as it can', async () => {
    const server = await open();
    const setReadOnly = async (mode: 'on' | 'off') => {
      if (database.kind === 'embedded') {
        await server.db.execute(sql.raw(`SET default_transaction_read_only = ${mode}`));
        return;
      }
      // Of another database, so that it may be written; new connections of the instance begin with it.
      const url = new URL(server.env.DATABASE_URL ?? '');
      const name = url.pathname.slice(1);
      const client = new pg.Client({ connectionString: (await sharedPostgres()).url('postgres') });
      await client.connect();
      await client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = ${mode}`);
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
      await client.end();
    };
    const ready = () => server.request('GET', '/health/ready');
    expect((await ready()).status).toBe(200);
    await setReadOnly('on');
    await until(async () => (await ready()).status === 503, 'it is not ready');
    expect((await ready()).body).toMatchObject({ status: 'unavailable', database: 'down' });
    expect((await server.request('GET', '/health/live')).status).toBe(200);
    await setReadOnly('off');
    await until(async () => (await ready()).status === 200, 'it is ready again');
  });

  test('however often it is asked for, readiness costs the database one write a second', async () => {
    const server = await open();
    await server.db.execute(sql`CREATE TABLE writes ()`);
    await server.db.execute(sql`
      CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO writes DEFAULT VALUES; RETURN NULL; END'`);
    await server.db.execute(sql`
      CREATE TRIGGER count_writes AFTER UPDATE ON event_log FOR EACH ROW EXECUTE FUNCTION count_write()`);
    const startedAt = performance.now();
    for (let round = 0; round < 10; round += 1) {
      const asked = Array.from({ length: 20 }, () => server.request('GET', '/health/ready'));
      expect((await Promise.all(asked)).every(({ status }) => status === 200)).toBe(true);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const [row] = await queryRows<{ count: number }>(server.db, sql`SELECT count(*)::integer FROM writes`);
    expect(row?.count).toBeGreaterThan(0);
    expect(row?.count).toBeLessThanOrEqual(1 + seconds);
  });

  test('an instance that drains gets no more traffic', async () => {
    const { db } = await open();
    const health = createHealth({
      isDatabaseUp: createDatabaseCheck(db),
      instanceId: 'one',
      port: () => 3000,
      redis: () => 'down',
      isDraining: () => true,
    });
    const response = await health.handle(new Request('http://instance.local/health/ready'));
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: 'draining',
      instanceId: 'one',
      database: 'up',
      redis: 'down',
      port: 3000,
    });
  });
});

describeWith('health on PostgreSQL', postgresMissing, () => {
  test('[X] without its database an instance is alive but not ready, and HTTP and the socket say unavailable', async () => {
    const postgres = await startPostgres();
    const server = await spawnServer({ DATABASE_URL: await postgres.createDatabase() });
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    await postgres.stop();

    const ready = await server.request('GET', '/health/ready');
    expect(ready).toMatchObject({ status: 503, body: { status: 'unavailable', database: 'down' } });
    expect((await server.request('GET', '/health/live')).status).toBe(200);

    const route = await server.request('GET', '/v1/users/me', { token: ann.accessToken });
    expect(route).toMatchObject({
      status: 503,
      body: { error: { code: 'unavailable', retryAfterMs: 1_000 } },
    });
    expect(route.headers.get('Retry-After')).toBe('1');

    const reply = await client.request('subscribe', {}, { topic: `chat:${crypto.randomUUID()}` });
    expect(reply).toMatchObject({ type: 'error', error: { code: 'unavailable', retryAfterMs: 1_000 } });

    await server.stop();
    expect(await server.exited).toBe(0);
  });
});
