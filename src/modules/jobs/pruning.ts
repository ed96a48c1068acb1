// Jobs that finished long ago are deleted in the background, once an hour, in slices: no statement runs long, and of several
// instances one is at it. No event tells of it, so the newest of each user stay, however old they are: see `state.ts`.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { type Reporter, startRounds } from '../../realtime/index.ts';
import { maxListed } from './contract.ts';
import { isOld } from './rows.ts';

const roundMs = 3_600_000;
const sliceRows = 1_000;

/** Any number that nothing else on the database uses: several instances take turns, and whoever comes second leaves. */
const advisoryLock = 0x0ca1_1109;

/** Answers the stop, which waits for the slice under way. */
export function startPruning(
  db: Db,
  reporter: Pick<Reporter, 'report'>,
  everyMs = roundMs,
): () => Promise<void> {
  const stopping = new AbortController();
  const stopRounds = startRounds(everyMs, () =>
    pruneJobs(db, stopping.signal).catch((error: unknown) => reporter.report(error, 'pruning jobs')),
  );
  return async () => {
    stopping.abort();
    await stopRounds();
  };
}

/** Where the walk stands: what finished behind it comes next. */
interface Place {
  readonly at: string;
  readonly id: string;
}

/** One round: until nothing is left that may go. */
export async function pruneJobs(db: Db, signal?: AbortSignal): Promise<void> {
  let place: Place | undefined = { at: '-infinity', id: '00000000-0000-0000-0000-000000000000' };
  while (place !== undefined && !signal?.aborted) place = await pruneSlice(db, place);
}

/** Answers where to go on. A job that is retried meanwhile stays: it is not finished any more. */
async function pruneSlice(db: Db, { at, id }: Place): Promise<Place | undefined> {
  return await db.transaction(async (tx) => {
    const lock = sql`SELECT pg_try_advisory_xact_lock(${advisoryLock}) AS taken`;
    if (!(await queryRows<{ taken: boolean }>(tx, lock))[0]?.taken) return undefined;
    const [last] = await queryRows<{ at: string; id: string }>(
      tx,
      sql`
        WITH looked AS MATERIALIZED (
          SELECT id, user_id, seq, finished_at FROM jobs
          WHERE ${isOld} AND (finished_at, id) > (${at}::timestamptz, ${id}::uuid) ORDER BY finished_at, id LIMIT ${sliceRows}
        ), pruned AS (
          DELETE FROM jobs WHERE ${isOld} AND id = ANY (ARRAY(
            SELECT id FROM looked WHERE ${maxListed} = (
              SELECT count(*) FROM (
                SELECT 1 FROM jobs AS newer WHERE newer.user_id = looked.user_id AND newer.seq > looked.seq LIMIT ${maxListed}
              ) AS those
            )
          ))
        )
        SELECT finished_at::text AS at, id FROM looked ORDER BY finished_at DESC, id DESC LIMIT 1`,
    );
    return last;
  });
}
