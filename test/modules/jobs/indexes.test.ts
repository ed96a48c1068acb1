// However long the queue is, a claim and a look into it read no more than they answer, by the index that is made for them.

import { beforeAll, expect, test } from 'bun:test';
import { type SQL, sql } from 'drizzle-orm';
import { pickJobs, selectReady } from '../../../src/modules/jobs/claiming.ts';
import { isLeased } from '../../../src/modules/jobs/schema.ts';
import type { TestUser } from '../../support/api.ts';
import { explain } from '../../support/explain.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { fill } from './setup.ts';

onEachDatabase('the indexes of jobs', (open) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    await fill(server, ann, 12_000);
    // Of two types; every tenth is planned for tomorrow; a sixth is over, and a sixth has a lease.
    await server.db.execute(sql`
      UPDATE jobs SET type = CASE seq % 2 WHEN 0 THEN 'a' ELSE 'b' END, priority = abs(seq) % 7,
        status = CASE abs(seq) % 6 WHEN 0 THEN 'completed' WHEN 3 THEN 'running' ELSE 'queued' END,
        lease_until = now() + interval '1 hour',
        run_at = now() + CASE seq % 10 WHEN 0 THEN interval '1 day' ELSE interval '0' END`);
    await server.db.execute(sql`ANALYZE jobs`);
  }, 60_000);

  for (const [name, statement, index, most] of [
    ['a claim of one type', () => pickJobs(['a'], 5), 'jobs_claim', 5],
    ['a claim of three types', () => pickJobs(['a', 'b', 'none'], 5), 'jobs_claim', 10],
    ['a look for what is ready', () => selectReady(['a', 'b', 'none']), 'jobs_claim', 3], // one each, as EXPLAIN rounds
    [
      'a user’s list',
      () => sql`SELECT * FROM jobs WHERE user_id = ${ann.id} ORDER BY seq DESC LIMIT 51`,
      'jobs_user_seq',
      51,
    ],
    [
      'the leases that ran out',
      () =>
        sql`SELECT id FROM jobs WHERE ${isLeased} AND lease_until <= now() ORDER BY lease_until LIMIT 100`,
      'jobs_lease',
      0,
    ],
    [
      'the newest of all',
      () => sql`SELECT * FROM jobs ORDER BY created_at DESC, id DESC LIMIT 100`,
      'jobs_newest',
      100,
    ],
  ] as const satisfies readonly (readonly [string, () => SQL, string, number])[]) {
    test(`${name}: by its index, at most ${most} rows`, async () => {
      const explained = await explain(server.db, statement(), 'jobs');
      expect([...explained.indexes]).toEqual([index]);
      expect(explained.rows).toBeLessThanOrEqual(most);
    });
  }
});
