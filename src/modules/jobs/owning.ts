// What users do with their own jobs: create, look, cancel, try again. Whoever's job it is not, finds none.

import { Type } from '@sinclair/typebox';
import { and, desc, eq, lt, type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { type CommandContext, command, type OnUserDeleted, query } from '../../realtime/index.ts';
import { changeJobs, type News } from './changes.ts';
import {
  CreateJob,
  defaultMaxAttempts,
  Job,
  JobPage,
  type JobRecord,
  ListJobs,
  maxAheadDays,
  maxUnfinished,
  NameJob,
} from './contract.ts';
import { noSuchJob, refuseOwner } from './refusals.ts';
import { itemColumns, jobColumns, thisMoment, toItem, toJob } from './rows.ts';
import { findDataProblem, findInstantProblem } from './rules.ts';
import { jobs } from './schema.ts';
import { userJobs } from './topics.ts';
import type { Waiting } from './waiting.ts';

const tag = 'Jobs';

export const createJob = (news: News, waiting: Pick<Waiting, 'ring'>) =>
  command('job.create', {
    summary: 'Create a job for a worker',
    description: `A user has at most ${maxUnfinished} jobs that are not finished.`,
    tag,
    http: 'POST /jobs',
    takesKey: true,
    input: CreateJob,
    output: Job,
    refuses: ['conflict'],
    check({ payload, runAt }) {
      const problem = findDataProblem(payload, '/payload') ?? findInstantProblem(runAt, '/runAt');
      if (problem)
        throw new AppError('invalid', `The job cannot be created. ${problem.message}.`, {
          fields: [problem],
        });
    },
    async run(context, input) {
      const { actor, emit, tx, afterCommit } = context;
      // It locks the topic: whatever else the user creates waits, so that nobody passes the limit.
      const seq = await emit.seqOf(userJobs.on(actor.userId));
      const record = await addJob(tx, actor.userId, seq, input);
      news.created(context, record);
      afterCommit(() => waiting.ring([record.type]));
      return { ...record, progress: null };
    },
  });

export const listJobs = query('job.list', {
  summary: 'My jobs, newest first',
  tag,
  http: 'GET /jobs',
  input: ListJobs,
  output: JobPage,
  async run({ actor, db }, { status, type, limit = defaultPageSize, cursor }) {
    const after = readCursor(Position, cursor);
    const rows = await db
      .select(itemColumns)
      .from(jobs)
      .where(
        and(
          eq(jobs.userId, actor.userId),
          status && eq(jobs.status, status),
          type === undefined ? undefined : eq(jobs.type, type),
          after && lt(jobs.seq, after[0]),
        ),
      )
      .orderBy(desc(jobs.seq))
      .limit(limit + 1);
    return toPage(rows, limit, ({ seq }) => [seq], toItem);
  },
});

export const getJob = query('job.get', {
  summary: 'A job of mine',
  description: 'With its payload and its result. Admins see those of others, too.',
  tag,
  http: 'GET /jobs/:jobId',
  input: NameJob,
  output: Job,
  refuses: ['not_found'],
  async run({ actor, db }, { jobId }) {
    const [row] = await db.select(jobColumns).from(jobs).where(eq(jobs.id, jobId));
    if (row === undefined || (row.userId !== actor.userId && actor.role !== 'admin')) throw noSuchJob();
    return toJob(row);
  },
});

const changing = {
  tag,
  input: NameJob,
  output: Job,
  refuses: ['not_found', 'conflict'],
} as const;

export const cancelJob = (news: News) =>
  command('job.cancel', {
    ...changing,
    summary: 'Cancel a job of mine',
    description:
      'Final at once: its worker learns of it by what it says next. A `conflict` has the job in its `details`: it was over already.',
    http: 'POST /jobs/:jobId/cancel',
    async run(context, { jobId }) {
      const { actor, tx } = context;
      const which = sql`${isMine(jobId, actor.userId)} AND status IN ('queued', 'running')`;
      const [row] = await changeJobs(tx, which, cancelled);
      if (row === undefined) throw await refuseOwner(tx, actor.userId, jobId, 'queued or running');
      news.changed(context, row, { type: 'job.cancelled', payload: { jobId } });
      return toJob(row);
    },
  });

/** Whatever a deleted user has not finished is cancelled. What they work on for others runs out with its lease. */
export const cancelJobsOf =
  (news: News): OnUserDeleted =>
  async (context) => {
    const which = sql`user_id = ${context.actor.userId} AND status IN ('queued', 'running')`;
    for (const row of await changeJobs(context.tx, which, cancelled)) {
      news.changed(context, row, { type: 'job.cancelled', payload: { jobId: row.id } });
    }
  };

const cancelled = { status: 'cancelled' as const, leaseId: null, leaseUntil: null, finishedAt: sql`now()` };

export const retryJob = (news: News, waiting: Pick<Waiting, 'ring'>) =>
  command('job.retry', {
    ...changing,
    summary: 'Queue a job of mine again that failed or was cancelled',
    description:
      'The same job, and as if it had never been tried. A `conflict` has the job in its `details`.',
    http: 'POST /jobs/:jobId/retry',
    async run(context, { jobId }) {
      const { actor, tx, afterCommit } = context;
      const which = sql`${isMine(jobId, actor.userId)} AND status IN ('failed', 'cancelled')`;
      const [row] = await changeJobs(tx, which, {
        status: 'queued',
        attempts: 0,
        error: null,
        progress: null,
        runAt: thisMoment,
        leaseId: null,
        leaseUntil: null,
        workerId: null,
        claimedBy: null,
        startedAt: null,
        finishedAt: null,
      });
      if (row === undefined) throw await refuseOwner(tx, actor.userId, jobId, 'failed or cancelled');
      await requireRoom(context);
      news.changed(context, row);
      afterCommit(() => waiting.ring([row.type]));
      return toJob(row);
    },
  });

/** The seq on the owner's topic. */
const Position = Type.Tuple([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })]);

