// What lists, events and states of many show of a job. Pure and browser-safe.

import { maxErrorShown } from './bounds.ts';
import type { JobFace } from './contract.ts';

/** Of a job, or of anything that has what a job has: only what a face shows. */
export function faceOf(job: JobFace): JobFace {
  return {
    id: job.id,
    userId: job.userId,
    type: job.type,
    priority: job.priority,
    status: job.status,
    error: job.error === null ? null : cut(job.error),
    attempts: job.attempts,
    maxAttempts: job.maxAttempts,
    runAt: job.runAt,
    workerId: job.workerId,
    claimedBy: job.claimedBy,
    createdAt: job.createdAt,
    startedAt: job.startedAt,
    finishedAt: job.finishedAt,
    updatedAt: job.updatedAt,
  };
}

/** Without half a pair at its end. */
const cut = (error: string): string => error.slice(0, maxErrorShown).replace(/[\ud800-\udbff]$/, '');
