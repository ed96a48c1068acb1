// What users do with their own jobs: look, cancel, try again. Whoever's job it is not, finds none.

import { Type } from '@sinclair/typebox';
import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { type CommandContext, command, type OnUserDeleted, query } from '../../realtime/index.ts';
import { changeJobs, type News } from './changes.ts';
import { Job, JobPage, ListJobs, maxUnfinished, NameJob } from './contract.ts';
import { noSuchJob, refuseOwner, tooMany } from './refusals.ts';
import { readRooms } from './rooms.ts';
import { itemColumns, jobColumns, thisMoment, toItem, toJob } from './rows.ts';
import { jobs } from './schema.ts';
import { userJobs } from './topics.ts';
import type { Waiting } from './waiting.ts';

const tag = 'Jobs';

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

/** With the one that was queued again in this transaction, they are no more than there may be. */
async function requireRoom({ actor: { userId }, emit, tx }: CommandContext): Promise<void> {
  await emit.seqOf(userJobs.on(userId));
  const [room] = await readRooms(tx, [userId]);
  if (room === undefined || room.unfinished > maxUnfinished) throw tooMany();
}
