// The table of jobs: it is the queue. `seq` is that of the job's `job.created` on its owner's topic, so that the lists of a
// user have the order of the events.

import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, pgTable, text, timestamp, unique, uuid } from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { instant } from '../../db/columns.ts';
import type { JobStatus, Progress } from './contract.ts';

/** Whether a lease may run out: word for word the condition of its index. */
export const isLeased = sql`status = 'running'`;

export const jobs = pgTable(
  'jobs',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    type: text('type').notNull(),
    /** JSON `null` too, so it is written and read as text. */
    payload: jsonb('payload').notNull(),
    priority: integer('priority').notNull(),
    status: text('status').$type<JobStatus>().notNull(),
    progress: jsonb('progress').$type<Progress>(),
    /** When the stored progress was reported: what was reported before it comes too late. */
    progressAt: timestamp('progress_at', { withTimezone: true, mode: 'string' }),
    result: jsonb('result'),
    error: text('error'),
    attempts: integer('attempts').notNull(),
    maxAttempts: integer('max_attempts').notNull(),
    runAt: instant('run_at').notNull(),
    /**
     * Of the last claim. It stays when the lease runs out, and counts until the next claim; and when the job is completed, for
     * a worker that asks again. Whatever else ends it sets it to null.
     */
    leaseId: uuid('lease_id'),
    leaseSeconds: integer('lease_seconds'),
    leaseUntil: instant('lease_until'),
    workerId: text('worker_id'),
    // No foreign key: checking it, all claims of a busy user would lock that user's row.
    claimedBy: uuid('claimed_by'),
    createdAt: instant('created_at').notNull(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    unique('jobs_user_seq').on(table.userId, table.seq),
    // What is unfinished is counted by it, and a user's list of one status read.
    index('jobs_user_status').on(table.userId, table.status, table.seq),
    // The order of claims; with the time within, so that what is planned ahead is passed over without a look at its row.
    index('jobs_claim')
      .on(table.type, table.priority.desc().nullsFirst(), table.createdAt, table.id, table.runAt)
      .where(sql`status = 'queued'`),
    index('jobs_lease').on(table.leaseUntil).where(isLeased),
    // For admins: the newest of all, of one status, of one type; and how many of each status.
    index('jobs_newest').on(table.createdAt, table.id),
    index('jobs_status').on(table.status, table.createdAt, table.id),
    index('jobs_type').on(table.type, table.createdAt, table.id),
    // For pruning.
    index('jobs_finished').on(table.finishedAt, table.id).where(sql`finished_at IS NOT NULL`),
  ],
);
