// The states of `job:<id>` and `user:<id>:jobs`, and how each event changes them. Pure and browser-safe.
// The law: apply over the durable events between two snapshots turns the first into the second, but for `live`.
//
// Jobs are deleted without an event, but never one of the newest 50 of its owner: so no list of these ever loses one but to
// a newer one, and one that is deleted cannot come back.

import { maxListed } from './bounds.ts';
import type { JobEvent, JobState, Progress, ProgressEvent, UserJobsState } from './contract.ts';
import { faceOf } from './face.ts';

export type { JobState, UserJobsState };

/** The state of `job:<id>` behind the event. */
export function applyJob(state: JobState, event: JobEvent | ProgressEvent): JobState {
  const { job, live } = state;
  switch (event.type) {
    case 'job.created':
      return { job: event.payload.job, live: { progress: null } };
    case 'job.status': {
      // Its face has the beginning of the error; `job.failed` has brought all of it.
      const { job: face, status, previous } = event.payload;
      const error = face.error === null ? null : job.error;
      const progress = isNewAttempt(status, previous) ? null : live.progress;
      return { job: { ...job, ...face, error }, live: { progress } };
    }
    case 'job.completed':
      return { job: { ...job, result: event.payload.result }, live };
    case 'job.failed':
      return { job: { ...job, error: event.payload.error }, live };
    case 'job.progress':
      return job.status === 'running' ? { job, live: { progress: progressOf(event) } } : state;
    default:
      return state;
  }
}

/** The state of `user:<id>:jobs` behind the event. */
export function applyUserJobs(state: UserJobsState, event: JobEvent | ProgressEvent): UserJobsState {
  const { jobs, live } = state;
  switch (event.type) {
    case 'job.created': {
      const newest = [faceOf(event.payload.job), ...jobs].slice(0, maxListed);
      const ids = new Set(newest.map(({ id }) => id));
      return { jobs: newest, live: { progress: keep(live.progress, (id) => ids.has(id)) } };
    }
    case 'job.status': {
      const { jobId, job: face, status, previous } = event.payload;
      const progress = isNewAttempt(status, previous)
        ? keep(live.progress, (id) => id !== jobId)
        : live.progress;
      return { jobs: jobs.map((job) => (job.id === jobId ? face : job)), live: { progress } };
    }
    case 'job.progress': {
      const { jobId } = event.payload;
      if (jobs.find(({ id }) => id === jobId)?.status !== 'running') return state;
      return { jobs, live: { progress: { ...live.progress, [jobId]: progressOf(event) } } };
    }
    default:
      return state;
  }
}

/** What was reported of an earlier one says nothing any more. */
const isNewAttempt = (status: string, previous: string): boolean =>
  status === 'running' || (status === 'queued' && previous !== 'running');

const keep = (progress: Readonly<Record<string, Progress>>, isKept: (jobId: string) => boolean) =>
  Object.fromEntries(Object.entries(progress).filter(([jobId]) => isKept(jobId)));

function progressOf({ payload: { current, total, percentage, message } }: ProgressEvent): Progress {
  return { current, total, percentage, message };
}
