// Prunes the log in the background, by age and by count, always from the old end: what is left of a topic has no gap. Topics
// that are nothing but their events go behind them.
// In slices, each a short transaction: however much there is to prune, no statement runs long and nobody waits for it.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import type { Reporter } from '../report.ts';
import { startRounds } from '../rounds.ts';
import { forgetTopics, keepFollowed } from './forgotten.ts';
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

/** What one transaction looks at, and what it deletes: it takes some 50 ms. */
const sliceTopics = 1_000;
const sliceRows = 10_000;

/** Starts a round a minute, unless told otherwise; answers its stop, which waits for the slice under way. */
export function startRetention(
  db: Db,
  policy: RetentionPolicy,
  /** The topics that are followed on this instance. */
  followed: () => readonly string[],
  reporter: Pick<Reporter, 'report'>,
  everyMs = roundMs,
): () => Promise<void> {
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    await keepFollowed(db, followed());
    await prune(db, policy, stopping.signal);
  };
  const stopRounds = startRounds(everyMs, () =>
    run().catch((error: unknown) => reporter.report(error, 'pruning the log')),
  );
  return async () => {
    stopping.abort();
    await stopRounds();
  };
}

/** One round: until nothing is left to prune. Does nothing while another instance is at it. */
export async function prune(db: Db, policy: RetentionPolicy, signal?: AbortSignal): Promise<void> {
  let slice: Slice | undefined = pruneEvents(policy, '');
  for (let isFirst = true; slice !== undefined && !signal?.aborted; isFirst = false) {
    const pruneSlice: Slice = slice;
    slice = await db.transaction(async (tx) =>
      (await takeLock(tx, isFirst)) ? await pruneSlice(tx) : undefined,
    );
  }
}

/** Whoever is at it already waits: another instance that has come in between two slices goes on, too. */
async function takeLock(tx: Db, isFirst: boolean): Promise<boolean> {
  await tx.execute(sql`SET LOCAL jit = off`); // compiling a slice took 150 ms, running it 2
  if (isFirst) {
    const lock = sql`SELECT pg_try_advisory_xact_lock(${advisoryLock}) AS taken`;
    return (await queryRows<{ taken: boolean }>(tx, lock))[0]?.taken ?? false;
  }
  await tx.execute(sql`SELECT pg_advisory_xact_lock(${advisoryLock})`);
  return true;
}

/** Answers the next slice, if there is one. */
type Slice = (tx: Db) => Promise<Slice | undefined>;

/**
 * Walks the topics by name, from behind `after`. Of each it deletes the oldest events as far as each of them may go: an
 * event that is young stops it, whatever the clock of an instance put behind. The oldest event of a topic says whether
 * there is anything to do.
 */
function pruneEvents(policy: RetentionPolicy, after: string): Slice {
  const { hours, perTopic } = policy;
  const isOld = hours > 0 ? sql`at < now() - make_interval(hours => ${hours})` : sql`false`;
  const isOver = perTopic > 0 ? sql`seq <= head - ${perTopic}` : sql`false`;
  return async (tx) => {
    // By their places in the table: joined by key, with old statistics, a slice took five times as long. Were the table
    // partitioned, a place would not name one row.
    const [slice] = await queryRows<{ last: string | null; chosen: number; pruned: number }>(
      tx,
      sql`
        WITH looked AS MATERIALIZED (
          SELECT name, head FROM topics WHERE name > ${after} ORDER BY name LIMIT ${sliceTopics}
        ), due AS MATERIALIZED (
          SELECT name, head, seq AS first FROM looked
          CROSS JOIN LATERAL (SELECT seq, at FROM events WHERE topic = name ORDER BY seq LIMIT 1) AS oldest
          WHERE ${isOld} OR ${isOver}
        ), chosen AS MATERIALIZED (
          SELECT place FROM due CROSS JOIN LATERAL (
            SELECT place, bool_and(${isOld} OR ${isOver}) OVER (ORDER BY seq) AS may_go FROM (
              SELECT ctid AS place, seq, at FROM events WHERE topic = name AND seq >= first ORDER BY seq
              LIMIT greatest(1, ${sliceRows} / (SELECT count(*) FROM due))
            ) AS oldest
          ) AS judged
          WHERE may_go
        ), pruned AS (
          DELETE FROM events WHERE ctid = ANY (ARRAY(SELECT place FROM chosen)) RETURNING 1
        )
        SELECT (SELECT max(name) FROM looked) AS last, (SELECT count(*) FROM chosen)::integer AS chosen,
          (SELECT count(*) FROM pruned)::integer AS pruned`,
    );
    if (slice === undefined || slice.last === null) return pruneKeys;
    // An event that was rewritten meanwhile has another place now and stayed, though those around it went. Once more before
    // COMMIT: nobody may see the gap. [O1] [O5]
    if (slice.pruned < slice.chosen) return await pruneEvents(policy, after)(tx);
    // The same topics again as long as they had something: there may be more of it.
    if (slice.pruned > 0) return pruneEvents(policy, after);
    await forgetTopics(tx, after, slice.last);
    return pruneEvents(policy, slice.last);
  };
}

async function pruneKeys(tx: Db): Promise<Slice | undefined> {
  const isOld = sql`created_at < now() - make_interval(hours => ${keyLifetimeHours})`;
  // Asked twice: in between, one of them may have been taken anew.
  const [slice] = await queryRows<{ pruned: number }>(
    tx,
    sql`
      WITH pruned AS (
        DELETE FROM idempotency_keys WHERE ${isOld} AND ctid = ANY (ARRAY(
          SELECT ctid FROM idempotency_keys WHERE ${isOld} LIMIT ${sliceRows}
        )) RETURNING 1
      )
      SELECT count(*)::integer AS pruned FROM pruned`,
  );
  return slice !== undefined && slice.pruned > 0 ? pruneKeys : undefined;
}
