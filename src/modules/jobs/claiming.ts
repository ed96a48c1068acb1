// How workers get jobs: the oldest of the highest priority, each job once. Claims that come together are one transaction, and
// share what there is; whoever finds nothing waits without holding a connection.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { action, type BatchItem, type BatchWork } from '../../realtime/index.ts';
import type { News } from './changes.ts';
import { type ClaimedJob, ClaimedJobs, ClaimJobs, defaultLeaseSeconds, maxWaitSeconds } from './contract.ts';
import { changeHeld, type HeldJob, holdJobs, writeHeld } from './holding.ts';
import { type JobRow, toJob } from './rows.ts';
import { topicsOf } from './topics.ts';
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
      const claim = core.createBatch(claimTogether(news, waiting));
      return async ({ actor, signal }, input) => {
        const seeker = waiting.enter(input.types, input.waitSeconds * 1_000, signal);
        try {
          do {
            const { value, events } = await claim({ actor, input, signal, request: undefined });
            if (value.items.length > 0) return { output: value, events };
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

/** Claims that come together share what there is: a claim may bring 50 jobs, of 64 KiB each. */
const maxClaims = 10;

interface Claim extends BatchItem {
  readonly input: ClaimJobs;
  /** Aborted when nobody is there any more to hear of what was claimed. */
  readonly signal: AbortSignal | undefined;
}

const claimTogether = (
  news: News,
  waiting: Pick<Waiting, 'ring'>,
): BatchWork<Claim, readonly HeldJob[], readonly JobRow[], ClaimedJobs> => ({
  maxBatch: maxClaims,
  async find(tx, claims, lock) {
    const picked = await queryRows<Picked>(tx, pickJobs(...wantedBy(claims.filter(isThere))));
    const hands = dealJobs(claims, picked);
    const [held] = await Promise.all([
      holdJobs(
        tx,
        hands.flatMap((hand) => hand.map(({ id }) => id)),
      ),
      lock(hands.map((hand) => hand.flatMap(({ id, user_id: userId }) => topicsOf({ id, userId })))),
    ]);
    return hands.map((hand) => hand.flatMap(({ id }) => held.get(id) ?? []));
  },
  decide({ actor, input, signal }, hand, { emit, afterCommit }) {
    const { types, max, workerId, leaseSeconds = defaultLeaseSeconds } = input;
    if (signal?.aborted) return { value: { items: [] } };
    const rows = hand.map((held) => {
      const row = changeHeld(held, {
        status: 'running',
        attempts: held.row.attempts + 1,
        leaseId: crypto.randomUUID(),
        leaseSeconds,
        leaseUntil: new Date(held.at.getTime() + leaseSeconds * 1_000),
        workerId,
        claimedBy: actor.userId,
        progress: null,
        progressAt: null,
        startedAt: held.at,
      });
      news.changed({ actor, emit, afterCommit }, row);
      return row;
    });
    // There may be more; or, with several types, more were locked for the moment than were taken: others passed them over.
    if (rows.length === max || (rows.length > 0 && types.length > 1)) afterCommit(() => waiting.ring(types));
    return { value: { items: rows.map(toClaimed) }, row: rows.length === 0 ? undefined : rows };
  },
  write: (rows) => [writeHeld(rows.flat())],
});

const isThere = ({ signal }: Claim): boolean => signal?.aborted !== true;

/** All types that the claims want, and how many of one at most. */
function wantedBy(claims: readonly Claim[]): [string[], number] {
  const counts = new Map<string, number>();
  for (const { input } of claims)
    for (const type of input.types) counts.set(type, (counts.get(type) ?? 0) + input.max);
  return [[...counts.keys()], Math.max(0, ...counts.values())];
}

/** The jobs in their order, each to the next claim in turn that wants one of its type: so nobody gets all, and others none. */
function dealJobs(claims: readonly Claim[], picked: readonly Picked[]): Picked[][] {
  const hands = claims.map((): Picked[] => []);
  const seats = claims.map((claim, index) => ({
    claim,
    hand: hands[index] ?? [],
    types: new Set(claim.input.types),
  }));
  const waiting = seats.filter(({ claim }) => isThere(claim));
  for (const job of picked) {
    const turn = waiting.findIndex(
      ({ types, hand, claim }) => types.has(job.type) && hand.length < claim.input.max,
    );
    const [seat] = turn < 0 ? [] : waiting.splice(turn, 1);
    if (seat === undefined) continue;
    seat.hand.push(job);
    waiting.push(seat);
  }
  return hands;
}

const toClaimed = (row: JobRow): ClaimedJob => {
  const { leaseId, leaseUntil } = row;
  if (leaseId === null || leaseUntil === null) throw new Error('A job was claimed without a lease.');
  return { ...toJob(row), leaseId, leaseUntil: leaseUntil.toISOString() };
};

interface Picked {
  readonly id: string;
  readonly user_id: string;
  readonly type: string;
}

/**
 * The first of each type, by its index, in the order in which they are given out. Locked by then, which skips what others have
 * locked; what this locks beyond what is taken, it lets go at COMMIT.
 */
export const pickJobs = (types: readonly string[], max: number) => sql`
  SELECT picked.id, user_id, picked.type FROM unnest(${sql.param([...types])}::text[]) AS asked(type) CROSS JOIN LATERAL (
    SELECT id, user_id, type, priority, created_at FROM jobs
    WHERE jobs.type = asked.type AND ${isClaimable} ORDER BY ${claimOrder} LIMIT ${max} FOR UPDATE SKIP LOCKED
  ) AS picked ORDER BY ${claimOrder}`;
