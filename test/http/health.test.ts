// Liveness and readiness, also with the database away and while draining.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { createHealth } from '../../src/http/health.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, startPostgres } from '../support/postgres.ts';
import { spawnServer } from '../support/process.ts';
import { onEachDatabase } from '../support/server.ts';

setDefaultTimeout(20_000);

onEachDatabase('health', (open) => {
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

  test('an instance that drains gets no more traffic', async () => {
    const { db } = await open();
    const health = createHealth({
      db,
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
  test('[X] without its database an instance is alive but not ready, and both doors say unavailable', async () => {
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
