// pg-boss on Node and PostgreSQL. Its own `work` looks at the queue twice a second at most, so these workers ask by
// themselves, with its `fetch`; a batch is completed in one statement, as `work` does.

import { setTimeout as sleep } from 'node:timers/promises';
import PgBoss from 'pg-boss';
import { crew, startProducers } from './crew.mjs';

const boss = new PgBoss({
  connectionString: process.env.DATABASE_URL,
  max: crew.producers * crew.inFlight + crew.workers,
});
await boss.start();
await boss.createQueue('bench');
const { completed, fail } = startProducers((payload) => boss.send('bench', payload));
boss.on('error', fail);

const work = async () => {
  for (;;) {
    const jobs = await boss.fetch('bench', { batchSize: 50 });
    if (jobs.length === 0) {
      await sleep(10);
      continue;
    }
    await boss.complete(
      'bench',
      jobs.map(({ id }) => id),
      { done: true },
    );
    for (const { data } of jobs) completed(data);
  }
};
for (let one = 0; one < crew.workers; one += 1) work().catch(fail);
