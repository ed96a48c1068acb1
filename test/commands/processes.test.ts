// Several processes on one port: what one command starts, what it does when one of them ends, and how it ends.

import { afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApi } from '../support/api.ts';
import { type Child, findFreePort, startChild } from '../support/child.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../support/postgres.ts';
import { serverCommand } from '../support/process.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { quietEnv } from '../support/server.ts';
import { until } from '../support/until.ts';
import { runProgram } from './program.ts';

setDefaultTimeout(60_000);

describeWith('several processes', postgresMissing ?? redisMissing, () => {
  let ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    ends = [];
  });

  async function startTwo() {
    const [postgres, redis] = [await sharedPostgres(), await startRedis()];
    const DATABASE_URL = await postgres.createDatabase('migrated');
    const port = findFreePort();
    const metricsPort = findFreePort();
    const child = await startChild({
      command: [...serverCommand, 'src/main.ts', 'start', '--processes', '2'],
      cwd: join(import.meta.dir, '../..'),
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ...quietEnv,
        LOG_LEVEL: 'info',
        DATABASE_URL,
        REDIS_URL: redis.url,
        PORT: `${port}`,
        METRICS_PORT: `${metricsPort}`,
        JWT_SECRET: 'a secret of these two processes, long enough',
      },
      stopSignal: 'SIGTERM',
      isReady: (line) => line.includes('"msg":"all processes are ready"'),
    });
    ends = [() => postgres.dropDatabase(DATABASE_URL), () => redis.stop(), () => child.stop()];
    return { child, metricsPort, api: createApi(`http://127.0.0.1:${port}`) };
  }

  test('share a port, and are one server: what is said at one is heard at the other', async () => {
    const { api, child } = await startTwo();
    expect((await listInstances(api, 2)).size).toBe(2);
    const ann = await api.register('Ann');
    const clients = await Promise.all(Array.from({ length: 12 }, () => api.connect(ann)));
    for (const client of clients) await client.subscribe('app:public.lobby');
    const published = await api.request('POST', '/v1/topics/app:public.lobby/events', {
      token: ann.accessToken,
      body: { event: 'player.ready', data: 1, durable: true },
    });
    expect(published.status).toBe(201);
    for (const client of clients) await client.next('player.ready');
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
    expect(child.output.match(/"msg":"stopped"/g)).toHaveLength(2);
  });

  test('have metrics of their own, on ports one behind another', async () => {
    const { metricsPort } = await startTwo();
    for (const port of [metricsPort, metricsPort + 1]) {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect([port, answer.status]).toEqual([port, 200]);
      expect(await answer.text()).toContain('active_websocket_connections 0');
    }
  });

  test('one that is killed is started again, and the other goes on', async () => {
    const { api, child } = await startTwo();
    const [victim = 0] = listChildren(child);
    process.kill(victim, 'SIGKILL');
    await until(() => child.output.includes('a process ended, and is started again'), 'the end is noticed');
    expect((await api.request('GET', '/health/live')).status).toBe(200);
    expect((await listInstances(api, 2)).size).toBe(2);
    expect(listChildren(child)).not.toContain(victim);
  });

  test('when the one that started them is killed, they drain by themselves', async () => {
    const { child } = await startTwo();
    const pids = listChildren(child);
    expect(pids).toHaveLength(2);
    child.kill('SIGKILL');
    await until(() => !pids.some(isAlive), 'both have ended', 20_000);
  });
});

test.each([
  [{ PORT: '3000' }, 'DATABASE_URL must be set for several processes'],
  [{ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', PORT: '0' }, 'PORT must be a number above 0'],
])('what cannot be shared is refused before anything starts: %o', async (env, complaint) => {
  const { code, complaints } = await runProgram(['start', '--processes', '2'], env);
  expect(complaints).toContain(complaint);
  expect(code).toBe(1);
});

/** Asks until so many have answered, or for a while. */
async function listInstances(api: ReturnType<typeof createApi>, count: number): Promise<Set<string>> {
  const seen = new Set<string>();
  await until(async () => {
    // A connection of its own each time: the kernel chooses by connection.
    const { body } = await api.request('GET', '/health/ready', { headers: { Connection: 'close' } });
    seen.add(body.instanceId);
    return seen.size >= count;
  }, `${count} instances answer`);
  return seen;
}

const listChildren = ({ pid }: Child): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
