// Why a job cannot be changed as somebody wants it, asked behind the statement that changed nothing.

import { and, eq } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { type JobStatus, maxUnfinished } from './contract.ts';
import { itemColumns, toItem } from './rows.ts';
import { jobs } from './schema.ts';

export const noSuchJob = () => new AppError('not_found', 'There is no such job among yours.');

export const tooMany = () =>
  new AppError(
    'conflict',
    `A user has at most ${maxUnfinished} jobs that are not finished. Wait for some, or cancel them.`,
  );

/** For a worker whose lease is another one, or over; a `conflict` says how the job is. */
export async function refuseLease(db: Db, jobId: string): Promise<AppError> {
  const [row] = await db.select({ status: jobs.status }).from(jobs).where(eq(jobs.id, jobId));
  return row === undefined ? noJob() : leaseOver(row.status);
}

export const noJob = () => new AppError('not_found', 'There is no such job.');

export function leaseOver(status: JobStatus): AppError {
  const message =
    status === 'running' || status === 'queued'
      ? `This lease is not the job’s any more: the job is ${status}. Stop working on it.`
      : `The job is ${status} already. Stop working on it.`;
  return new AppError('conflict', message, { details: { status } });
}

/** For its owner; a `conflict` shows the job. */
export async function refuseOwner(
  db: Db,
  userId: string,
  jobId: string,
  expected: string,
): Promise<AppError> {
  const [row] = await db
    .select(itemColumns)
    .from(jobs)
    .where(and(eq(jobs.id, jobId), eq(jobs.userId, userId)));
  if (row === undefined) return noSuchJob();
  return new AppError('conflict', `Expected a job that is ${expected}; this one is ${row.status}.`, {
    details: toItem(row),
  });
}
