// Progress: told ten times a second at most, stored once a second at most, the last report always both.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { conflate } from '../../../src/modules/jobs/conflate.ts';
import { adminJobsTopic, jobTopic, userJobsTopic } from '../../../src/modules/jobs/contract.ts';
import { toProgress } from '../../../src/modules/jobs/rules.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  act,
  claimOne,
  create,
  eventsOf,
  leaseOf,
  must,
  registerWorker,
  rootEmail,
  stored,
  tryAct,
} from './setup.ts';

test('percentages have one decimal, are rounded down, and end at 100', () => {
  const of = (current: number, total: number) => toProgress(current, total, undefined).percentage;
  expect([of(0, 3), of(1, 3), of(2, 3), of(3, 3), of(4, 3), of(0, 0)]).toEqual([
    0, 33.3, 66.6, 100, 100, 100,
  ]);
  expect([of(29, 100), of(0.29, 1), of(999_999, 1_000_000)]).toEqual([29, 29, 99.9]);
});

test('what is conflated is passed on at once, then once a window, and the last one always', async () => {
  const passed: [number, number][] = [];
  const startedAt = performance.now();
  const told = conflate<number>(50, (n) => void passed.push([n, performance.now() - startedAt]));
  for (let n = 1; n <= 100; n += 1) {
    told.put('a', n);
    await Bun.sleep(2);
  }
  told.put('a', 101);
  await until(() => passed.at(-1)?.[0] === 101, 'the last one is passed on');
  expect(passed[0]?.[0]).toBe(1);
  const [, lastMs = 0] = passed.at(-1) ?? [];
  expect(passed.length).toBeLessThanOrEqual(Math.floor(lastMs / 50) + 2);
  await until(() => !told.isOpen('a'), 'it is quiet again');
  told.put('a', 102);
  expect(passed.at(-1)?.[0]).toBe(102);
  told.put('a', 103);
  expect([told.take('a'), told.take('a'), told.isOpen('a')]).toEqual([103, undefined, false]);
  told.put('b', 1);
  told.put('b', 2);
  told.flush();
  expect(passed.at(-1)?.[0]).toBe(2);
});

