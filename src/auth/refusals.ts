// Refused subscriptions in the audit log: a few a minute for each user, since whoever probes for topics asks for thousands.

import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Db } from '../db/connect.ts';
import type { Actor } from '../realtime/actor.ts';
import type { Audit } from './audit.ts';

const recordedPerMinute = 10;

/** Never waits, never fails. */
export function createRefusals(
  db: Db,
  audit: Audit,
  onFailure: (error: unknown) => void,
): (actor: Actor, topic: string) => void {
  const limiter = new RateLimiterMemory({ points: recordedPerMinute, duration: 60 });

  async function record({ userId }: Actor, topic: string): Promise<void> {
    await limiter.consume(userId);
    await audit.record(db, { event: 'subscription_refused', userId, details: { topic } });
  }

  return (actor, topic) => {
    record(actor, topic).catch((error) => {
      if (!(error instanceof RateLimiterRes)) onFailure(error);
    });
  };
}
