// How often one may do what costs us. Counted in memory, or in Redis for all instances together.

import { isIPv6 } from 'node:net';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import type { Config } from '../config.ts';
import type { Db } from '../db/connect.ts';
import { AppError } from '../protocol/errors.ts';
import type { RedisClient } from '../realtime/redis-client.ts';
import type { Audit, AuditEntry } from './audit.ts';
import type { Device } from './device.ts';

/** What was too often throws `rate_limited` with `retryAfterMs`. Call them outside of transactions. */
export interface RateLimits {
  takeMessage(userId: string): Promise<void>;
  /** By address, and by account so that many addresses cannot guess one password together. */
  takeLogin(device: Device, email: string): Promise<void>;
  takeRegistration(device: Device): Promise<void>;
  /** Never throws for being too often: answers after how many ms to ask again, 0 where this is the one of its second. */
  takeTyping(userId: string, chatId: string): Promise<number>;
}

/** A counter of `points` in `duration` seconds a key. */
export type CreateLimiter = (options: {
  keyPrefix: string;
  points: number;
  duration: number;
}) => RateLimiterAbstract;

export const countInMemory: CreateLimiter = (options) => new RateLimiterMemory(options);

/**
 * Counts of all instances together; while Redis is away, each instance counts for itself. `logId` is that of the database:
 * another deployment may use the same Redis.
 */
export const countInRedis =
  (redis: RedisClient, logId: string): CreateLimiter =>
  (options) =>
    new RateLimiterRedis({
      ...options,
      keyPrefix: `carillon-limit:${logId}:${options.keyPrefix}`,
      storeClient: redis,
      rejectIfRedisNotReady: true,
      insuranceLimiter: new RateLimiterMemory(options),
    });

export function createRateLimits(
  config: Pick<Config, 'messagesPerMinute' | 'loginsPerMinute' | 'registrationsPerHour'>,
  db: Db,
  audit: Audit,
  createLimiter: CreateLimiter,
): RateLimits {
  const limit = (keyPrefix: string, points: number, duration: number) => {
    if (points === 0) return async () => {};
    const limiter = createLimiter({ keyPrefix, points, duration });
    return async (key: string, entry: Omit<AuditEntry, 'event'>): Promise<void> => {
      const refusal = await consume(limiter, key);
      if (refusal === undefined) return;
      // Once a window: a flood must not become a flood of rows.
      if (refusal.consumedPoints === points + 1) {
        const details = { ...entry.details, limit: keyPrefix };
        await audit.record(db, { ...entry, event: 'rate_limited', details });
      }
      throw new AppError('rate_limited', `At most ${points} in ${duration} seconds. Try again later.`, {
        retryAfterMs: waitMs(refusal),
      });
    };
  };

  const messages = limit('messages', config.messagesPerMinute, 60);
  const loginsByAddress = limit('logins by address', config.loginsPerMinute, 60);
  const loginsByAccount = limit('logins by account', config.loginsPerMinute, 60);
  const registrations = limit('registrations', config.registrationsPerHour, 3_600);
  const typing = createLimiter({ keyPrefix: 'typing', points: 1, duration: 1 });

  return {
    takeMessage: (userId) => messages(userId, { userId }),
    async takeLogin(device, email) {
      await loginsByAddress(networkOf(device.ip), { device });
      await loginsByAccount(email.toLowerCase(), { device, details: { email } });
    },
    takeRegistration: (device) => registrations(networkOf(device.ip), { device }),
    async takeTyping(userId, chatId) {
      const refusal = await consume(typing, `${userId} ${chatId}`);
      return refusal === undefined ? 0 : waitMs(refusal);
    },
  };
}

async function consume(limiter: RateLimiterAbstract, key: string): Promise<RateLimiterRes | undefined> {
  try {
    await limiter.consume(key);
    return undefined;
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return refusal;
    throw refusal;
  }
}

const waitMs = ({ msBeforeNext }: RateLimiterRes): number => Math.max(1, Math.ceil(msBeforeNext));

/** One subscriber of IPv6 has a /64 of addresses to choose from, so they count as one. */
function networkOf(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  if (!isIPv6(address)) return address;
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
  const network = [...head, ...zeros, ...tail].slice(0, 4);
  return network.map((group) => Number.parseInt(group, 16)).join(':');
}
