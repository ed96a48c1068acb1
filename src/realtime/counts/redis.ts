// Counts of a whole cluster, in Redis. Each instance writes down its own, and holds a lease that it renews: what an instance
// without a lease left behind counts no longer. While Redis is away every instance goes by its own counts, and writes them
// down again when Redis is back. All keys are on one node of a cluster: they are asked for once a connection.

import type { Result } from 'ioredis';
import type { RedisClient } from '../../redis/client.ts';
import type { Reporter } from '../report.ts';
import { startRounds } from '../rounds.ts';
import { type ConnectionCounts, type Counted, OwnCounts } from './counts.ts';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    countConnection(
      ...args: [leases: string, held: string, instance: string, name: string, count: number]
    ): Result<number, Context>;
    renewConnections(
      ...args: [leases: string, held: string, instance: string, leaseMs: number]
    ): Result<0 | 1, Context>;
  }
}

/** Writes what the instance has of a name, and answers what all have that hold a lease. Fails without an own one. */
const count = `
local leases, held, instance, name, count = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
if not redis.call('ZSCORE', leases, instance) then return redis.error_reply('NOLEASE of this instance') end
if count > 0 then redis.call('HSET', held .. instance, name, count) else redis.call('HDEL', held .. instance, name) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local total = 0
for _, holder in ipairs(redis.call('ZRANGEBYSCORE', leases, now, '+inf')) do
  total = total + tonumber(redis.call('HGET', held .. holder, name) or 0)
end
return total`;

/** Answers 1 where the lease had not run out: what was written under it is there. A lease of 0 ms ends it. */
const renew = `
local leases, held, instance, leaseMs = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, holder in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
  redis.call('DEL', held .. holder)
  redis.call('ZREM', leases, holder)
end
local wasHeld = redis.call('ZSCORE', leases, instance) and 1 or 0
if leaseMs > 0 then redis.call('ZADD', leases, now + leaseMs, instance) else
  redis.call('ZREM', leases, instance)
  redis.call('DEL', held .. instance)
end
return wasHeld`;

export interface CountTimes {
  readonly renewMs: number;
  /** At least three renewals. Behind it what a killed instance had counts no longer. */
  readonly leaseMs: number;
}

const defaultTimes: CountTimes = { renewMs: 5_000, leaseMs: 17_000 };
const chunkSize = 1_000;

/** Resolves when the lease is taken, or when Redis is away. `logId`: another deployment may use the same Redis. */
export async function createRedisCounts(
  deps: {
    /** Not closed by this. */
    readonly redis: RedisClient;
    readonly instanceId: string;
    readonly logId: string;
    readonly reporter: Pick<Reporter, 'report'>;
  },
  times: CountTimes = defaultTimes,
): Promise<ConnectionCounts> {
  const { redis, instanceId, logId, reporter } = deps;
  redis.defineCommand('countConnection', { numberOfKeys: 2, lua: count });
  redis.defineCommand('renewConnections', { numberOfKeys: 2, lua: renew });
  const prefix = `carillon-connections:{${logId}}:`;
  const [leases, held] = [`${prefix}leases`, `${prefix}held:`];
  const own = new OwnCounts();
  /** Redis has what this instance has, or is being told. */
  let isKnown = false;

  /** Undefined where Redis is away, or does not know what this instance has. */
  async function tell(kind: Counted, name: string): Promise<number | undefined> {
    if (!isKnown) return undefined;
    try {
      // Commands of one client come in their order, so the last count of a name is the one that stays.
      return await redis.countConnection(leases, held, instanceId, `${kind} ${name}`, own.of(kind, name));
    } catch {
      isKnown = false; // the next renewal that succeeds writes everything down; what is away says presence
      return undefined;
    }
  }

  async function writeAll(): Promise<void> {
    await redis.del(held + instanceId);
    // From here on each change is told, behind what is written of it here.
    isKnown = true;
    let fields: (string | number)[] = [];
    const flush = async (): Promise<void> => {
      const some = fields;
      fields = [];
      if (some.length > 0) await redis.hset(held + instanceId, ...some);
    };
    const writes: Promise<void>[] = [];
    for (const [kind, name, devices] of own.all()) {
      fields.push(`${kind} ${name}`, devices);
      if (fields.length >= 2 * chunkSize) writes.push(flush());
    }
    await Promise.all([...writes, flush()]);
  }

  async function renewLease(): Promise<void> {
    try {
      const wasHeld = await redis.renewConnections(leases, held, instanceId, times.leaseMs);
      if (wasHeld === 0 || !isKnown) await writeAll();
    } catch {
      isKnown = false;
    }
  }

  await renewLease();
  const stopRounds = startRounds(times.renewMs, renewLease);

  return {
    async enter(kind, name) {
      own.add(kind, name, 1);
      const total = await tell(kind, name);
      return total ?? own.of(kind, name);
    },
    leave(kind, name) {
      own.add(kind, name, -1);
      tell(kind, name).catch((error: unknown) => reporter.report(error, 'counting connections'));
    },
    async stop() {
      await stopRounds();
      isKnown = false;
      await redis.renewConnections(leases, held, instanceId, 0).catch(() => {}); // then the lease runs out
    },
  };
}
