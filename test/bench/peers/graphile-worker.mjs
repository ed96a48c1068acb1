// graphile-worker on Node and PostgreSQL: a pool of connections, a task, and as many of them at once as there are workers.

import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { crew, startProducers } from './crew.mjs';

const atOnce = crew.workers * crew.inFlight;
const logger = new Logger(() => () => {});
const connect = (max) => new pg.Pool({ connectionString: process.env.DATABASE_URL, max });
const utils = await makeWorkerUtils({ pgPool: connect(crew.producers * crew.inFlight), logger });
await utils.migrate();
const { completed, fail } = startProducers((payload) => utils.addJob('job', payload));

const runner = await run({
  pgPool: connect(atOnce + 2),
  concurrency: atOnce,
  logger,
  noHandleSignals: true,
  taskList: { job: async () => {} },
});
// `job:complete` comes when its row is away.
runner.events.on('job:complete', ({ job, error }) => (error ? fail(error) : completed(job.payload)));
