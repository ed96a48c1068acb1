// How many requests over HTTP a user and an address may make. Asking Redis for each would cost more than the request: each
// instance counts in memory, and settles once a second with the counter of all. So over n instances up to as many more get
// through as come to the others within a second; on one instance it is exact.

import { LRUCache } from 'lru-cache';
import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import { type Actor, type AuditEntry, type Device, type Reporter, startRounds } from '../realtime/index.ts';
import { networkOf } from './address.ts';
import type { Audit } from './audit.ts';
import { type CreateLimiter, consume } from './rate-limits.ts';

/** What was too often throws `rate_limited` with `retryAfterMs`. They never wait. */
export interface RequestLimits {
  takeAddress(device: Device): void;
  takeUser(actor: Actor): void;
  /** Settles what is left. */
  stop(): Promise<void>;
}

const windowSeconds = 60;
const settleMs = 1_000;
/** Behind one address are many users. */
const addressShare = 10;
const maxKnownNetworks = 10_000;

export function createRequestLimits(deps: {
  readonly config: Pick<Config, 'requestsPerMinute'>;
  readonly db: Db;
  readonly audit: Audit;
  readonly createLimiter: CreateLimiter;
  readonly reporter: Pick<Reporter, 'report'>;
}): RequestLimits {
  const { config, db, audit, createLimiter, reporter } = deps;
  const { requestsPerMinute } = config;
  if (requestsPerMinute === 0) return { takeAddress() {}, takeUser() {}, async stop() {} };

  const note = (entry: Omit<AuditEntry, 'event'>): void => {
    audit
      .record(db, { ...entry, event: 'rate_limited' })
      .catch((error: unknown) => reporter.report(error, 'auditing a limit'));
  };
  const byAddress = createCounts(
    'requests by address',
    requestsPerMinute * addressShare,
    createLimiter,
    note,
  );
  const byUser = createCounts('requests', requestsPerMinute, createLimiter, note);
  /** By address, as every request asks for one. */
  const networks = new LRUCache<string, string>({ max: maxKnownNetworks });
  const settle = (): Promise<void> =>
    Promise.all([byAddress.settle(), byUser.settle()]).then(
      () => {},
      (error: unknown) => reporter.report(error, 'settling the counts of requests'),
    );
  const stopRounds = startRounds(settleMs, settle);

  return {
    takeAddress(device) {
      const ip = device.ip ?? 'unknown';
      const network = networks.get(ip) ?? networkOf(ip) ?? ip;
      networks.set(ip, network);
      byAddress.take(network, { device });
    },
    takeUser: ({ userId, sessionId, device }) => byUser.take(userId, { userId, sessionId, device }),
    async stop() {
      await stopRounds();
      await settle();
    },
  };
}

interface Count {
  /** Of all instances, when it was settled last. */
  settled: number;
  /** Here since then. */
  own: number;
  endsAtMs: number;
  wasOver: boolean;
}

type Whose = Pick<AuditEntry, 'userId' | 'sessionId' | 'device'>;

function createCounts(
  name: string,
  points: number,
  createLimiter: CreateLimiter,
  note: (entry: Omit<AuditEntry, 'event'>) => void,
) {
  const limiter = createLimiter({ keyPrefix: name, points, duration: windowSeconds });
  const counts = new Map<string, Count>();
  const policy = `"${name}";q=${points};w=${windowSeconds}`;

  async function settleOne(key: string, count: Count): Promise<void> {
    const { own } = count;
    const { consumedPoints, msBeforeNext } = await consume(limiter, key, own);
    count.own -= own;
    count.settled = consumedPoints;
    count.endsAtMs = performance.now() + msBeforeNext;
  }

  return {
    take(key: string, whose: Whose): void {
      const nowMs = performance.now();
      let count = counts.get(key);
      if (count === undefined || nowMs >= count.endsAtMs) {
        count = { settled: 0, own: 0, endsAtMs: nowMs + windowSeconds * 1_000, wasOver: false };
        counts.set(key, count);
      }
      const left = points - count.settled - count.own;
      const resetMs = count.endsAtMs - nowMs;
      whose.device?.quotas?.push({ name, policy, remaining: Math.max(0, left - 1), resetMs });
      if (left > 0) {
        count.own += 1;
        return;
      }
      // Once a window: a flood must not become a flood of rows.
      if (!count.wasOver) note({ ...whose, details: { limit: name } });
      count.wasOver = true;
      throw new AppError(
        'rate_limited',
        `At most ${points} requests in ${windowSeconds} seconds. Try again later.`,
        {
          retryAfterMs: Math.max(1, Math.ceil(resetMs)),
        },
      );
    },

    async settle(): Promise<void> {
      const nowMs = performance.now();
      const settling: Promise<void>[] = [];
      for (const [key, count] of counts) {
        if (nowMs >= count.endsAtMs) counts.delete(key);
        else if (count.own > 0) settling.push(settleOne(key, count));
      }
      await Promise.all(settling);
    },
  };
}
