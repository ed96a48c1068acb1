// When users were last connected: noted here, and written down together once a second.

import { sql } from 'drizzle-orm';
import type { Db } from '../db/database.ts';
import { type Reporter, startRounds } from '../realtime/index.ts';

/** Moves `lastSeenAt` forward, never back. */
export async function touchLastSeen(db: Db, userIds: readonly string[], at: Date): Promise<void> {
  // Locked in one order, so that instances that touch the same users cannot deadlock.
  await db.execute(sql`
    UPDATE users SET last_seen_at = ${at.toISOString()}::timestamptz
    WHERE id IN (SELECT id FROM users WHERE id = ANY(${sql.param([...userIds])}::uuid[]) ORDER BY id FOR NO KEY UPDATE)
      AND deleted_at IS NULL AND (last_seen_at IS NULL OR last_seen_at < ${at.toISOString()}::timestamptz)`);
}

export interface LastSeen {
  /** The user is here now. Never waits, never fails. */
  note(userId: string): void;
  /** Writes what is left, unless the last writing failed: a database that is away is waited for once. */
  stop(): Promise<void>;
}

const flushMs = 1_000;

export function startLastSeen(
  write: (userIds: readonly string[], at: Date) => Promise<void>,
  reporter: Pick<Reporter, 'report'>,
): LastSeen {
  const seen = new Set<string>();
  let hasFailed = false;

  async function flush(): Promise<void> {
    if (seen.size === 0) return;
    const userIds = [...seen];
    seen.clear();
    try {
      await write(userIds, new Date());
      hasFailed = false;
    } catch (error) {
      hasFailed = true;
      for (const userId of userIds) seen.add(userId); // for the next time
      reporter.report(error, 'writing down who was seen');
    }
  }

  const stopRounds = startRounds(flushMs, flush);
  return {
    note: (userId) => void seen.add(userId),
    async stop() {
      await stopRounds();
      if (!hasFailed) await flush();
    },
  };
}
