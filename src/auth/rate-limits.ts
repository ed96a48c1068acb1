// How often one may do what costs us. Counted in memory, or in Redis for all instances together.

import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import type { Actor, AuditEntry, RateLimit } from '../realtime/index.ts';
import type { RedisClient } from '../redis/client.ts';
import { networkOf } from './address.ts';
import type { Audit } from './audit.ts';
import type { Device } from './device.ts';

/** What was too often throws `rate_limited` with `retryAfterMs`. Call them outside of transactions. */
export interface RateLimits {
  /** One of a user's; an operation declares which. */
  take(limit: RateLimit, actor: Actor): Promise<void>;
  /**
   * By address; and by account, so that many addresses cannot guess one password together. Those that logged in to the
   * account before (`isKnown`) do not count by account: whoever guesses from elsewhere does not lock the owner out.
   */
  takeLogin(device: Device, email: string, isKnown: () => Promise<boolean>): Promise<void>;
  /** By session, whatever others guess elsewhere. */
  takePasswordChange(actor: Actor): Promise<void>;
  takeRegistration(device: Device): Promise<void>;
  /** By address and account, as logins: an account is one that somebody names, whether it is there or not. */
  takeResetMail(device: Device, email: string, isKnown: () => Promise<boolean>): Promise<void>;
  takeVerificationMail(actor: Pick<Actor, 'userId' | 'sessionId' | 'device'>): Promise<void>;
  /** A secret from a mail, by the address that brings it; as often as a login. */
  takeMailedToken(device: Device): Promise<void>;
  /** Never throws for being too often: answers after how many ms to ask again, 0 where this is the one of its second. */
  takeSecond(key: string): Promise<number>;
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
  config: Config,
  db: Db,
  audit: Audit,
  createLimiter: CreateLimiter,
): RateLimits {
  const limit = (keyPrefix: string, points: number, duration: number) => {
    if (points === 0) return async () => {};
    const limiter = createLimiter({ keyPrefix, points, duration });
    const policy = `"${keyPrefix}";q=${points};w=${duration}`;
    return async (key: string, entry: Omit<AuditEntry, 'event'>): Promise<void> => {
      const count = await consume(limiter, key);
      const { consumedPoints, remainingPoints: remaining, msBeforeNext: resetMs } = count;
      entry.device?.quotas?.push({ name: keyPrefix, policy, remaining, resetMs });
      if (consumedPoints <= points) return;
      // Once a window: a flood must not become a flood of rows.
      if (consumedPoints === points + 1) {
        const details = { ...entry.details, limit: keyPrefix };
        await audit.record(db, { ...entry, event: 'rate_limited', details });
      }
      throw new AppError('rate_limited', `At most ${points} in ${duration} seconds. Try again later.`, {
        retryAfterMs: waitMs(count),
      });
    };
  };

  const loginsByAddress = limit('logins by address', config.loginsPerMinute, 60);
  const loginsByAccount = limit('logins by account', config.loginsPerMinute, 60);
  const passwordChanges = limit('password changes', config.loginsPerMinute, 60);
  const registrations = limit('registrations', config.registrationsPerHour, 3_600);
  const mailsByAddress = limit('mails by address', config.mailsPerHour, 3_600);
  const resetMails = limit('reset mails', config.mailsPerHour, 3_600);
  const verificationMails = limit('verification mails', config.mailsPerHour, 3_600);
  const mailedTokens = limit('mailed tokens', config.loginsPerMinute, 60);
  const seconds = createLimiter({ keyPrefix: 'seconds', points: 1, duration: 1 });
  const declared = new Map<RateLimit, ReturnType<typeof limit>>();

  return {
    async take(asked, { userId, sessionId, device }) {
      let take = declared.get(asked);
      if (take === undefined) {
        take = limit(asked.name, asked.points(config), asked.seconds);
        declared.set(asked, take);
      }
      await take(userId, { userId, sessionId, device });
    },
    async takeLogin(device, email, isKnown) {
      await loginsByAddress(placeOf(device), { device });
      if (!(await isKnown())) await loginsByAccount(email.toLowerCase(), { device, details: { email } });
    },
    takePasswordChange: ({ userId, sessionId, device }) =>
      passwordChanges(sessionId, { userId, sessionId, device }),
    takeRegistration: (device) => registrations(placeOf(device), { device }),
    async takeResetMail(device, email, isKnown) {
      await mailsByAddress(placeOf(device), { device });
      if (!(await isKnown())) await resetMails(email.toLowerCase(), { device, details: { email } });
    },
    async takeVerificationMail({ userId, sessionId, device }) {
      await verificationMails(userId, { userId, sessionId, device });
    },
    takeMailedToken: (device) => mailedTokens(placeOf(device), { device }),
    async takeSecond(key) {
      const count = await consume(seconds, key);
      return count.consumedPoints === 1 ? 0 : waitMs(count);
    },
  };
}

/** What is counted then, over the limit or not. */
export async function consume(
  limiter: RateLimiterAbstract,
  key: string,
  points = 1,
): Promise<RateLimiterRes> {
  try {
    return await limiter.consume(key, points);
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return refusal;
    throw refusal;
  }
}

const waitMs = ({ msBeforeNext }: RateLimiterRes): number => Math.max(1, Math.ceil(msBeforeNext));

const placeOf = ({ ip }: Device): string => networkOf(ip) ?? 'unknown';
