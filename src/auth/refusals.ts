// What the socket refused, in the audit log: so few rows a minute for each user that a flood is none of rows.

import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Db } from '../db/database.ts';
import type { Actor, AuditEntry, RejectedLogin, Reporter } from '../realtime/index.ts';
import { networkOf } from './address.ts';
import type { Audit } from './audit.ts';

/** Whoever probes for topics asks for thousands. */
const subscriptionsPerMinute = 10;
/** So does whoever tries tokens. */
const loginsPerMinute = 10;

/** Limits that are not counted by `createRateLimits`, as they are kept for each connection or instance. */
export type SocketLimit = 'commands a second' | 'connections';

/** Refused subscriptions. Never waits, never fails. */
export function createRefusals(
  db: Db,
  audit: Audit,
  reporter: Pick<Reporter, 'report'>,
): (actor: Actor, topic: string) => void {
  const record = recordAtMost(subscriptionsPerMinute, db, audit, reporter);
  return ({ userId, sessionId, device }, topic) =>
    record(userId, { event: 'subscription_refused', userId, sessionId, device, details: { topic } });
}

/** Tokens that were good for no connection, by address. Never waits, never fails. */
export function createSocketLoginFailures(
  db: Db,
  audit: Audit,
  reporter: Pick<Reporter, 'report'>,
): (failure: RejectedLogin) => void {
  const record = recordAtMost(loginsPerMinute, db, audit, reporter);
  return ({ device, actor, reason }) =>
    record(networkOf(device?.ip) ?? 'unknown', {
      event: 'login_failed',
      userId: actor?.userId,
      sessionId: actor?.sessionId,
      device,
      details: { source: 'ws', reason },
    });
}

/** Limits that were hit, each once a minute. Never waits, never fails. */
export function createLimitHits(
  db: Db,
  audit: Audit,
  reporter: Pick<Reporter, 'report'>,
): (actor: Actor, limit: SocketLimit) => void {
  const record = recordAtMost(1, db, audit, reporter);
  return ({ userId, sessionId, device }, limit) =>
    record(`${limit} ${userId}`, { event: 'rate_limited', userId, sessionId, device, details: { limit } });
}

function recordAtMost(
  perMinute: number,
  db: Db,
  audit: Audit,
  reporter: Pick<Reporter, 'report'>,
): (key: string, entry: AuditEntry) => void {
  const limiter = new RateLimiterMemory({ points: perMinute, duration: 60 });

  return (key, entry) => {
    limiter
      .consume(key)
      .then(() => audit.record(db, entry))
      .catch((error: unknown) => {
        if (!(error instanceof RateLimiterRes)) reporter.report(error, 'auditing a refusal');
      });
  };
}
