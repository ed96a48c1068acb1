// How often one may do what costs us. Counted in memory, or in Redis for all instances together.

import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import type { Config } from '../config.ts';
import type { Db } from '../db/connect.ts';
import { AppError } from '../protocol/errors.ts';
import type { Actor } from '../realtime/actor.ts';
import type { RedisClient } from '../realtime/redis-client.ts';
import { networkOf } from './address.ts';
import type { Audit, AuditEntry } from './audit.ts';
import type { Device } from './device.ts';

/** What was too often throws `rate_limited` with `retryAfterMs`. Call them outside of transactions. */
export interface RateLimits {
  /** Whatever a chat keeps and its members are told of: a message, its edit or deletion, a new name, who is let in or put out. */
  takeMessage(userId: string): Promise<void>;
  /** A read position, ten times as often as a message: each is an event of its own. */
  takeRead(userId: string): Promise<void>;
  /** A new chat, whose members are not asked. */
  takeChat(userId: string): Promise<void>;
  /** A published event that the database keeps something of: itself, or its key. */
  takePublish(userId: string): Promise<void>;
  /** The first durable event on a topic. */
  takeTopic(userId: string): Promise<void>;
  takeSearch(userId: string): Promise<void>;
  /**
   * By address; and by account, so that many addresses cannot guess one password together. Those that logged in to the
   * account before (`isKnown`) do not count by account: whoever guesses from elsewhere does not lock the owner out.
   */
  takeLogin(device: Device, email: string, isKnown: () => Promise<boolean>): Promise<void>;
  /** By session, whatever others guess elsewhere. */
  takePasswordChange(actor: Actor, device: Device): Promise<void>;
  takeRegistration(device: Device): Promise<void>;
  /** Never throws for being too often: answers after how many ms to ask again, 0 where this is the one of its second. */
  takeTyping(userId: string, chatId: string): Promise<number>;
}

export type LimitSettings = Pick<
  Config,
  | 'messagesPerMinute'
  | 'chatsPerHour'
  | 'publishesPerMinute'
  | 'topicsPerHour'
  | 'searchesPerMinute'
  | 'loginsPerMinute'
  | 'registrationsPerHour'
>;

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
  config: LimitSettings,
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

  const byUser = (keyPrefix: string, points: number, duration: number) => {
    const take = limit(keyPrefix, points, duration);
    return (userId: string) => take(userId, { userId });
  };
  const loginsByAddress = limit('logins by address', config.loginsPerMinute, 60);
  const loginsByAccount = limit('logins by account', config.loginsPerMinute, 60);
  const passwordChanges = limit('password changes', config.loginsPerMinute, 60);
  const registrations = limit('registrations', config.registrationsPerHour, 3_600);
  const typing = createLimiter({ keyPrefix: 'typing', points: 1, duration: 1 });

  return {
    takeMessage: byUser('messages', config.messagesPerMinute, 60),
    takeRead: byUser('read positions', 10 * config.messagesPerMinute, 60),
    takeChat: byUser('chats', config.chatsPerHour, 3_600),
    takePublish: byUser('publishes', config.publishesPerMinute, 60),
    takeTopic: byUser('topics', config.topicsPerHour, 3_600),
    takeSearch: byUser('searches', config.searchesPerMinute, 60),
    async takeLogin(device, email, isKnown) {
      await loginsByAddress(placeOf(device), { device });
      if (!(await isKnown())) await loginsByAccount(email.toLowerCase(), { device, details: { email } });
    },
    takePasswordChange: ({ userId, sessionId }, device) => passwordChanges(sessionId, { userId, device }),
    takeRegistration: (device) => registrations(placeOf(device), { device }),
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

const placeOf = ({ ip }: Device): string => networkOf(ip) ?? 'unknown';
