// Workers that went silent: their lease runs out, by the clock of the database. The job goes back to the queue, or fails where it
// was tried often enough. The lease stays with the row: until somebody claims the job, the worker may come back.
// Nobody calls `wakeIn`: a lease is 5 s long at least, and the clockwork looks at least once a second.

import { inArray, sql } from 'drizzle-orm';
import { timed } from '../../realtime/index.ts';
import { backoff } from './backoff.ts';
import { changeJobs, type News } from './changes.ts';
import { failureOf } from './finishing.ts';
import { isLeased, jobs } from './schema.ts';

/** What `error` says then. */
export const leaseRanOut = 'The lease ran out: the worker was not heard of in time.';

export const jobLease = (news: News) =>
  timed('job.lease', {
    table: jobs,
    id: jobs.id,
    dueAt: jobs.leaseUntil,
    isOpen: isLeased,
    async run({ tx, emit, afterCommit }, ids) {
      const isLast = sql`attempts >= max_attempts`;
      const rows = await changeJobs(tx, sql`${inArray(jobs.id, [...ids])}`, {
        status: sql`CASE WHEN ${isLast} THEN 'failed' ELSE 'queued' END`,
        runAt: sql`CASE WHEN ${isLast} THEN run_at ELSE now() + ${backoff} END`,
        finishedAt: sql`CASE WHEN ${isLast} THEN now() END`,
        error: sql`CASE WHEN ${isLast} THEN ${leaseRanOut} ELSE error END`,
        leaseUntil: null,
      });
      for (const row of rows) {
        const as = row.status === 'failed' ? failureOf(row, leaseRanOut) : undefined;
        news.changed({ actor: undefined, emit, afterCommit }, row, as);
      }
    },
  });
