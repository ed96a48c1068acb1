// A Redis connection for commands that cannot wait: whoever asks has an answer without Redis, and takes that one when
// Redis is away. It comes back by itself, for ever.

import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, reconnectDelayMs } from './servers.ts';

export type RedisClient = Redis | Cluster;

/** A command that is not answered in this time fails. */
const patienceMs = 1_000;

/** Commands fail at once while Redis is away. Close it with `disconnect()`. Throws only where the URL is none. */
export function connectRedis(url: string): RedisClient {
  const { isCluster, seeds } = parseRedisUrl(url);
  const { host, port, ...login } = seeds[0] ?? {};
  const shared: RedisOptions = {
    ...login,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs,
    // A server that is frozen: the connection is given up, and tried anew.
    socketTimeout: 2 * patienceMs,
    disconnectTimeout: 0,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
  const client = isCluster
    ? new Cluster(
        seeds.map((seed) => ({ host: seed.host, port: seed.port })),
        {
          redisOptions: shared,
          clusterRetryStrategy: reconnectDelayMs,
          slotsRefreshTimeout: patienceMs,
          enableOfflineQueue: false,
        },
      )
    : new Redis({ ...shared, host, port, retryStrategy: reconnectDelayMs, enableOfflineQueue: false });
  client.on('error', () => {}); // every command that it costs rejects with it
  return client;
}

/** Resolves when Redis is there, or when it did not come in time. */
export async function waitForRedis(redis: RedisClient): Promise<void> {
  if (redis.status === 'ready') return;
  const ready = Promise.withResolvers<void>();
  redis.once('ready', ready.resolve);
  const timer = setTimeout(ready.resolve, patienceMs);
  await ready.promise;
  clearTimeout(timer);
}
