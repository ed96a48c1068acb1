// Counts of connections: on one instance, and on several over Redis, one of which may be killed, and Redis too. [H7]

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { ConnectionCounts } from '../../../src/realtime/counts/counts.ts';
import { createMemoryCounts } from '../../../src/realtime/counts/memory.ts';
import { createRedisCounts } from '../../../src/realtime/counts/redis.ts';
import { connectRedis, type RedisClient, waitForRedis } from '../../../src/redis/client.ts';
import { describeWith } from '../../support/needs.ts';
import { type Redis, redisMissing, startRedis } from '../../support/redis.ts';
import { reportInto } from '../../support/reporter.ts';
import { until } from '../../support/until.ts';

setDefaultTimeout(20_000);

const newName = () => crypto.randomUUID();

/** What every variant does. */
function defineSuite(create: () => Promise<ConnectionCounts>): void {
  test('[H7] counts each name apart, users and addresses too, and forgets who left', async () => {
    const counts = await create();
    const name = newName();
    expect([await counts.enter('user', name), await counts.enter('user', name)]).toEqual([1, 2]);
    expect(await counts.enter('address', name)).toBe(1);
    expect(await counts.enter('user', newName())).toBe(1);
    counts.leave('user', name);
    counts.leave('user', name);
    expect(await counts.enter('user', name)).toBe(1);
    await counts.stop();
  });

  test('[H7] of many that enter at once each is told another number', async () => {
    const counts = await create();
    const name = newName();
    const told = await Promise.all(Array.from({ length: 50 }, () => counts.enter('address', name)));
    expect(told.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
    await counts.stop();
  });
}

describe('counts in memory', () => defineSuite(async () => createMemoryCounts()));

describeWith('counts in Redis', redisMissing, () => {
  const logId = newName();
  const failures: unknown[] = [];
  const reporter = reportInto(failures);
  const clients: RedisClient[] = [];
  let redis: Redis;

  /** `isMute`: an instance that does not renew its lease, like one that was killed. */
  async function create(isMute = false): Promise<ConnectionCounts> {
    const client = connectRedis(redis.url);
    clients.push(client);
    await waitForRedis(client);
    const times = { renewMs: isMute ? 3_600_000 : 100, leaseMs: 700 };
    return await createRedisCounts({ redis: client, instanceId: newName(), logId, reporter }, times);
  }

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await redis.stop();
    expect(failures).toEqual([]);
  });

  defineSuite(create);

  test('[H7] instances count together; what one stops with counts no longer', async () => {
    const [first, second] = [await create(), await create()];
    const name = newName();
    expect([await first.enter('user', name), await second.enter('user', name)]).toEqual([1, 2]);
    expect(await first.enter('user', name)).toBe(3);
    await first.stop();
    expect(await second.enter('user', name)).toBe(2);
    await second.stop();
  });

  test('[H7] what a killed instance had counts no longer, once its lease has run out', async () => {
    const [killed, alive] = [await create(true), await create()];
    const name = newName();
    for (const n of [1, 2, 3]) expect(await killed.enter('user', name)).toBe(n);
    expect(await alive.enter('user', name)).toBe(4);
    alive.leave('user', name);
    await until(async () => {
      const count = await alive.enter('user', name);
      alive.leave('user', name);
      return count === 1;
    }, 'the lease has run out');
    await alive.stop();
  });

  test('[H7] while Redis is away each instance counts its own, and together again behind it, with what changed meanwhile', async () => {
    const [first, second] = [await create(), await create()];
    const [name, gone] = [newName(), newName()];
    for (const n of [1, 2]) expect(await first.enter('user', name)).toBe(n);
    await first.enter('user', gone);
    const { port } = redis;
    await redis.kill9();
    expect(await first.enter('user', name)).toBe(3);
    expect(await second.enter('user', name)).toBe(1);
    first.leave('user', gone);
    second.leave('user', name);
    redis = await startRedis({ port });
    await until(async () => {
      const count = await second.enter('user', name);
      second.leave('user', name);
      return count === 4;
    }, 'they count together again');
    expect(await second.enter('user', gone)).toBe(1);
    await Promise.all([first.stop(), second.stop()]);
  });
});
