// How a job's attempt ends by its worker: completed, or failed and perhaps tried again. Both need the lease; of a worker and an
// owner who cancels, whoever commits first wins. Completing again says the same once more, for a worker that lost the answer.

import { sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { toOrderedJson } from '../../protocol/json.ts';
import { batched, command } from '../../realtime/index.ts';
import { backoff } from './backoff.ts';
import { type Changed, changeJobs, type Happening, type News } from './changes.ts';
import { CompleteJob, FailJob, Job, type Progress } from './contract.ts';
import { changeHeld, holdJobs, maxBatch, writeHeld } from './holding.ts';
import { leaseOver, noJob, refuseLease } from './refusals.ts';
import type { Reports } from './reporting.ts';
import { toJob } from './rows.ts';
import { findDataProblem } from './rules.ts';
import { topicsOf } from './topics.ts';

const declared = {
  tag: 'Work',
  roles: ['worker', 'admin'],
  output: Job,
  refuses: ['not_found', 'conflict'],
} as const;

const fenced =
  'A lease that ran out counts as long as nobody claimed the job again. A `conflict` has the job’s status in its `details`.';

export const completeJob = (news: News, reports: Reports) =>
  batched('job.complete', {
    ...declared,
    summary: 'Complete a job',
    description: `Again with the same lease and an equal result, it is answered again. ${fenced}`,
    http: 'POST /jobs/:jobId/complete',
    input: CompleteJob,
    maxBatch,
    check({ result }) {
      const problem = result === undefined ? undefined : findDataProblem(result, '/result');
      if (problem)
        throw new AppError('invalid', `The result cannot be kept. ${problem.message}.`, {
          fields: [problem],
        });
    },
    draft(_actor, { jobId, leaseId, result = null }): Completion {
      return { jobId, leaseId, result, progress: reports.finish(jobId, leaseId) };
    },
    async find(tx, items, lock) {
      const held = await holdJobs(
        tx,
        items.map(({ input }) => input.jobId),
      );
      const found = items.map(({ input }) => held.get(input.jobId));
      await lock(found.map((one) => (one === undefined ? [] : topicsOf(one.row))));
      return found;
    },
    decide({ actor, input }, held, context) {
      const { jobId, leaseId, result, progress } = input;
      if (held === undefined) return noJob();
      const { status, leaseId: lastLeaseId, result: lastResult } = held.row;
      if (leaseId === lastLeaseId && status === 'completed' && isSameJson(lastResult, result))
        return { value: toJob(held.row) };
      if (leaseId !== lastLeaseId || (status !== 'running' && status !== 'queued')) return leaseOver(status);
      const row = changeHeld(held, {
        status: 'completed',
        result: JSON.stringify(result),
        error: null,
        leaseUntil: null,
        finishedAt: held.at,
        ...(progress && { progress }),
      });
      news.changed({ actor, ...context }, row, { type: 'job.completed', payload: { jobId, result } });
      return { value: toJob(row), row };
    },
    write: (rows) => [writeHeld(rows)],
  });

/** What a worker says of a job that is done. */
interface Completion {
  readonly jobId: string;
  readonly leaseId: string;
  readonly result: unknown;
  /** What was reported last, where it is not stored yet. */
  readonly progress: Progress | undefined;
}

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

/** As values, whatever the order of keys: kept as jsonb, the text is not what was sent. */
const isSameJson = (kept: string | null, result: unknown): boolean =>
  kept !== null && toOrderedJson(JSON.parse(kept)) === toOrderedJson(result);
