// Fencing: a job is one worker's at a time, and whoever lost it learns so. Failures, backoff and attempts.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { jobTopic } from '../../../src/modules/jobs/contract.ts';
import { leaseRanOut } from '../../../src/modules/jobs/leases.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  act,
  claimOne,
  create,
  endBackoff,
  endLease,
  eventsOf,
  leaseOf,
  refusalOf,
  registerWorker,
  statusOf,
  stored,
  tryAct,
  typesOf,
  unknownId,
} from './setup.ts';

onEachDatabase('leases', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let worker: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    worker = await registerWorker(server);
  });

  const untilStatus = (job: { id: string }, status: string) =>
    until(async () => (await statusOf(server, job)) === status, `the job is ${status}`);

  /** A job that one worker had, whose lease ran out. */
  async function createLost(type: string, maxAttempts = 5) {
    const job = await create(server, ann, { type, maxAttempts });
    const lost = await claimOne(server, worker, { types: [type] });
    await endLease(server, job);
    await untilStatus(job, maxAttempts === 1 ? 'failed' : 'queued');
    return { job, lost };
  }

  const verbs = [
    ['progress', { current: 1, total: 2 }],
    ['complete', { result: 1 }],
    ['fail', { error: 'no' }],
  ] as const;

  test('without the lease of the last claim nothing is said of a job', async () => {
    const job = await create(server, ann, { type: 'fenced' });
    const queued = await tryAct(server, worker, job, 'complete', { leaseId: unknownId });
    expect(refusalOf(queued)).toEqual([409, 'conflict', { status: 'queued' }]);
    await claimOne(server, worker, { types: ['fenced'] });
    for (const [verb, body] of verbs) {
      const refused = await tryAct(server, worker, job, verb, { leaseId: unknownId, ...body });
      expect([verb, ...refusalOf(refused)]).toEqual([verb, 409, 'conflict', { status: 'running' }]);
      const absent = await tryAct(server, worker, { id: unknownId }, verb, { leaseId: unknownId, ...body });
      expect([verb, absent.status]).toEqual([verb, 404]);
    }
    expect(await stored(server, job)).toMatchObject({ status: 'running', progress: null, error: null });
  });

  test('a job whose worker died goes to another one, and the first one’s late word is a conflict', async () => {
    const { job, lost } = await createLost('dead');
    const { runAt, updatedAt, error } = await stored(server, job);
    expect(runAt.getTime() - updatedAt.getTime()).toBeGreaterThanOrEqual(1_600);
    expect(error).toBeNull();
    await endBackoff(server, job);
    const second = await claimOne(server, worker, { types: ['dead'] });
    expect([second.id, second.attempts]).toEqual([job.id, 2]);
    for (const [verb, body] of verbs) {
      const refused = await tryAct(server, worker, job, verb, { ...leaseOf(lost), ...body });
      expect([verb, ...refusalOf(refused)]).toEqual([verb, 409, 'conflict', { status: 'running' }]);
    }
    await act(server, worker, job, 'complete', { ...leaseOf(second), result: 'second' });
    const late = await tryAct(server, worker, job, 'complete', { ...leaseOf(lost), result: 'first' });
    expect(refusalOf(late)).toEqual([409, 'conflict', { status: 'completed' }]);
    expect((await stored(server, job)).result).toBe('second');
  });

  test('a lease that ran out counts as long as nobody took the job over: complete', async () => {
    const { job, lost } = await createLost('late.complete');
    const done = await act(server, worker, job, 'complete', { ...leaseOf(lost), result: 1 });
    expect(done).toMatchObject({ status: 'completed', attempts: 1, result: 1 });
    const [change] = (await eventsOf(server, jobTopic(job.id))).slice(-1);
    expect(change?.payload).toMatchObject({ status: 'completed', previous: 'queued' });
  });

  test('a lease that ran out counts as long as nobody took the job over: fail', async () => {
    const { job, lost } = await createLost('late.fail');
    expect(await act(server, worker, job, 'fail', { ...leaseOf(lost), error: 'late' })).toMatchObject({
      status: 'queued',
      error: 'late',
    });
  });

  test('a lease that ran out counts as long as nobody took the job over: with progress the worker goes on', async () => {
    const { job, lost } = await createLost('late.progress');
    await act(server, worker, job, 'progress', { ...leaseOf(lost), current: 1, total: 2 });
    expect(await stored(server, job)).toMatchObject({
      status: 'running',
      attempts: 1,
      progress: { percentage: 50 },
      leaseUntil: expect.any(Date),
    });
    expect((await act(server, worker, job, 'complete', leaseOf(lost))).status).toBe('completed');
    const changes = (await eventsOf(server, jobTopic(job.id))).filter(({ type }) => type === 'job.status');
    expect(changes.map(({ payload }) => payload.status)).toEqual([
      'running',
      'queued',
      'running',
      'completed',
    ]);
  });

  test('a job is given up when its last lease ran out, and says why', async () => {
    const { job, lost } = await createLost('given.up', 1);
    expect(await stored(server, job)).toMatchObject({
      status: 'failed',
      error: leaseRanOut,
      finishedAt: expect.any(Date),
    });
    const frames = (await eventsOf(server, jobTopic(job.id))).slice(-2);
    expect(typesOf(frames)).toEqual(['job.failed', 'job.status']);
    expect(frames[0]).toMatchObject({
      payload: { jobId: job.id, error: leaseRanOut, attempts: 1 },
      meta: { source: 'system' },
    });
    const late = await tryAct(server, worker, job, 'complete', leaseOf(lost));
    expect(refusalOf(late)).toEqual([409, 'conflict', { status: 'failed' }]);
  });

  test('progress makes the lease longer', async () => {
    const job = await create(server, ann, { type: 'longer' });
    const claimed = await claimOne(server, worker, { types: ['longer'], leaseSeconds: 100 });
    await server.db.execute(
      sql`UPDATE jobs SET lease_until = now() + interval '3 seconds' WHERE id = ${job.id}`,
    );
    await act(server, worker, job, 'progress', { ...leaseOf(claimed), current: 0, total: 1 });
    const [row] = await queryRows<{ left: number }>(
      server.db,
      sql`SELECT extract(epoch FROM lease_until - now())::float8 AS left FROM jobs WHERE id = ${job.id}`,
    );
    expect(row?.left).toBeGreaterThan(95);
    expect(row?.left).toBeLessThanOrEqual(100);
  });

  test('completing again with an equal result is answered the same, and says nothing anew', async () => {
    const job = await create(server, ann, { type: 'again' });
    const claimed = await claimOne(server, worker, { types: ['again'] });
    const result = { b: [1, 2.0], a: { c: null } };
    const done = await act(server, worker, job, 'complete', { ...leaseOf(claimed), result });
    const head = (await eventsOf(server, jobTopic(job.id))).length;
    const same = { ...leaseOf(claimed), result: { a: { c: null }, b: [1, 2] } };
    expect(await act(server, worker, job, 'complete', same)).toEqual(done);
    const other = await tryAct(server, worker, job, 'complete', {
      ...leaseOf(claimed),
      result: { b: [2, 1] },
    });
    expect(refusalOf(other)).toEqual([409, 'conflict', { status: 'completed' }]);
    for (const [verb, body] of verbs.filter(([verb]) => verb !== 'complete')) {
      const refused = await tryAct(server, worker, job, verb, { ...leaseOf(claimed), ...body });
      expect([verb, ...refusalOf(refused)]).toEqual([verb, 409, 'conflict', { status: 'completed' }]);
    }
    expect((await eventsOf(server, jobTopic(job.id))).length).toBe(head);
  });

  test('ten completions at once are one', async () => {
    const job = await create(server, ann, { type: 'ten' });
    const claimed = await claimOne(server, worker, { types: ['ten'] });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        tryAct(server, worker, job, 'complete', { ...leaseOf(claimed), result: 1 }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const types = typesOf(await eventsOf(server, jobTopic(job.id)));
    expect(types.filter((type) => type === 'job.completed')).toHaveLength(1);
  });

  test('a failed attempt is tried again behind a wait that doubles, up to maxAttempts', async () => {
    const job = await create(server, ann, { type: 'backoff', maxAttempts: 3 });
    for (const attempt of [1, 2]) {
      const claimed = await claimOne(server, worker, { types: ['backoff'] });
      const failed = await act(server, worker, job, 'fail', { ...leaseOf(claimed), error: `No ${attempt}` });
      expect(failed).toMatchObject({
        status: 'queued',
        attempts: attempt,
        error: `No ${attempt}`,
        finishedAt: null,
      });
      const waitMs = Date.parse(failed.runAt) - Date.parse(failed.updatedAt);
      expect(waitMs).toBeGreaterThanOrEqual(0.8 * 1_000 * 2 ** attempt - 2);
      expect(waitMs).toBeLessThanOrEqual(1.2 * 1_000 * 2 ** attempt + 2);
      const [said] = (await eventsOf(server, jobTopic(job.id))).slice(-2);
      expect([said?.type, said?.payload]).toEqual([
        'job.failed',
        { jobId: job.id, error: `No ${attempt}`, attempts: attempt, willRetryAt: failed.runAt },
      ]);
      // Its lease is over: it said so itself.
      const late = await tryAct(server, worker, job, 'complete', leaseOf(claimed));
      expect(refusalOf(late)).toEqual([409, 'conflict', { status: 'queued' }]);
      await endBackoff(server, job);
    }
    const last = await claimOne(server, worker, { types: ['backoff'] });
    const failed = await act(server, worker, job, 'fail', { ...leaseOf(last), error: 'No 3' });
    expect(failed).toMatchObject({ status: 'failed', attempts: 3, finishedAt: expect.any(String) });
    const [said] = (await eventsOf(server, jobTopic(job.id))).slice(-2);
    expect(said?.payload).toEqual({ jobId: job.id, error: 'No 3', attempts: 3 });
  });

  test('no wait is longer than five minutes, and no two are alike', async () => {
    const job = await create(server, ann, { type: 'long', maxAttempts: 20 });
    const waits = new Set<number>();
    for (let n = 0; n < 5; n += 1) {
      const claimed = await claimOne(server, worker, { types: ['long'] });
      await server.db.execute(sql`UPDATE jobs SET attempts = 15 WHERE id = ${job.id}`);
      const { runAt, updatedAt } = await act(server, worker, job, 'fail', {
        ...leaseOf(claimed),
        error: 'no',
      });
      const waitMs = Date.parse(runAt) - Date.parse(updatedAt);
      expect(waitMs).toBeGreaterThanOrEqual(239_000);
      expect(waitMs).toBeLessThanOrEqual(300_000);
      waits.add(waitMs);
      await endBackoff(server, job);
    }
    expect(waits.size).toBeGreaterThan(1);
  });

  test('with retry: false it is not tried again', async () => {
    const job = await create(server, ann, { type: 'final' });
    const claimed = await claimOne(server, worker, { types: ['final'] });
    const failed = await act(server, worker, job, 'fail', {
      ...leaseOf(claimed),
      error: 'Never.',
      retry: false,
    });
    expect(failed).toMatchObject({ status: 'failed', attempts: 1 });
  });

  test('of a cancel and a completion at once one wins, and the other is told', async () => {
    const outcomes = new Set<string>();
    for (let n = 0; n < 20; n += 1) {
      const job = await create(server, ann, { type: 'race' });
      const claimed = await claimOne(server, worker, { types: ['race'] });
      const cancel = () => tryAct(server, ann, job, 'cancel');
      const complete = () => tryAct(server, worker, job, 'complete', leaseOf(claimed));
      const [cancelled, completed] =
        n % 2 === 0
          ? await Promise.all([cancel(), complete()])
          : (await Promise.all([complete(), cancel()])).reverse();
      const status = await statusOf(server, job);
      outcomes.add(status);
      const [winner, loser] = status === 'cancelled' ? [cancelled, completed] : [completed, cancelled];
      expect([winner?.status, loser?.status, loser?.body.error.details.status]).toEqual([200, 409, status]);
      const types = typesOf(await eventsOf(server, jobTopic(job.id))).slice(2);
      expect(types).toEqual([`job.${status}`, 'job.status']);
    }
    console.log(`cancel against complete: ${[...outcomes]}`);
  });
});
