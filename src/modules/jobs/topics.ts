// Where jobs are told of, and who may follow it: a job, the jobs of a user, and all of them for admins.

import { desc, eq, inArray, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { topicKind } from '../../realtime/index.ts';
import {
  AdminJobsState,
  events,
  JobState,
  JobStatus,
  maxCounted,
  maxListed,
  maxListedForAdmins,
  UserJobsState,
} from './contract.ts';
import { itemColumns, jobColumns, toFace, toRecord } from './rows.ts';
import { jobs } from './schema.ts';

/** `job:<id>`: for its owner, for its worker as long as it is one, and for admins. */
export const job = topicKind('job', {
  events,
  async findFollowable(db, actor, ids) {
    const rows = await db
      .select({ id: jobs.id, userId: jobs.userId, status: jobs.status, claimedBy: jobs.claimedBy })
      .from(jobs)
      .where(inArray(jobs.id, [...ids]));
    const mine = rows.filter(
      ({ userId, status, claimedBy }) =>
        actor.role === 'admin' ||
        userId === actor.userId ||
        (status === 'running' && claimedBy === actor.userId),
    );
    return new Set(mine.map(({ id }) => id));
  },
  snapshot: { schema: JobState, read: (tx, _actor, id) => readJobState(tx, id) },
});

/** `user:<id>:jobs`: for that user, and for admins. */
export const userJobs = topicKind('user-jobs', {
  name: { before: 'user:', after: ':jobs' },
  events,
  findFollowable: async (_db, actor, ids) =>
    new Set(ids.filter((id) => actor.role === 'admin' || id === actor.userId)),
  snapshot: { schema: UserJobsState, read: (tx, _actor, id) => readUserJobs(tx, id) },
});

/** Where a job is told of in order. */
export const topicsOf = ({ id, userId }: { readonly id: string; readonly userId: string }) =>
  [job.on(id), userJobs.on(userId)] as const;

/** `admin:jobs`: everything that happens to jobs, live alone. Were it in an order, all jobs would wait for one row. */
export const adminJobs = topicKind('admin-jobs', {
  name: { before: 'admin:jobs' },
  id: '',
  events,
  findFollowable: async (_db, actor, ids) => new Set(actor.role === 'admin' ? ids : []),
  snapshot: { schema: AdminJobsState, read: (tx) => readAllJobs(tx) },
});

export async function readJobState(db: Db, jobId: string): Promise<JobState> {
  const [row] = await db.select(jobColumns).from(jobs).where(eq(jobs.id, jobId));
  if (row === undefined) throw new AppError('forbidden', 'There is no such job.'); // deleted behind the check of the right
  return { job: toRecord(row), live: { progress: row.progress } };
}

export async function readUserJobs(db: Db, userId: string): Promise<UserJobsState> {
  const rows = await db
    .select(itemColumns)
    .from(jobs)
    .where(eq(jobs.userId, userId))
    .orderBy(desc(jobs.seq))
    .limit(maxListed);
  const progress = rows.flatMap(({ id, progress }) => (progress === null ? [] : [[id, progress] as const]));
  return { jobs: rows.map(toFace), live: { progress: Object.fromEntries(progress) } };
}

/** By status, counted so far and no further: there may be millions of them. */
export async function countJobs(db: Db): Promise<AdminJobsState['counts']> {
  const statuses = JobStatus.anyOf.map((one) => one.const);
  const counts = await queryRows<{ status: string; count: number }>(
    db,
    sql`
      SELECT asked.status, (
        SELECT count(*)::int FROM (SELECT 1 FROM jobs WHERE jobs.status = asked.status LIMIT ${maxCounted}) AS these
      ) AS count FROM unnest(${sql.param(statuses)}::text[]) AS asked(status)`,
  );
  return Object.fromEntries(counts.map(({ status, count }) => [status, count]));
}

async function readAllJobs(db: Db): Promise<AdminJobsState> {
  const counts = await countJobs(db);
  const rows = await db
    .select(itemColumns)
    .from(jobs)
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(maxListedForAdmins);
  return {
    counts,
    jobs: rows.map(toFace),
  };
}
