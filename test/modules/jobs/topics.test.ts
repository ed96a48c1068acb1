// Who may follow jobs, for how long, and what they find when they begin.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import {
  adminJobsTopic,
  jobTopic,
  maxErrorShown,
  maxListed,
  maxListedForAdmins,
  userJobsTopic,
} from '../../../src/modules/jobs/contract.ts';
import { maxSnapshotBytes } from '../../../src/protocol/envelope.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  act,
  claimOne,
  create,
  endLease,
  fill,
  leaseOf,
  registerWorker,
  rootEmail,
  statusOf,
  stored,
  unknownId,
} from './setup.ts';

onEachDatabase('topics of jobs', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let worker: TestUser;
  let root: TestUser;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: rootEmail });
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    worker = await registerWorker(server);
    root = await server.register('Root', { email: rootEmail });
  });

  const subscribe = async (user: TestUser, topic: string) => {
    const client = await server.connect(user);
    const reply = await client.request('subscribe', {}, { topic });
    client.close();
    return reply.error?.code ?? reply.type;
  };

  test('[S5] a job is followed by its owner, its present worker and admins; what is foreign is as what is not there', async () => {
    const job = await create(server, ann, { type: 'right' });
    const topic = jobTopic(job.id);
    const all = async () => Promise.all([ann, bob, worker, root].map((user) => subscribe(user, topic)));
    expect(await all()).toEqual(['ok', 'forbidden', 'forbidden', 'ok']);
    const claimed = await claimOne(server, worker, { types: ['right'] });
    expect(await all()).toEqual(['ok', 'forbidden', 'ok', 'ok']);
    await act(server, worker, job, 'complete', leaseOf(claimed));
    expect(await all()).toEqual(['ok', 'forbidden', 'forbidden', 'ok']);
    expect(await subscribe(ann, jobTopic(unknownId))).toBe('forbidden');
    expect(await subscribe(ann, 'job:1')).toBe('unknown_topic');
  });

  test('[S5] the jobs of a user are followed by that user and admins, all jobs by admins', async () => {
    const each = async (topic: string) =>
      Promise.all([ann, bob, worker, root].map((user) => subscribe(user, topic)));
    expect(await each(userJobsTopic(ann.id))).toEqual(['ok', 'forbidden', 'forbidden', 'ok']);
    expect(await each(adminJobsTopic)).toEqual(['forbidden', 'forbidden', 'forbidden', 'ok']);
    for (const topic of ['admin:job', 'admin:jobs:x', 'user:1:jobs', `user:${ann.id}:job`]) {
      expect([topic, await subscribe(root, topic)]).toEqual([topic, 'unknown_topic']);
    }
  });

  test('[S5] an admin who is none any more follows the jobs of others no longer', async () => {
    const demoted = await server.register('Dora');
    await server.request('PATCH', `/v1/admin/users/${demoted.id}`, {
      token: root.accessToken,
      body: { role: 'admin' },
    });
    const client = await server.connect(demoted);
    const topics = [adminJobsTopic, userJobsTopic(ann.id)];
    for (const topic of topics) await client.subscribe(topic);
    await server.request('PATCH', `/v1/admin/users/${demoted.id}`, {
      token: root.accessToken,
      body: { role: 'user' },
    });
    for (const topic of topics)
      await client.next((frame) => frame.type === 'unsubscribed' && frame.topic === topic);
    client.close();
  });

  const untilQueued = async (job: { id: string }) => {
    await until(async () => (await statusOf(server, job)) === 'queued', 'the lease runs out');
    return await stored(server, job);
  };

  const endings: Record<string, (job: { id: string }, leaseId: string) => Promise<unknown>> = {
    complete: (job, leaseId) => act(server, worker, job, 'complete', { leaseId }),
    fail: (job, leaseId) => act(server, worker, job, 'fail', { leaseId, error: 'no' }),
    'cancel by the owner': (job) => act(server, ann, job, 'cancel'),
    'end of its lease': async (job) => {
      await endLease(server, job);
      await untilQueued(job);
    },
  };
  test.each(Object.entries(endings))('[S7] only the worker loses the job with %s', async (_, end) => {
    const job = await create(server, ann, { type: 'end' });
    const { leaseId } = await claimOne(server, worker, { types: ['end'] });
    const topic = jobTopic(job.id);
    const [theirs, mine, admins] = [
      await server.connect(worker),
      await server.connect(ann),
      await server.connect(root),
    ];
    for (const client of [theirs, mine, admins]) await client.subscribe(topic);
    await mine.subscribe(userJobsTopic(ann.id));
    await end(job, leaseId);
    expect(await theirs.next('unsubscribed')).toMatchObject({ topic, payload: { reason: 'forbidden' } });
    // The event that ended it is the last that they heard.
    expect(theirs.frames.at(-2)).toMatchObject({ type: 'job.status', payload: { previous: 'running' } });
    // The others hear what comes behind it.
    if ((await statusOf(server, job)) === 'queued') await act(server, ann, job, 'cancel');
    if ((await statusOf(server, job)) === 'cancelled') await act(server, ann, job, 'retry');
    const status = await statusOf(server, job);
    for (const client of [mine, admins]) {
      await client.next((frame) => frame.topic === topic && frame.payload?.status === status);
    }
    expect([...mine.frames, ...admins.frames].filter(({ type }) => type === 'unsubscribed')).toEqual([]);
    expect(theirs.frames.at(-1)?.type).toBe('unsubscribed');
    if (status === 'queued') await act(server, ann, job, 'cancel');
    for (const client of [theirs, mine, admins]) client.close();
  });

  test('[S7] who works on a job of their own, or is an admin, loses nothing', async () => {
    for (const [owner, by] of [
      [worker, worker],
      [ann, root],
    ] as const) {
      const job = await create(server, owner, { type: 'own' });
      const claimed = await claimOne(server, by, { types: ['own'] });
      const client = await server.connect(by);
      await client.subscribe(jobTopic(job.id));
      await act(server, by, job, 'complete', leaseOf(claimed));
      await client.next('job.status');
      expect((await client.request('ping')).type).toBe('pong');
      expect(client.unread.filter(({ type }) => type === 'unsubscribed')).toEqual([]);
      client.close();
    }
  });

  test('[S7] two jobs of one owner, lost by two workers in one transaction', async () => {
    const other = await registerWorker(server);
    const made = [];
    for (const by of [worker, other]) {
      const job = await create(server, ann, { type: 'two' });
      await claimOne(server, by, { types: ['two'] });
      const client = await server.connect(by);
      await client.subscribe(jobTopic(job.id));
      made.push({ job, client });
    }
    await server.db.execute(sql`UPDATE jobs SET lease_until = now() WHERE type = 'two'`);
    const times = new Set<number>();
    for (const { job, client } of made) {
      times.add((await untilQueued(job)).updatedAt.getTime());
      expect(await client.next('unsubscribed')).toMatchObject({ topic: jobTopic(job.id) });
      client.close();
      await act(server, ann, job, 'cancel');
    }
    expect(times.size).toBe(1); // of one transaction
  });

  test('snapshots: a job with all it has; the newest of a user, and of all with how many there are', async () => {
    const eve = await server.register('Eve');
    const job = await create(server, eve, { type: 'shown', payload: { big: 'x'.repeat(1_000) } });
    const claimed = await claimOne(server, worker, { types: ['shown'] });
    await act(server, worker, job, 'progress', {
      ...leaseOf(claimed),
      current: 1,
      total: 4,
      message: 'Begun',
    });
    const client = await server.connect(root);
    const read = async (topic: string) => (await client.subscribe(topic, { snapshot: true })).snapshot;
    const { progress, payload, result, ...face } = (await client.request('job.get', { jobId: job.id }))
      .payload;
    expect(progress).toEqual({ current: 1, total: 4, percentage: 25, message: 'Begun' });
    expect(await read(jobTopic(job.id))).toEqual({ job: { ...face, payload, result }, live: { progress } });
    expect(await read(userJobsTopic(eve.id))).toEqual({
      jobs: [face],
      live: { progress: { [job.id]: progress } },
    });
    const all = (await read(adminJobsTopic)) as { counts: Record<string, number>; jobs: object[] }; // of the contract
    expect(all.jobs[0]).toEqual(face);
    const rows = await queryRows<{ status: string; count: number }>(
      server.db,
      sql`SELECT status, count(*)::int AS count FROM jobs GROUP BY status`,
    );
    const counts = Object.fromEntries(rows.map(({ status, count }) => [status, count]));
    expect(all.counts).toEqual({ queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0, ...counts });
    expect(
      JSON.stringify([await read(userJobsTopic(eve.id)), all, await read(jobTopic(job.id))]),
    ).not.toContain(claimed.leaseId);
    client.close();
  });

  test('[S3] the largest jobs there can be fit into every snapshot', async () => {
    const max = await server.register('Max');
    const big = 'x'.repeat(65_000);
    const job = await create(server, max, { type: 'big', payload: big });
    const claimed = await claimOne(server, worker, { types: ['big'], workerId: '€'.repeat(100) });
    const message = '\u0001'.repeat(500);
    await act(server, worker, job, 'progress', { ...leaseOf(claimed), current: 1 / 3, total: 1e15, message });
    const error = '\u0001'.repeat(4_000);
    await act(server, worker, job, 'fail', { ...leaseOf(claimed), error, retry: false });
    await fill(server, max, 120);
    await server.db.execute(sql`
      UPDATE jobs SET error = model.error, progress = model.progress, worker_id = model.worker_id, claimed_by = model.claimed_by,
        type = repeat('x', 64), status = 'cancelled', started_at = now(), finished_at = now()
      FROM (SELECT * FROM jobs WHERE id = ${job.id}) AS model WHERE jobs.user_id = ${max.id} AND jobs.type = 'filled'`);
    const client = await server.connect(root);
    for (const [topic, count] of [
      [userJobsTopic(max.id), maxListed],
      [adminJobsTopic, maxListedForAdmins],
    ] as const) {
      const { snapshot } = await client.subscribe(topic, { snapshot: true });
      expect((snapshot as { jobs: unknown[] }).jobs).toHaveLength(count); // of the contract
      expect(Buffer.byteLength(JSON.stringify(snapshot))).toBeLessThan(maxSnapshotBytes);
    }
    const { snapshot } = await client.subscribe(jobTopic(job.id), { snapshot: true });
    expect(snapshot).toMatchObject({ job: { error, payload: big } });
    const { payload } = await client.request('job.list', { limit: 1 });
    expect(
      payload.items.every((item: { error: string | null }) => (item.error ?? '').length <= maxErrorShown),
    ).toBe(true);
    client.close();
  });

  if (database.kind === 'postgres') {
    test('[S7] the worker loses the job on every instance', async () => {
      const other = await open(server.env);
      const job = await create(server, ann, { type: 'far' });
      const { leaseId } = await claimOne(server, worker, { types: ['far'] });
      const client = await other.connect(worker);
      await client.subscribe(jobTopic(job.id));
      await act(server, worker, job, 'complete', { leaseId });
      await client.next('unsubscribed');
      client.close();
    });
  }
});
