// An instance that is frozen for longer than a lease, with a completion on its way: it comes too late, and is told so.

import { expect, test } from 'bun:test';
import { jobTopic } from '../../../src/modules/jobs/contract.ts';
import { spawnServer } from '../../support/process.ts';
import { onEachDatabase } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  claimOne,
  create,
  endBackoff,
  eventsOf,
  leaseOf,
  refusalOf,
  registerWorker,
  stored,
} from './setup.ts';

onEachDatabase('a frozen instance', (open, database) => {
  if (database.kind === 'embedded') return; // it has one instance only

  test('its late completion is a conflict, and the other worker’s result stands', async () => {
    const env = await database.create();
    const server = await open(env);
    const [ann, worker] = [await server.register('Ann'), await registerWorker(server)];
    const frozen = await spawnServer(env);
    const job = await create(server, ann);
    const lost = await claimOne(server, worker, { leaseSeconds: 5 });
    process.kill(frozen.pid, 'SIGSTOP');
    const late = frozen.request('POST', `/v1/jobs/${job.id}/complete`, {
      token: worker.accessToken,
      body: { ...leaseOf(lost), result: 'late' },
    });
    await until(async () => (await stored(server, job)).status === 'queued', 'the lease runs out');
    await endBackoff(server, job);
    const second = await claimOne(server, worker);
    process.kill(frozen.pid, 'SIGCONT');
    expect(refusalOf(await late)).toEqual([409, 'conflict', { status: 'running' }]);
    const { status } = await server.request('POST', `/v1/jobs/${job.id}/complete`, {
      token: worker.accessToken,
      body: { ...leaseOf(second), result: 'second' },
    });
    expect([status, (await stored(server, job)).result]).toEqual([200, 'second']);
    const ends = (await eventsOf(server, jobTopic(job.id))).filter(({ type }) => type === 'job.completed');
    expect(ends.map(({ payload }) => payload.result)).toEqual(['second']);
    await frozen.stop();
  }, 30_000);
});