onEachDatabase('progress', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let worker: TestUser;
  let root: TestUser;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: rootEmail });
    ann = await server.register('Ann');
    worker = await registerWorker(server);
    root = await server.register('Root', { email: rootEmail });
  });

  const progressOf = (frames: readonly Frame[], topic: string) =>
    frames.filter((frame) => frame.type === 'job.progress' && frame.topic === topic);

  test('reported as fast as can be, it reaches followers ten times a second, and is stored once, the last one too', async () => {
    const job = await create(server, ann);
    const { leaseId } = await claimOne(server, worker);
    const [follower, reporter, admin] = [
      await server.connect(ann),
      await server.connect(worker),
      await server.connect(root),
    ];
    for (const topic of [jobTopic(job.id), userJobsTopic(ann.id)]) await follower.subscribe(topic);
    await admin.subscribe(adminJobsTopic);
    await server.db.execute(sql`CREATE TABLE stored_progress (progress jsonb)`);
    await server.db.execute(sql`
      CREATE FUNCTION note_progress() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO stored_progress VALUES (NEW.progress); RETURN NEW; END $$`);
    await server.db.execute(sql`
      CREATE TRIGGER note BEFORE UPDATE OF progress ON jobs FOR EACH ROW EXECUTE FUNCTION note_progress()`);
    const startedAt = performance.now();
    let current = 0;
    while (performance.now() - startedAt < 2_500) {
      current += 1;
      const reply = await reporter.request('job.progress', {
        jobId: job.id,
        leaseId,
        current,
        total: 1_000_000,
        message: `Step ${current}`,
      });
      expect(reply.type).toBe('ok');
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const last = { current, total: 1_000_000, percentage: expect.any(Number), message: `Step ${current}` };
    await until(
      async () => (await stored(server, job)).progress?.current === current,
      'the last one is stored',
    );
    expect(current).toBeGreaterThan(100);
    for (const topic of [jobTopic(job.id), userJobsTopic(ann.id)]) {
      const told = progressOf(follower.frames, topic);
      expect(told.length).toBeGreaterThan(seconds * 5);
      expect(told.length).toBeLessThanOrEqual(seconds * 10 + 2);
      expect(told[0]?.payload).toMatchObject({ jobId: job.id, current: 1 });
      expect(told.at(-1)).toMatchObject({
        payload: { jobId: job.id, ...last },
        meta: { actorId: worker.id },
      });
      expect(told.map(({ payload }) => payload.current)).toEqual(
        told.map(({ payload }) => payload.current).toSorted((a, b) => a - b),
      );
      expect(told.every(({ seq }) => seq === undefined)).toBe(true);
    }
    const { rows } = (await server.db.execute(sql`SELECT * FROM stored_progress`)) as unknown as {
      rows: unknown[];
    }; // as both drivers answer
    expect(rows.length).toBeLessThanOrEqual(Math.ceil(seconds) + 2);
    expect((await must(server, ann, 'GET', `/jobs/${job.id}`)).progress).toEqual(last);
    expect(progressOf(admin.frames, adminJobsTopic)).toEqual([]);
    const { snapshot } = await follower.subscribe(jobTopic(job.id), { snapshot: true });
    expect(snapshot).toMatchObject({ live: { progress: last } });
    const { snapshot: list } = await follower.subscribe(userJobsTopic(ann.id), { snapshot: true });
    expect(list).toMatchObject({ live: { progress: { [job.id]: last } } });
    for (const client of [follower, reporter, admin]) client.close();
    await server.db.execute(sql`DROP TRIGGER note ON jobs`);
  });

  test('what was reported last before the end is told and stored with it', async () => {
    for (const [verb, body] of [
      ['complete', { result: 1 }],
      ['fail', { error: 'no' }],
    ] as const) {
      const job = await create(server, ann, { type: 'end' });
      const lease = leaseOf(await claimOne(server, worker, { types: ['end'] }));
      const client = await server.connect(ann);
      await client.subscribe(jobTopic(job.id));
      for (const current of [1, 2, 3])
        await act(server, worker, job, 'progress', { ...lease, current, total: 3 });
      await act(server, worker, job, verb, { ...lease, ...body });
      expect((await stored(server, job)).progress?.current).toBe(3);
      await client.next('job.status');
      const told = client.frames.flatMap(({ type, payload }) =>
        type === 'job.progress' ? [payload.current] : type === 'job.status' ? [type] : [],
      );
      expect(told.slice(-2)).toEqual([3, 'job.status']);
      client.close();
    }
  });

  test('a server that stops stores what is not stored yet', async () => {
    const first = await open();
    const [owner, busy] = [await first.register('Owner'), await registerWorker(first)];
    const job = await create(first, owner);
    const lease = leaseOf(await claimOne(first, busy));
    for (const current of [1, 2]) await act(first, busy, job, 'progress', { ...lease, current, total: 3 });
    await first.stop();
    const again = await open(first.env);
    expect((await stored(again, job)).progress?.current).toBe(2);
  });

  test('each report is fenced, also those that are not stored', async () => {
    const job = await create(server, ann, { type: 'fence' });
    const lease = leaseOf(await claimOne(server, worker, { types: ['fence'] }));
    const report = (current: number) =>
      tryAct(server, worker, job, 'progress', { ...lease, current, total: 3 });
    expect((await report(1)).body).toEqual({});
    expect((await report(2)).status).toBe(200);
    await act(server, ann, job, 'cancel');
    expect((await report(3)).body.error.details).toEqual({ status: 'cancelled' });
    // What waited to be stored is not, any more.
    await until(async () => (await report(4)).status === 409, 'a window later');
    expect((await stored(server, job)).progress?.current).toBe(1);
    expect((await eventsOf(server, jobTopic(job.id))).at(-1)?.payload.status).toBe('cancelled');
  });
});
