// Prunes the log in the background, by age and by count, always from the old end: what is left of a topic has no gap.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/connect.ts';
import { keyLifetimeHours } from './keys.ts';

export interface RetentionPolicy {
  /** 0: for ever. */
  readonly hours: number;
  /** Events a topic; 0: all. */
  readonly perTopic: number;
}

/** Any number that nothing else on the database uses: several instances take turns, and whoever comes second leaves. */
const advisoryLock = 0x0ca1_1108;

const roundMs = 60_000;

/** Starts a round a minute; answers its stop, which waits for the one under way. */
export function startRetention(
  db: Db,
  policy: RetentionPolicy,
  onFailure: (error: unknown, what: string) => void,
): () => Promise<void> {
  let current: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    current = prune(db, policy).catch((error: unknown) => onFailure(error, 'pruning the log'));
  }, roundMs);
  return async () => {
    clearInterval(timer);
    await current;
  };
}

/** One round. Does nothing while another instance is at it. */
export async function prune(db: Db, { hours, perTopic }: RetentionPolicy): Promise<void> {
  await db.transaction(async (tx) => {
    const [lock] = await queryRows<{ taken: boolean }>(
      tx,
      sql`SELECT pg_try_advisory_xact_lock(${advisoryLock}) AS taken`,
    );
    if (!lock?.taken) return;
    if (hours > 0) {
      // By the newest event that is too old, not by each one's own time: clocks of instances differ, seqs do not.
      await tx.execute(sql`
        WITH old AS (
          SELECT topic, max(seq) AS seq FROM events
          WHERE at < now() - make_interval(hours => ${hours}) GROUP BY topic
        )
        DELETE FROM events AS e USING old WHERE e.topic = old.topic AND e.seq <= old.seq`);
    }
    if (perTopic > 0) {
      await tx.execute(sql`
        DELETE FROM events AS e USING topics AS t
        WHERE t.head > ${perTopic} AND e.topic = t.name AND e.seq <= t.head - ${perTopic}`);
    }
    await tx.execute(sql`
      DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => ${keyLifetimeHours})`);
  });
}
