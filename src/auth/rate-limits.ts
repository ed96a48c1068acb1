// How often one may do what costs us. Counted in memory, by instance, unless `createLimiter` says otherwise.

import { isIPv6 } from 'node:net';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from '../config.ts';
import type { Db } from '../db/connect.ts';
import { AppError } from '../protocol/errors.ts';
import type { Audit, AuditEntry } from './audit.ts';
import type { Device } from './device.ts';

/** Each throws `rate_limited` with `retryAfterMs` when it was too often. Call them outside of transactions. */
export interface RateLimits {
  takeMessage(userId: string): Promise<void>;
  /** By address, and by account so that many addresses cannot guess one password together. */
  takeLogin(device: Device, email: string): Promise<void>;
  takeRegistration(device: Device): Promise<void>;
}

/** A counter of `points` in `duration` seconds a key. */
export type CreateLimiter = (options: {
  keyPrefix: string;
  points: number;
  duration: number;
}) => RateLimiterAbstract;

const inMemory: CreateLimiter = (options) => new RateLimiterMemory(options);

export function createRateLimits(
  config: Pick<Config, 'messagesPerMinute' | 'loginsPerMinute' | 'registrationsPerHour'>,
  db: Db,
  audit: Audit,
  createLimiter: CreateLimiter = inMemory,
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
        retryAfterMs: Math.max(1, Math.ceil(refusal.msBeforeNext)),
      });
    };
  };

  const messages = limit('messages', config.messagesPerMinute, 60);
  const loginsByAddress = limit('logins by address', config.loginsPerMinute, 60);
  const loginsByAccount = limit('logins by account', config.loginsPerMinute, 60);
  const registrations = limit('registrations', config.registrationsPerHour, 3_600);

  return {
    takeMessage: (userId) => messages(userId, { userId }),
    async takeLogin(device, email) {
      await loginsByAddress(networkOf(device.ip), { device });
      await loginsByAccount(email.toLowerCase(), { device, details: { email } });
    },
    takeRegistration: (device) => registrations(networkOf(device.ip), { device }),
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

/** One subscriber of IPv6 has a /64 of addresses to change between, so they count as one. */
function networkOf(address: string | undefined): string {
  if (address === undefined || !isIPv6(address)) return address ?? 'unknown';
  const [head = '', tail = ''] = address.split('::');
  const groups = head.split(':').filter(Boolean);
  const missing = 8 - groups.length - tail.split(':').filter(Boolean).length;
  const filled = address.includes('::')
    ? [...groups, ...Array<string>(Math.max(0, missing)).fill('0')]
    : groups;
  return [...filled, ...tail.split(':')]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16))
    .join(':');
}
