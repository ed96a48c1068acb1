// What the audit log says, and what is known of sessions that ended, goes with its age: in the background, once an hour, in
// slices, so that no statement runs long; of several instances one is at it.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/database.ts';
import { type Reporter, startRounds } from '../realtime/index.ts';
import { endOfSession } from './schema.ts';

const roundMs = 3_600_000;
const sliceRows = 5_000;

/** Any number that nothing else on the database uses: several instances take turns, and whoever comes second leaves. */
const advisoryLock = 0x0ca1_1110;

/** `days`: 0 keeps everything. Answers the stop, which waits for the slice under way. */
export function startPruning(
  db: Db,
  days: number,
  reporter: Pick<Reporter, 'report'>,
  everyMs = roundMs,
): () => Promise<void> {
  if (days === 0) return async () => {};
  const stopping = new AbortController();
  const stopRounds = startRounds(everyMs, () =>
    prune(db, days, stopping.signal).catch((error: unknown) =>
      reporter.report(error, 'pruning the audit log'),
    ),
  );
  return async () => {
    stopping.abort();
    await stopRounds();
  };
}

/** One round: until nothing is left that may go. A day is what the database takes for one. */
export async function prune(db: Db, days: number, signal?: AbortSignal): Promise<void> {
  const before = sql`now() - make_interval(days => ${days})`;
  for (const statement of [
    sql`
      DELETE FROM audit_log WHERE (at, id) IN (
        SELECT at, id FROM audit_log WHERE at < ${before} ORDER BY at, id LIMIT ${sliceRows}
      ) RETURNING 1`,
    sql`
      DELETE FROM user_sessions WHERE id IN (
        SELECT id FROM user_sessions WHERE ${endOfSession} < ${before} ORDER BY ${endOfSession} LIMIT ${sliceRows}
      ) RETURNING 1`,
  ]) {
    let deleted = sliceRows;
    while (deleted === sliceRows && !signal?.aborted) deleted = await pruneSlice(db, statement);
  }
}

/** Answers how many went; none while another instance is at it. */
async function pruneSlice(db: Db, statement: SQL): Promise<number> {
  return await db.transaction(async (tx) => {
    const lock = sql`SELECT pg_try_advisory_xact_lock(${advisoryLock}) AS taken`;
    if (!(await queryRows<{ taken: boolean }>(tx, lock))[0]?.taken) return 0;
    return (await queryRows(tx, statement)).length;
  });
}
