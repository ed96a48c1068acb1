// How far workers have come. Each report asks the database whether the lease still stands, so that a worker learns of a cancel
// by its next one. Followers hear of it ten times a second at most, and it is stored, with a longer lease, once a second at
// most; the last report always is both. An instance that is killed loses at most the last second of it.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import {
  type Actor,
  type Answer,
  action,
  createAfterCommit,
  type ModuleCore,
  type Reporter,
} from '../../realtime/index.ts';
import { changeJobs, type News, type Telling } from './changes.ts';
import { conflate } from './conflate.ts';
import { type Progress, ReportProgress } from './contract.ts';
import { refuseLease } from './refusals.ts';
import { toProgress } from './rules.ts';
import { job, userJobs } from './topics.ts';

export const reportProgress = (reports: Reports) =>
  action('job.progress', {
    summary: 'Say how far a job has come, and keep it',
    description:
      'It renews the lease. A `conflict` says that the job is not the worker’s any more: `details.status` is `cancelled` ' +
      'where its owner cancelled it. Report as often as you like: followers hear of it ten times a second at most.',
    tag: 'Work',
    http: 'POST /jobs/:jobId/progress',
    roles: ['worker', 'admin'],
    input: ReportProgress,
    writes: 'sometimes',
    refuses: ['not_found', 'conflict'],
    start:
      () =>
      async ({ actor }, input) => ({ output: undefined, ...(await reports.report(actor, input)) }),
  });

export interface Reports {
  /** Throws `not_found`, and `conflict` where the lease is over. Answers events where it took up the job again. */
  report(actor: Actor, input: ReportProgress): Promise<Pick<Answer, 'events'>>;
  /** The job is about to end: what its worker reported last is told now, and answered where it is not stored yet. */
  finish(jobId: string, leaseId: string): Progress | undefined;
  /** Stores what is not stored yet. */
  stop(): Promise<void>;
}

const tellEveryMs = 100;
const storeEveryMs = 1_000;

interface Report {
  readonly jobId: string;
  readonly leaseId: string;
  readonly ownerId: string;
  readonly actor: Actor;
  readonly progress: Progress;
  /** By the clock of the database, as text: two instances may have reports of the same worker. */
  readonly at: string;
}

export function createReports(core: ModuleCore, news: News): Reports {
  const { db, announce, reporter } = core;
  const takeUp = createTakeUp(core, news);
  const storing = new Set<Promise<void>>();
  const told = conflate<Report>(tellEveryMs, ({ jobId, ownerId, actor, progress }) => {
    const payload = { jobId, ...progress };
    announce(job.on(jobId), 'job.progress', payload, { actor });
    announce(userJobs.on(ownerId), 'job.progress', payload, { actor });
  });
  const stored = conflate<Report>(storeEveryMs, (report) => {
    const done = store(db, report, reporter).finally(() => storing.delete(done));
    storing.add(done);
  });

  return {
    async report(actor, { jobId, leaseId, current, total, message }) {
      const progress = toProgress(current, total, message);
      const key = `${jobId} ${leaseId}`;
      const isFirst = !stored.isOpen(key);
      const standing = isFirst ? renew(jobId, leaseId, progress) : ask(jobId, leaseId);
      const [found] = await queryRows<{ owner: string; at: string }>(db, standing);
      if (found === undefined) return await takeUp(actor, jobId, leaseId, progress);
      const report = { jobId, leaseId, ownerId: found.owner, actor, progress, at: found.at };
      if (isFirst) stored.begin(key);
      else stored.put(key, report);
      told.put(key, report);
      return {};
    },
    finish(jobId, leaseId) {
      const key = `${jobId} ${leaseId}`;
      const untold = told.take(key);
      if (untold !== undefined) told.put(key, untold);
      return stored.take(key)?.progress;
    },
    async stop() {
      told.flush();
      stored.flush();
      await Promise.all(storing);
    },
  };
}

/** A lease that ran out counts as long as nobody took the job over: then the worker goes on with the same attempt. */
function createTakeUp({ commit, announce, reporter }: ModuleCore, news: News) {
  return async (actor: Actor, jobId: string, leaseId: string, progress: Progress) => {
    const after = createAfterCommit(reporter);
    const { value, events } = await commit(actor, async (tx, emit) => {
      after.begin();
      const telling: Telling = { actor, emit, afterCommit: after.add };
      const which = sql`id = ${jobId} AND lease_id = ${leaseId} AND status IN ('queued', 'running')`;
      const [row] = await changeJobs(tx, which, {
        status: 'running',
        progress,
        progressAt: sql`clock_timestamp()`,
        leaseUntil: sql`now() + make_interval(secs => lease_seconds)`,
      });
      if (row === undefined) throw await refuseLease(tx, jobId);
      if (row.previous !== 'running') news.changed(telling, row);
      return { ownerId: row.userId };
    });
    after.runAll();
    const payload = { jobId, ...progress };
    for (const topic of [job.on(jobId), userJobs.on(value.ownerId)]) {
      announce(topic, 'job.progress', payload, { actor });
    }
    return { events };
  };
}

/** The lease stands, and for longer now. */
const renew = (jobId: string, leaseId: string, progress: Progress): SQL => sql`
  UPDATE jobs SET progress = ${JSON.stringify(progress)}::jsonb, progress_at = clock_timestamp(),
    lease_until = now() + make_interval(secs => lease_seconds)
  WHERE ${isHeld(jobId, leaseId)} RETURNING user_id AS owner, clock_timestamp()::text AS at`;

/** The lease stands. */
const ask = (jobId: string, leaseId: string): SQL =>
  sql`SELECT user_id AS owner, clock_timestamp()::text AS at FROM jobs WHERE ${isHeld(jobId, leaseId)}`;

async function store(db: Db, report: Report, reporter: Pick<Reporter, 'report'>): Promise<void> {
  const { jobId, leaseId, progress } = report;
  const at = sql`${report.at}::timestamptz`;
  try {
    await db.execute(sql`
      UPDATE jobs SET progress = ${JSON.stringify(progress)}::jsonb, progress_at = ${at},
        lease_until = now() + make_interval(secs => lease_seconds)
      WHERE ${isHeld(jobId, leaseId)} AND (progress_at IS NULL OR progress_at < ${at})`);
  } catch (error) {
    reporter.report(error, `storing the progress of ${jobId}`);
  }
}

const isHeld = (jobId: string, leaseId: string): SQL =>
  sql`id = ${jobId} AND lease_id = ${leaseId} AND status = 'running'`;