const isMine = (jobId: string, userId: string) => sql`id = ${jobId} AND user_id = ${userId}`;

/** How many of the user's jobs are unfinished, as far as it matters. */
const countUnfinished = (userId: string, upTo: number): SQL => sql`(
  SELECT count(*)::int FROM (
    SELECT 1 FROM jobs WHERE user_id = ${userId} AND status IN ('queued', 'running') LIMIT ${upTo}
  ) AS unfinished)`;

/** With the one that was queued again in this transaction, they are no more than there may be. */
async function requireRoom({ actor: { userId }, emit, tx }: CommandContext): Promise<void> {
  await emit.seqOf(userJobs.on(userId));
  const [row] = await queryRows<{ count: number }>(
    tx,
    sql`SELECT ${countUnfinished(userId, maxUnfinished + 1)} AS count`,
  );
  if (row === undefined || row.count > maxUnfinished) throw tooMany();
}

/** Adds the job of a user whose topic is locked. Throws `conflict` over the limit, and `invalid` where `runAt` is too far ahead. */
async function addJob(tx: Db, userId: string, seq: number, input: CreateJob): Promise<JobRecord> {
  const { type, payload, priority = 0, runAt, maxAttempts = defaultMaxAttempts } = input;
  const id = Bun.randomUUIDv7();
  const count = countUnfinished(userId, maxUnfinished);
  const isNear = sql`(run_at IS NULL OR run_at <= at + make_interval(days => ${maxAheadDays}))`;
  const asked = sql`(SELECT ${thisMoment} AS at, ${runAt ?? null}::timestamptz AS run_at) AS asked`;
  const [added] = await queryRows<{ at_ms: number; run_at_ms: number }>(
    tx,
    sql`
      INSERT INTO jobs (id, user_id, seq, type, payload, priority, status, attempts, max_attempts, run_at, created_at, updated_at)
      SELECT ${id}::uuid, ${userId}::uuid, ${seq}::bigint, ${type}, ${JSON.stringify(payload)}::jsonb, ${priority}::int, 'queued',
        0, ${maxAttempts}::int, greatest(at, run_at), at, at
      FROM ${asked} WHERE ${count} < ${maxUnfinished} AND ${isNear}
      RETURNING floor(extract(epoch FROM created_at) * 1000)::float8 AS at_ms,
        floor(extract(epoch FROM run_at) * 1000)::float8 AS run_at_ms`,
  );
  if (added === undefined) throw await refuseCreation(tx, userId);
  const at = new Date(added.at_ms).toISOString();
  return {
    id,
    userId,
    type,
    priority,
    status: 'queued',
    error: null,
    attempts: 0,
    maxAttempts,
    runAt: new Date(added.run_at_ms).toISOString(),
    workerId: null,
    claimedBy: null,
    createdAt: at,
    startedAt: null,
    finishedAt: null,
    updatedAt: at,
    payload,
    result: null,
  };
}

async function refuseCreation(tx: Db, userId: string): Promise<AppError> {
  const [row] = await queryRows<{ count: number }>(
    tx,
    sql`SELECT ${countUnfinished(userId, maxUnfinished)} AS count`,
  );
  if (row !== undefined && row.count >= maxUnfinished) return tooMany();
  const message = `Expected an instant at most ${maxAheadDays} days ahead`;
  return new AppError('invalid', `${message}, by the clock of the server.`, {
    fields: [{ path: '/runAt', message }],
  });
}

const tooMany = () =>
  new AppError(
    'conflict',
    `A user has at most ${maxUnfinished} jobs that are not finished. Wait for some, or cancel them.`,
  );
