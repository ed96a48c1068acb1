// Each limit, reached and passed; and how long finished jobs are kept.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { maxListed, maxUnfinished } from '../../../src/modules/jobs/contract.ts';
import { pruneJobs } from '../../../src/modules/jobs/pruning.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  act,
  attempt,
  claimOne,
  create,
  fill,
  leaseOf,
  must,
  registerWorker,
  tryAct,
  tryClaim,
} from './setup.ts';

onEachDatabase('limits of jobs', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let worker: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    worker = await registerWorker(server);
  });

  const tryCreate = (body: object, user = ann) =>
    attempt(server, user, 'POST', '/jobs', { type: 'limits', payload: {}, ...body });
  const ahead = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
  const ofBytes = (bytes: number) => 'x'.repeat(bytes - 2); // and two quotes

  test.each<[string, object]>([
    ['type', { type: '' }],
    ['type', { type: 'x'.repeat(65) }],
    ['type', { type: 'Upper' }],
    ['type', { type: 'with blank' }],
    ['payload', { payload: ofBytes(65_537) }],
    ['payload', { payload: '€'.repeat(21_846) }],
    ['payload', { payload: { a: ['\0'] } }],
    ['payload', { payload: { '\ud800': 1 } }],
    ['priority', { priority: 101 }],
    ['priority', { priority: -101 }],
    ['priority', { priority: 0.5 }],
    ['maxAttempts', { maxAttempts: 0 }],
    ['maxAttempts', { maxAttempts: 21 }],
    ['runAt', { runAt: ahead(366) }],
    ['runAt', { runAt: '2027-02-30T00:00:00Z' }],
    ['runAt', { runAt: 'tomorrow' }],
    ['status', { status: 'completed' }],
  ])('a job is not created with this %s', async (field, body) => {
    const { status, body: answer } = await tryCreate(body);
    expect([status, answer.error.code]).toEqual([400, 'invalid']);
    expect(answer.error.details[0].path).toStartWith(`/body/${field}`);
  });

  test('a job needs a type and a payload', async () => {
    expect((await attempt(server, ann, 'POST', '/jobs', { type: 'x' })).status).toBe(400);
    expect((await attempt(server, ann, 'POST', '/jobs', { payload: 1 })).status).toBe(400);
  });

  test('up to its limits everything is taken, and what is past means now', async () => {
    for (const body of [
      { type: `${'x'.repeat(60)}._-9` },
      { payload: ofBytes(65_536) },
      { priority: 100, maxAttempts: 20 },
      { priority: -100, maxAttempts: 1 },
      { runAt: ahead(364.9) },
    ]) {
      expect((await tryCreate(body)).status).toBe(201);
    }
    const past = await create(server, ann, { runAt: '0001-01-01T00:00:00Z' });
    expect(past.runAt).toBe(past.createdAt);
  });

  test.each<[string, object]>([
    ['types', { types: [] }],
    ['types', { types: ['a', 'a'] }],
    ['types', { types: Array.from({ length: 51 }, (_, n) => `t-${n}`) }],
    ['types/0', { types: ['A'] }],
    ['workerId', { workerId: '' }],
    ['workerId', { workerId: 'x'.repeat(101) }],
    ['max', { max: 0 }],
    ['max', { max: 51 }],
    ['waitSeconds', { waitSeconds: 31 }],
    ['waitSeconds', { waitSeconds: -1 }],
    ['leaseSeconds', { leaseSeconds: 4 }],
    ['leaseSeconds', { leaseSeconds: 301 }],
  ])('nothing is claimed with these %s', async (field, body) => {
    const { status, body: answer } = await tryClaim(server, worker, body);
    expect([status, answer.error.details[0].path]).toEqual([400, `/body/${field}`]);
  });

  test('what workers say has limits, too', async () => {
    const job = await create(server, ann, { type: 'words' });
    const lease = leaseOf(await claimOne(server, worker, { types: ['words'] }));
    for (const [verb, field, body] of [
      ['complete', 'result', { result: ofBytes(65_537) }],
      ['complete', 'result', { result: ['\udc00'] }],
      ['fail', 'error', { error: '' }],
      ['fail', 'error', { error: 'x'.repeat(4_001) }],
      ['fail', 'error', { error: '\0' }],
      ['progress', 'current', { current: -1, total: 1 }],
      ['progress', 'total', { current: 1, total: '1' }],
      ['progress', 'message', { current: 1, total: 1, message: 'x'.repeat(501) }],
    ] as const) {
      const { status, body: answer } = await tryAct(server, worker, job, verb, { ...lease, ...body });
      expect([field, status, answer.error.details?.[0].path]).toEqual([field, 400, `/body/${field}`]);
    }
    await act(server, worker, job, 'progress', { ...lease, current: 1, total: 1, message: 'x'.repeat(500) });
    expect((await act(server, worker, job, 'complete', { ...lease, result: ofBytes(65_536) })).status).toBe(
      'completed',
    );
  });

  test('a user has 1,000 unfinished jobs at most, also when the last ones come at once', async () => {
    const eve = await server.register('Eve');
    const cancelled = await create(server, eve, { type: 'eve' });
    await act(server, eve, cancelled, 'cancel');
    await fill(server, eve, maxUnfinished - 3);
    const answers = await Promise.all(Array.from({ length: 8 }, () => tryCreate({}, eve)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 409, 409, 409, 409, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body.error).toMatchObject({ code: 'conflict', message: expect.stringContaining('1000') });
    const retried = await tryAct(server, eve, cancelled, 'retry');
    expect([retried.status, retried.body.error.message]).toEqual([409, refused?.body.error.message]);
    expect((await must(server, eve, 'GET', `/jobs/${cancelled.id}`)).status).toBe('cancelled');
    const [mine] = (await must(server, eve, 'GET', '/jobs?status=queued&limit=1')).items;
    await act(server, eve, mine, 'cancel');
    expect((await act(server, eve, cancelled, 'retry')).status).toBe('queued');
    expect((await tryCreate({}, ann)).status).toBe(201);
  });

  test('finished jobs are deleted after a week, but for the newest 50 of their owner', async () => {
    const dan = await server.register('Dan');
    const made: { id: string }[] = [];
    for (let n = 0; n < maxListed + 4; n += 1) made.unshift(await create(server, dan, { type: 'old' }));
    const [young, unfinished, ...old] = made.slice(maxListed);
    if (young === undefined || unfinished === undefined) throw new Error('There are too few jobs.');
    await server.db.execute(sql`
      UPDATE jobs SET status = 'cancelled', finished_at = now() - interval '169 hours'
      WHERE user_id = ${dan.id} AND id <> ${unfinished.id}`);
    await server.db.execute(
      sql`UPDATE jobs SET finished_at = now() - interval '167 hours' WHERE id = ${young.id}`,
    );
    await Promise.all([pruneJobs(server.db), pruneJobs(server.db)]);
    const left = [];
    for (let cursor = ''; ; ) {
      const page = await must(server, dan, 'GET', `/jobs?limit=100${cursor}`);
      left.push(...page.items.map(({ id }: { id: string }) => id));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(old).toHaveLength(2);
    expect(left).toEqual(made.slice(0, maxListed + 2).map(({ id }) => id));
    expect((await attempt(server, dan, 'GET', `/jobs/${old[0]?.id}`)).status).toBe(404);
  });
});
