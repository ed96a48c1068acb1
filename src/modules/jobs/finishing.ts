// How a job's attempt ends by its worker: completed, or failed and perhaps tried again. Both need the lease; of a worker and an
// owner who cancels, whoever commits first wins. Completing again says the same once more, for a worker that lost the answer.

import { and, eq, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { command } from '../../realtime/index.ts';
import { backoff } from './backoff.ts';
import { type Changed, changeJobs, type Happening, type News } from './changes.ts';
import { CompleteJob, FailJob, Job } from './contract.ts';
import { refuseLease } from './refusals.ts';
import type { Reports } from './reporting.ts';
import { jobColumns, toJob } from './rows.ts';
import { findDataProblem } from './rules.ts';
import { jobs } from './schema.ts';

const declared = {
  tag: 'Work',
  roles: ['worker', 'admin'],
  output: Job,
  refuses: ['not_found', 'conflict'],
} as const;

const fenced =
  'A lease that ran out counts as long as nobody claimed the job again. A `conflict` has the job’s status in its `details`.';

export const completeJob = (news: News, reports: Reports) =>
  command('job.complete', {
    ...declared,
    summary: 'Complete a job',
    description: `Again with the same lease and an equal result, it is answered again. ${fenced}`,
    http: 'POST /jobs/:jobId/complete',
    input: CompleteJob,
    check({ result }) {
      const problem = result === undefined ? undefined : findDataProblem(result, '/result');
      if (problem)
        throw new AppError('invalid', `The result cannot be kept. ${problem.message}.`, {
          fields: [problem],
        });
    },
    async run(context, { jobId, leaseId, result = null }) {
      const { tx } = context;
      const progress = reports.finish(jobId, leaseId);
      const json = sql`${JSON.stringify(result)}::jsonb`;
      const [row] = await changeJobs(tx, isUnfinished(jobId, leaseId), {
        status: 'completed',
        result: json,
        error: null,
        leaseUntil: null,
        finishedAt: sql`now()`,
        ...(progress && { progress }),
      });
      if (row === undefined) {
        const [same] = await tx
          .select(jobColumns)
          .from(jobs)
          .where(
            and(
              eq(jobs.id, jobId),
              eq(jobs.leaseId, leaseId),
              sql`status = 'completed' AND result = ${json}`,
            ),
          );
        if (same === undefined) throw await refuseLease(tx, jobId);
        return toJob(same);
      }
      news.changed(context, row, { type: 'job.completed', payload: { jobId, result } });
      return toJob(row);
    },
  });

export const failJob = (news: News, reports: Reports) =>
  command('job.fail', {
    ...declared,
    summary: 'Say that an attempt failed',
    description: `The job is tried again after a while, unless \`retry\` is false or it has been tried \`maxAttempts\` times. ${fenced}`,
    http: 'POST /jobs/:jobId/fail',
    input: FailJob,
    async run(context, { jobId, leaseId, error, retry = true }) {
      const progress = reports.finish(jobId, leaseId);
      const row = await endAttempt(context.tx, jobId, leaseId, { error, retry, progress });
      news.changed(context, row, failureOf(row, error));
      return toJob(row);
    },
  });

/** What is told of an attempt that failed. */
export function failureOf({ id: jobId, status, attempts, runAt }: Changed, error: string): Happening {
  const again = status === 'queued' && { willRetryAt: runAt.toISOString() };
  return { type: 'job.failed', payload: { jobId, error, attempts, ...again } };
}

async function endAttempt(
  tx: Db,
  jobId: string,
  leaseId: string,
  { error, retry, progress }: { error: string; retry: boolean; progress: ReturnType<Reports['finish']> },
): Promise<Changed> {
  const isLast = sql`(NOT ${retry}::boolean OR attempts >= max_attempts)`;
  const [row] = await changeJobs(tx, isUnfinished(jobId, leaseId), {
    status: sql`CASE WHEN ${isLast} THEN 'failed' ELSE 'queued' END`,
    runAt: sql`CASE WHEN ${isLast} THEN run_at ELSE now() + ${backoff} END`,
    finishedAt: sql`CASE WHEN ${isLast} THEN now() END`,
    error,
    leaseId: null,
    leaseUntil: null,
    ...(progress && { progress }),
  });
  if (row === undefined) throw await refuseLease(tx, jobId);
  return row;
}

/** Its lease is the last one that there was, be it that it ran out. */
const isUnfinished = (jobId: string, leaseId: string) =>
  sql`id = ${jobId} AND lease_id = ${leaseId} AND status IN ('running', 'queued')`;
