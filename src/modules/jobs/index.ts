// The jobs module: work that users ask for, and that workers in any language do.

import { defineModule } from '../../realtime/index.ts';
import { listAllJobs } from './admins.ts';
import { createNews } from './changes.ts';
import { claimJobs, findReady } from './claiming.ts';
import { events, maxCounted } from './contract.ts';
import { createJob } from './creating.ts';
import { completeJob, failJob } from './finishing.ts';
import { jobLease } from './leases.ts';
import { cancelJob, cancelJobsOf, getJob, listJobs, retryJob } from './owning.ts';
import { startPruning } from './pruning.ts';
import { createReports, reportProgress } from './reporting.ts';
import { adminJobs, countJobs, job, userJobs } from './topics.ts';
import { createWaiting } from './waiting.ts';

export const jobsModule = defineModule('jobs', {
  topicKinds: [job, userJobs, adminJobs],
  events,
  tags: {
    Jobs: 'Work that users ask for, and what becomes of it',
    Work: 'For workers: claim jobs, and say what becomes of them',
  },
  onUserDeleted: (core) => cancelJobsOf(createNews(core)),
  timed: (core) => [jobLease(createNews(core))],
  readings: (db) => [
    {
      name: 'carillon_jobs',
      help: `Jobs in the database, by status; ${maxCounted} stands for that many or more`,
      type: 'gauge',
      read: async () =>
        Object.entries(await countJobs(db)).map(([status, value]) => ({ labels: { status }, value })),
    },
  ],
  operations(core) {
    const { db, draining, reporter, onStop } = core;
    const news = createNews(core);
    const reports = createReports(core, news);
    const waiting = createWaiting({ findReady: (types) => findReady(db, types), draining, reporter });
    onStop(reports.stop);
    onStop(waiting.stop);
    onStop(startPruning(db, reporter));
    return [
      createJob(news, waiting),
      listJobs,
      getJob,
      claimJobs(news, waiting),
      reportProgress(reports),
      completeJob(news, reports),
      failJob(news, reports),
      cancelJob(news),
      retryJob(news, waiting),
      listAllJobs,
    ];
  },
});
