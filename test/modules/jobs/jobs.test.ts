// What users do with their jobs: create, look, cancel, try again; and who may do what.

import { beforeAll, expect, test } from 'bun:test';
import { adminJobsTopic, jobTopic, userJobsTopic } from '../../../src/modules/jobs/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  act,
  attempt,
  claimOne,
  create,
  eventsOf,
  leaseOf,
  must,
  outputOf,
  refusalOf,
  registerWorker,
  rootEmail,
  statusOf,
  tryAct,
  tryClaim,
  typesOf,
  unknownId,
} from './setup.ts';

onEachDatabase('jobs', (open) => {
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

  test('a job is created with what it is given, and defaults for the rest', async () => {
    const payload = { text: 'Zoë', nested: [1, { a: null }], empty: '' };
    const job = await create(server, ann, { type: 'video.encode', payload });
    expect(job).toEqual({
      id: expect.any(String),
      userId: ann.id,
      type: 'video.encode',
      payload,
      priority: 0,
      status: 'queued',
      progress: null,
      result: null,
      error: null,
      attempts: 0,
      maxAttempts: 5,
      runAt: job.createdAt,
      workerId: null,
      claimedBy: null,
      createdAt: expect.any(String),
      startedAt: null,
      finishedAt: null,
      updatedAt: job.createdAt,
    });
    expect(await must(server, ann, 'GET', `/jobs/${job.id}`)).toEqual(job);
    const { progress: _, ...record } = job;
    const [created, ...others] = await eventsOf(server, jobTopic(job.id));
    expect([created?.type, created?.payload, others]).toEqual([
      'job.created',
      { jobId: job.id, job: record },
      [],
    ]);
    const [same] = (await eventsOf(server, userJobsTopic(ann.id))).slice(-1);
    expect([same?.id, same?.payload]).toEqual([created?.id, created?.payload]);
  });

  test.each<[string, unknown]>([
    ['a text', 'text'],
    ['a text that looks like a number', '12'],
    ['a number', 1.5e300],
    ['null', null],
    ['false', false],
    ['a list', [[], {}, '"']],
  ])('a payload and a result may be any JSON: %s', async (_, value) => {
    const job = await create(server, ann, { type: 'any', payload: value });
    expect(job.payload).toEqual(value);
    const claimed = await claimOne(server, worker, { types: ['any'] });
    expect(claimed.payload).toEqual(value);
    expect(
      (await act(server, worker, job, 'complete', { ...leaseOf(claimed), result: value })).result,
    ).toEqual(value);
    expect(await must(server, ann, 'GET', `/jobs/${job.id}`)).toMatchObject({
      payload: value,
      result: value,
    });
  });

  test('a key makes one job of two requests, and gets the first answer', async () => {
    const body = { type: 'keyed', payload: 1 };
    const ask = (given: object) => attempt(server, ann, 'POST', '/jobs', given, { 'Idempotency-Key': 'k' });
    const [first, second] = await Promise.all([ask(body), ask(body)]);
    expect([first.status, second.status, second.body]).toEqual([201, 201, first.body]);
    expect((await ask({ ...body, payload: 2 })).status).toBe(409);
    expect((await must(server, ann, 'GET', '/jobs?type=keyed')).items).toHaveLength(1);
  });

  test('over the socket the same is job.create, job.get, job.list, job.cancel and job.retry', async () => {
    const client = await server.connect(ann);
    const made = await client.request('job.create', { type: 'socket', payload: {} }, { key: 's-1' });
    const jobId = made.payload.id;
    expect((await client.request('job.cancel', { jobId })).payload.status).toBe('cancelled');
    expect((await client.request('job.retry', { jobId })).payload.status).toBe('queued');
    const { payload: got } = await client.request('job.get', { jobId });
    expect(got).toEqual(await must(server, ann, 'GET', `/jobs/${jobId}`));
    const { payload: list } = await client.request('job.list', { type: 'socket' });
    expect(list.items.map(({ id }: { id: string }) => id)).toEqual([jobId]);
    expect((await client.request('job.claim', {})).error.code).toBe('unknown_command');
    client.close();
  });

  test('lists are of one’s own jobs, newest first, in pages, by status and type, without what may be large', async () => {
    const eve = await server.register('Eve');
    const made = [];
    for (const type of ['a', 'b', 'a', 'b', 'a']) made.unshift(await create(server, eve, { type }));
    const { payload: _p, result: _r, ...face } = made[0] ?? {};
    const list = async (query: string) => (await must(server, eve, 'GET', `/jobs?${query}`)).items;
    expect((await list(''))[0]).toEqual(face);
    const idsOf = (items: { id: string }[]) => items.map(({ id }) => id);
    expect(idsOf(await list(''))).toEqual(idsOf(made));
    expect(idsOf(await list('type=a'))).toEqual(idsOf(made.filter(({ type }) => type === 'a')));
    await act(server, eve, made[1] ?? { id: '' }, 'cancel');
    expect(idsOf(await list('status=cancelled'))).toEqual(idsOf(made.slice(1, 2)));
    expect(await list('status=queued&type=b')).toHaveLength(1);
    const first = await must(server, eve, 'GET', '/jobs?limit=2');
    const second = await must(server, eve, 'GET', `/jobs?limit=2&cursor=${first.nextCursor}`);
    const third = await must(server, eve, 'GET', `/jobs?limit=2&cursor=${second.nextCursor}`);
    expect(idsOf([first, second, third].flatMap(({ items }) => items))).toEqual(idsOf(made));
    expect(third.nextCursor).toBeNull();
    expect((await must(server, bob, 'GET', '/jobs')).items).toEqual([]);
  });

  test('admins list the jobs of all users, by status, type and user, and see any of them', async () => {
    const job = await create(server, ann, { type: 'of.ann' });
    const other = await create(server, bob, { type: 'of.bob' });
    const list = async (query: string) =>
      (await must(server, root, 'GET', `/admin/jobs?${query}`)).items.map(({ id }: { id: string }) => id);
    expect((await list('')).slice(0, 2)).toEqual([other.id, job.id]);
    expect(await list(`user=${bob.id}`)).toEqual([other.id]);
    expect(await list('type=of.ann&status=queued')).toEqual([job.id]);
    expect(await list('type=of.ann&status=running')).toEqual([]);
    const first = await must(server, root, 'GET', '/admin/jobs?limit=1');
    expect(
      (await must(server, root, 'GET', `/admin/jobs?limit=1&cursor=${first.nextCursor}`)).items[0].id,
    ).toBe(job.id);
    expect(await must(server, root, 'GET', `/jobs/${job.id}`)).toEqual(job);
    for (const user of [ann, worker])
      expect((await attempt(server, user, 'GET', '/admin/jobs')).status).toBe(403);
  });

  test('to others a job is as one that does not exist, and to admins who would change it', async () => {
    const job = await create(server, ann, { type: 'private' });
    for (const user of [bob, worker, root]) {
      for (const verb of ['cancel', 'retry'] as const) {
        const [foreign, absent] = [
          await tryAct(server, user, job, verb),
          await tryAct(server, user, { id: unknownId }, verb),
        ];
        expect([foreign.status, foreign.body]).toEqual([404, absent.body]);
      }
    }
    for (const user of [bob, worker]) {
      expect((await attempt(server, user, 'GET', `/jobs/${job.id}`)).body).toEqual(
        (await attempt(server, user, 'GET', `/jobs/${unknownId}`)).body,
      );
    }
    expect(await statusOf(server, job)).toBe('queued');
  });

  test('only workers and admins claim, report, complete and fail', async () => {
    const job = await create(server, ann, { type: 'roles' });
    expect((await tryClaim(server, ann, { types: ['roles'] })).status).toBe(403);
    const claimed = await claimOne(server, root, { types: ['roles'] });
    const lease = leaseOf(claimed);
    for (const [verb, body] of [
      ['progress', { ...lease, current: 1, total: 2 }],
      ['complete', { ...lease, result: 1 }],
      ['fail', { ...lease, error: 'no' }],
    ] as const) {
      expect([verb, (await tryAct(server, ann, job, verb, body)).status]).toEqual([verb, 403]);
    }
    const client = await server.connect(ann);
    const reply = await client.request('job.progress', { jobId: job.id, ...lease, current: 1, total: 2 });
    expect(reply.error.code).toBe('forbidden');
    client.close();
    expect(await statusOf(server, job)).toBe('running');
  });

  test('a job is cancelled while it is queued or running, once, and then for good', async () => {
    const queued = await create(server, ann, { type: 'cancel' });
    const cancelled = await act(server, ann, queued, 'cancel');
    expect(cancelled).toMatchObject({ status: 'cancelled', finishedAt: expect.any(String) });
    expect(await tryClaim(server, worker, { types: ['cancel'] })).toMatchObject({ body: { items: [] } });
    const again = await tryAct(server, ann, queued, 'cancel');
    expect([again.status, again.body.error.details.status]).toEqual([409, 'cancelled']);
    const running = await create(server, ann, { type: 'cancel' });
    const { leaseId } = await claimOne(server, worker, { types: ['cancel'] });
    await act(server, ann, running, 'cancel');
    for (const [verb, body] of [
      ['progress', { leaseId, current: 1, total: 2 }],
      ['complete', { leaseId, result: 1 }],
      ['fail', { leaseId, error: 'no' }],
    ] as const) {
      const refused = await tryAct(server, worker, running, verb, body);
      expect([verb, ...refusalOf(refused)]).toEqual([verb, 409, 'conflict', { status: 'cancelled' }]);
    }
    expect(typesOf(await eventsOf(server, jobTopic(running.id)))).toEqual([
      'job.created',
      'job.status',
      'job.cancelled',
      'job.status',
    ]);
  });

  test('a job that failed or was cancelled is tried again: the same job, as if never tried', async () => {
    const job = await create(server, ann, { type: 'retry', maxAttempts: 1 });
    const first = await claimOne(server, worker, { types: ['retry'] });
    await act(server, worker, job, 'progress', { ...leaseOf(first), current: 1, total: 2 });
    await act(server, worker, job, 'fail', { ...leaseOf(first), error: 'The disk is full.' });
    const retried = await act(server, ann, job, 'retry');
    expect(retried).toEqual({ ...job, runAt: retried.runAt, updatedAt: retried.updatedAt });
    const second = await claimOne(server, worker, { types: ['retry'] });
    expect([second.id, second.attempts, second.leaseId === first.leaseId]).toEqual([job.id, 1, false]);
    const running = await tryAct(server, ann, job, 'retry');
    expect([running.status, running.body.error.details.status]).toEqual([409, 'running']);
    await act(server, ann, job, 'cancel');
    expect((await act(server, ann, job, 'retry')).status).toBe('queued');
    const third = await claimOne(server, worker, { types: ['retry'] });
    await act(server, worker, job, 'complete', leaseOf(third));
    expect((await tryAct(server, ann, job, 'retry')).body.error.details).toMatchObject({
      id: job.id,
      status: 'completed',
    });
  });

  test('each change is one job.status, the last event of it, and what it means stands before', async () => {
    const client = await server.connect(root);
    await client.subscribe(adminJobsTopic);
    const job = await create(server, ann, { type: 'told' });
    const first = await claimOne(server, worker, { types: ['told'] });
    const failed = await act(server, worker, job, 'fail', {
      ...leaseOf(first),
      error: 'Once.',
      retry: false,
    });
    await act(server, ann, job, 'retry');
    const second = await claimOne(server, worker, { types: ['told'] });
    const done = await act(server, worker, job, 'complete', { ...leaseOf(second), result: { n: 3 } });
    const frames = await eventsOf(server, jobTopic(job.id));
    const own = (await eventsOf(server, userJobsTopic(ann.id))).filter(
      ({ payload }) => payload.jobId === job.id,
    );
    expect(own.map(({ id }) => id)).toEqual(frames.map(({ id }) => id));
    const jobId = job.id;
    const change = (status: string, previous: string, attempt: number) => [
      'job.status',
      {
        jobId,
        status,
        previous,
        attempt,
        job: expect.objectContaining({ id: jobId, status, attempts: attempt }),
      },
    ];
    expect(frames.slice(1).map(({ type, payload }) => [type, payload])).toEqual([
      change('running', 'queued', 1),
      ['job.failed', { jobId, error: 'Once.', attempts: 1 }],
      change('failed', 'running', 1),
      change('queued', 'failed', 0),
      change('running', 'queued', 1),
      ['job.completed', { jobId, result: { n: 3 } }],
      change('completed', 'running', 1),
    ]);
    expect([failed.error, done.error, done.finishedAt]).toEqual(['Once.', null, expect.any(String)]);
    // Admins hear the same, live.
    for (const { type, payload } of frames) {
      const told = await client.next((frame) => frame.topic === adminJobsTopic);
      expect([told.type, told.payload, told.seq]).toEqual([type, payload, undefined]);
    }
    expect(JSON.stringify([frames, client.frames, outputOf({ ...done })])).not.toContain(second.leaseId);
    client.close();
  });
});
