// How workers get jobs: in order, each once, and by waiting for them.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  act,
  claim,
  claimOne,
  create,
  endLease,
  registerWorker,
  statusOf,
  stored,
  tryClaim,
} from './setup.ts';

onEachDatabase('claims', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let worker: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    worker = await registerWorker(server);
  });

  /** Answered by what came, and in how many ms. */
  const timed = async <Result>(work: Promise<Result>) => {
    const startedAt = performance.now();
    return { result: await work, tookMs: performance.now() - startedAt };
  };

  test('a claim answers the job with a lease of its own, and the job says who has it', async () => {
    const job = await create(server, ann, { type: 'one' });
    const [claimed] = await claim(server, worker, { types: ['one'], workerId: 'Worker 1', leaseSeconds: 60 });
    expect(claimed).toMatchObject({
      id: job.id,
      payload: { to: 3 },
      status: 'running',
      attempts: 1,
      workerId: 'Worker 1',
      claimedBy: worker.id,
      startedAt: expect.any(String),
      leaseId: expect.any(String),
    });
    const { leaseUntil, startedAt } = await stored(server, job);
    expect((leaseUntil?.getTime() ?? 0) - (startedAt?.getTime() ?? 0)).toBe(60_000);
    expect(claimed?.leaseUntil).toBe(leaseUntil?.toISOString() ?? '');
    expect((await tryClaim(server, worker, { types: ['one'] })).body).toEqual({ items: [] });
  });

  test('the highest priority comes first, then the oldest, over all types that are asked for', async () => {
    const made: Record<string, string> = {};
    for (const [name, type, priority] of [
      ['low', 'p.a', -100],
      ['first', 'p.a', 5],
      ['second', 'p.b', 5],
      ['top', 'p.b', 100],
      ['other', 'p.c', 100],
      ['third', 'p.a', 5],
    ] as const) {
      made[name] = (await create(server, ann, { type, priority })).id;
    }
    const items = await claim(server, worker, { types: ['p.a', 'p.b'], max: 4 });
    expect(items.map(({ id }) => id)).toEqual(
      ['top', 'first', 'second', 'third'].map((name) => made[name] ?? ''),
    );
    expect(new Set(items.map(({ leaseId }) => leaseId)).size).toBe(4);
    const rest = await claim(server, worker, { types: ['p.a', 'p.b', 'p.c'], max: 50 });
    expect(rest.map(({ id }) => id)).toEqual(['other', 'low'].map((name) => made[name] ?? ''));
  });

  test('50 workers at once claim 200 jobs, each job once', async () => {
    const owners = await Promise.all(Array.from({ length: 4 }, (_, n) => server.register(`Owner ${n}`)));
    const made: string[] = [];
    await Promise.all(
      owners.map(async (owner) => {
        for (let n = 0; n < 50; n += 1) made.push((await create(server, owner, { type: 'many' })).id);
      }),
    );
    const takeAll = async (n: number): Promise<string[]> => {
      const taken: string[] = [];
      for (;;) {
        // The last one may come back empty-handed while another has what is left locked: it waits a moment for it.
        const items = await claim(server, worker, {
          types: n % 5 === 0 ? ['many', 'none'] : ['many'],
          workerId: `w-${n}`,
          max: 1 + (n % 3),
        });
        if (items.length === 0) return taken;
        taken.push(...items.map(({ id }) => id));
      }
    };
    const taken = (await Promise.all(Array.from({ length: 50 }, (_, n) => takeAll(n)))).flat();
    expect(new Set(taken).size).toBe(taken.length);
    const rest = await claim(server, worker, { types: ['many'], max: 50 });
    expect([...taken, ...rest.map(({ id }) => id)].sort()).toEqual(made.sort());
  }, 60_000);

  test('who waits is answered as soon as a job is created, retried, or comes up', async () => {
    const wait = () => timed(claimOne(server, worker, { types: ['wait'], waitSeconds: 20 }));
    const created = wait();
    await Bun.sleep(100); // it has looked, and waits
    const createdAt = performance.now();
    const job = await create(server, ann, { type: 'wait' });
    expect((await created).result.id).toBe(job.id);
    expect(performance.now() - createdAt).toBeLessThan(500);
    await act(server, ann, job, 'cancel');
    const retried = wait();
    await Bun.sleep(100);
    const at = performance.now();
    await act(server, ann, job, 'retry');
    expect((await retried).result.id).toBe(job.id);
    expect(performance.now() - at).toBeLessThan(500);
    await act(server, ann, job, 'cancel');
    const runAt = new Date(Date.now() + 1_500).toISOString();
    const planned = await create(server, ann, { type: 'wait', runAt });
    expect(planned.runAt).toBe(runAt);
    const { result, tookMs } = await wait();
    expect(result.id).toBe(planned.id);
    expect(tookMs).toBeGreaterThan(1_000);
    expect(tookMs).toBeLessThan(3_500);
  });

  test('a claim that waits gets a job whose lease ran out', async () => {
    const job = await create(server, ann, { type: 'lost' });
    await claimOne(server, worker, { types: ['lost'] });
    const waiting = claimOne(server, worker, { types: ['lost'], waitSeconds: 20 });
    await endLease(server, job);
    expect(await waiting).toMatchObject({ id: job.id, attempts: 2 });
  });

  test('of ten who wait for three jobs, three get one each, and the rest nothing', async () => {
    const workers = Array.from({ length: 10 }, (_, n) =>
      claim(server, worker, { types: ['few'], workerId: `w-${n}`, waitSeconds: 2 }),
    );
    await Bun.sleep(100);
    const made = [];
    for (let n = 0; n < 3; n += 1) made.push((await create(server, ann, { type: 'few' })).id);
    const got = await Promise.all(workers);
    expect(got.map((items) => items.length).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    expect(got.flatMap((items) => items.map(({ id }) => id)).sort()).toEqual(made.sort());
  });

  test('where no job comes, the answer is empty when the time is over', async () => {
    const { result, tookMs } = await timed(tryClaim(server, worker, { types: ['never'], waitSeconds: 1 }));
    expect([result.status, result.body]).toEqual([200, { items: [] }]);
    expect(tookMs).toBeGreaterThanOrEqual(1_000);
    expect(tookMs).toBeLessThan(2_000);
  });

  test('a claim may wait longer than Bun leaves a silent connection open', async () => {
    const { result, tookMs } = await timed(tryClaim(server, worker, { types: ['never'], waitSeconds: 12 }));
    expect([result.status, result.body]).toEqual([200, { items: [] }]);
    expect(tookMs).toBeGreaterThanOrEqual(12_000);
  }, 20_000);

  test('a client that goes away takes no job along', async () => {
    const leaving = new AbortController();
    const asked = fetch(`${server.url}/v1/jobs/claim`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${worker.accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ types: ['gone'], workerId: 'gone', max: 1, waitSeconds: 30 }),
      signal: leaving.signal,
    }).catch(() => undefined);
    await Bun.sleep(200);
    leaving.abort();
    await asked;
    await Bun.sleep(200); // until the server knows
    const job = await create(server, ann, { type: 'gone' });
    const claimed = await claimOne(server, worker, { types: ['gone'], workerId: 'there', waitSeconds: 5 });
    expect([claimed.id, claimed.attempts]).toEqual([job.id, 1]);
  });

  test('who waits is answered empty as soon as the server begins to stop', async () => {
    const other = await open();
    const waiter = await registerWorker(other);
    const waiting = timed(tryClaim(other, waiter, { types: ['never'], waitSeconds: 30 }));
    await Bun.sleep(200);
    const stopping = timed(other.stop());
    const { result, tookMs } = await waiting;
    expect([result.status, result.body]).toEqual([200, { items: [] }]);
    expect(tookMs).toBeLessThan(2_000);
    expect((await stopping).tookMs).toBeLessThan(5_000);
  });

  if (database.kind === 'postgres') {
    test('a job of another instance is there within a second, also without Redis', async () => {
      const other = await open(server.env);
      const waiting = timed(claimOne(server, worker, { types: ['far'], waitSeconds: 20 }));
      await Bun.sleep(300);
      const job = await create(other, ann, { type: 'far' });
      const at = performance.now();
      expect((await waiting).result.id).toBe(job.id);
      expect(performance.now() - at).toBeLessThan(1_300);
    });

    test('waiting takes no database connection: more wait than there are', async () => {
      const waiting = Array.from({ length: 20 }, () =>
        tryClaim(server, worker, { types: ['idle'], waitSeconds: 3 }),
      );
      await until(async () => {
        const { tookMs } = await timed(create(server, ann, { type: 'busy' }));
        return tookMs < 500;
      }, 'others are served meanwhile');
      await until(async () => {
        const rows = await queryRows(
          server.db,
          sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'`,
        );
        return rows.length === 0;
      }, 'no connection is in a transaction');
      for (const { body } of await Promise.all(waiting)) expect(body.items).toEqual([]);
    });
  }

  test('statuses in the table are those that the workers were told', async () => {
    const job = await create(server, ann, { type: 'status' });
    expect(await statusOf(server, job)).toBe('queued');
    const { leaseId } = await claimOne(server, worker, { types: ['status'] });
    expect(await statusOf(server, job)).toBe('running');
    await act(server, worker, job, 'complete', { leaseId });
    expect(await statusOf(server, job)).toBe('completed');
  });
});
