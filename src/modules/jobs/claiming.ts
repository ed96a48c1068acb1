// How workers get jobs: the oldest of the highest priority, each job once. A claim is one statement, and whoever finds nothing
// waits without holding a connection.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { compare } from '../../protocol/order.ts';
import { action, type ModuleCore } from '../../realtime/index.ts';
import { changeJobs, type News, type Telling } from './changes.ts';
import { type ClaimedJob, ClaimedJobs, ClaimJobs, defaultLeaseSeconds, maxWaitSeconds } from './contract.ts';
import { toJob } from './rows.ts';
import type { Waiting } from './waiting.ts';

export const claimJobs = (news: News, waiting: Waiting) =>
  action('job.claim', {
    summary: 'Claim jobs to work on, or wait for some',
    description:
      'Each job is given out once, with a `leaseId` that nobody else learns. Report progress, complete or fail it before ' +
      '`leaseUntil`, or it goes to another worker. Where there is no job, the answer comes with the first one, or empty after ' +
      '`waitSeconds`; empty, too, when the server stops.',
    tag: 'Work',
    http: 'POST /jobs/claim',
    socket: false,
    roles: ['worker', 'admin'],
    mayWaitSeconds: maxWaitSeconds,
    input: ClaimJobs,
    output: ClaimedJobs,
    writes: 'sometimes',
    start: (core) => {
      const claim = createClaim(core, news);
      return async ({ actor, signal }, input) => {
        const seeker = waiting.enter(input.types, input.waitSeconds * 1_000, signal);
        try {
          do {
            const claimed = await claim(actor, input, signal);
            if (claimed === undefined) break;
            const { items, mayBeMore, events } = claimed;
            if (mayBeMore) waiting.ring(input.types);
            if (items.length > 0) return { output: { items }, events };
          } while (await seeker.wait());
          if (signal?.aborted) waiting.ring(input.types); // it may have been woken for a job that it did not take
          return { output: { items: [] } };
        } finally {
          seeker.leave();
        }
      };
    },
  });

/** Those of the types that have a job whose time has come: a look into the index for each. */
export async function findReady(db: Db, types: readonly string[]): Promise<string[]> {
  const rows = await queryRows<{ type: string; is_ready: boolean | null }>(db, selectReady(types));
  return rows.flatMap(({ type, is_ready }) => (is_ready ? [type] : []));
}

export const selectReady = (types: readonly string[]): SQL => sql`
  SELECT asked.type, (
    SELECT true FROM jobs WHERE jobs.type = asked.type AND ${isClaimable} ORDER BY ${claimOrder} LIMIT 1
  ) AS is_ready FROM unnest(${sql.param([...types])}::text[]) AS asked(type)`;

const isClaimable = sql`status = 'queued' AND run_at <= now()`;
const claimOrder = sql`priority DESC, created_at, id`;

interface Claimed {
  readonly items: readonly ClaimedJob[];
  readonly events: Awaited<ReturnType<ModuleCore['commit']>>['events'];
  /** It took as many as it wanted. */
  readonly mayBeMore: boolean;
}

/** Nobody is there any more to hear of what was claimed. */
const gone = Symbol('the client is gone');

/** Undefined where the client is gone: then nothing is claimed. */
function createClaim({ commit }: ModuleCore, news: News) {
  return async (
    actor: Telling['actor'] & object,
    { types, workerId, max, leaseSeconds = defaultLeaseSeconds }: ClaimJobs,
    signal: AbortSignal | undefined,
  ): Promise<Claimed | undefined> => {
    if (signal?.aborted) return undefined;
    let after: (() => void)[] = [];
    try {
      const { value, events } = await commit(actor, async (tx, emit) => {
        after = [];
        const telling: Telling = { actor, emit, afterCommit: (run) => void after.push(run) };
        const rows = await changeJobs(tx, sql`id = ANY(ARRAY(${pickJobs(types, max)}))`, {
          status: 'running',
          attempts: sql`attempts + 1`,
          leaseId: sql`gen_random_uuid()`,
          leaseSeconds,
          leaseUntil: sql`now() + make_interval(secs => ${leaseSeconds})`,
          workerId,
          claimedBy: actor.userId,
          progress: null,
          progressAt: null,
          startedAt: sql`now()`,
        });
        rows.sort(
          (a, b) =>
            b.priority - a.priority || a.createdAt.getTime() - b.createdAt.getTime() || compare(a.id, b.id),
        );
        for (const row of rows) news.changed(telling, row);
        if (signal?.aborted) throw gone;
        const items = rows.map((row) => {
          const { leaseId, leaseUntil } = row;
          if (leaseId === null || leaseUntil === null) throw new Error('A job was claimed without a lease.');
          return { ...toJob(row), leaseId, leaseUntil: leaseUntil.toISOString() };
        });
        return { items };
      });
      for (const run of after) run();
      const { items } = value;
      // With several types, more were locked for the moment than were taken: others may have passed them over.
      const mayBeMore = items.length === max || (items.length > 0 && types.length > 1);
      return { items, events, mayBeMore };
    } catch (error) {
      if (error === gone) return undefined;
      throw error;
    }
  };
}

/**
 * The ids of the first of each type, by its index, and of those the first. Locked by then, which skips what others have
 * locked; what this locks beyond the limit, it lets go at COMMIT. To be put into ARRAY(…): that is computed once, where a join
 * might do it again for each row, and lock more every time.
 */
export const pickJobs = (types: readonly string[], max: number) => sql`
  SELECT picked.id FROM unnest(${sql.param([...types])}::text[]) AS asked(type) CROSS JOIN LATERAL (
    SELECT id, priority, created_at FROM jobs
    WHERE jobs.type = asked.type AND ${isClaimable} ORDER BY ${claimOrder} LIMIT ${max} FOR UPDATE SKIP LOCKED
  ) AS picked ORDER BY ${claimOrder} LIMIT ${max}`;
