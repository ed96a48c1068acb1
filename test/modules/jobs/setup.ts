// What the suites of jobs do all the time: users and workers, jobs and what becomes of them, over HTTP, and a look behind it.

import { eq, sql } from 'drizzle-orm';
import type { ClaimedJob, Job, JobStatus } from '../../../src/modules/jobs/contract.ts';
import { jobs } from '../../../src/modules/jobs/schema.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import type { TestServer } from '../../support/server.ts';
import { attempt, must } from '../chat/setup.ts';

export { attempt, eventsOf, must, outputOf, registerAll, typesOf, unknownId } from '../chat/setup.ts';

export const rootEmail = 'root@example.com';

/** A user whose role is that of a worker. */
export async function registerWorker(server: TestServer, name = 'Worker'): Promise<TestUser> {
  const worker = await server.register(name);
  await server.db.execute(sql`UPDATE users SET role = 'worker' WHERE id = ${worker.id}`);
  return worker;
}

export const create = (server: TestServer, owner: TestUser, body: object = {}): Promise<Job> =>
  must(server, owner, 'POST', '/jobs', { type: 'count', payload: { to: 3 }, ...body });

/** What the claim was answered. */
export const tryClaim = (server: TestServer, worker: TestUser, body: object = {}): Promise<Answer> =>
  attempt(server, worker, 'POST', '/jobs/claim', {
    types: ['count'],
    workerId: 'w-1',
    max: 1,
    waitSeconds: 0,
    ...body,
  });

export async function claim(server: TestServer, worker: TestUser, body: object = {}): Promise<ClaimedJob[]> {
  const answer = await tryClaim(server, worker, body);
  if (answer.status !== 200) throw new Error(`claim: ${JSON.stringify(answer.body)}`);
  return answer.body.items;
}

export async function claimOne(server: TestServer, worker: TestUser, body: object = {}): Promise<ClaimedJob> {
  const [job] = await claim(server, worker, body);
  if (job === undefined) throw new Error('There was nothing to claim.');
  return job;
}

type Verb = 'progress' | 'complete' | 'fail' | 'cancel' | 'retry';

export const tryAct = (
  server: TestServer,
  user: TestUser,
  { id }: { readonly id: string },
  verb: Verb,
  body?: object,
): Promise<Answer> => attempt(server, user, 'POST', `/jobs/${id}/${verb}`, body);

export const act = (
  server: TestServer,
  user: TestUser,
  { id }: { readonly id: string },
  verb: Verb,
  body?: object,
): Promise<Job> => must(server, user, 'POST', `/jobs/${id}/${verb}`, body);

export const leaseOf = ({ leaseId }: ClaimedJob) => ({ leaseId });

/** As it stands in the table. */
export async function stored(server: TestServer, { id }: { readonly id: string }) {
  const [row] = await server.db.select().from(jobs).where(eq(jobs.id, id));
  if (row === undefined) throw new Error('There is no such job.');
  return row;
}

export async function statusOf(server: TestServer, job: { readonly id: string }): Promise<JobStatus> {
  return (await stored(server, job)).status;
}

/** Its lease has run out, behind the server's back. */
export async function endLease(server: TestServer, { id }: { readonly id: string }): Promise<void> {
  await server.db.execute(sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${id}`);
}

/** Its backoff is over. */
export async function endBackoff(server: TestServer, { id }: { readonly id: string }): Promise<void> {
  await server.db.execute(sql`UPDATE jobs SET run_at = now() - interval '1 second' WHERE id = ${id}`);
}

/** Status, code and details of a refusal. */
export const refusalOf = ({ status, body }: Answer): unknown[] => [
  status,
  body.error?.code,
  body.error?.details,
];

/** Puts queued jobs of the user into the table behind the server's back, which no event tells of. */
export async function fill(server: TestServer, owner: TestUser, count: number): Promise<void> {
  await server.db.execute(sql`
    INSERT INTO jobs (id, user_id, seq, type, payload, priority, status, attempts, max_attempts, run_at, created_at, updated_at)
    SELECT gen_random_uuid(), ${owner.id}, -n, 'filled', '{}', 0, 'queued', 0, 5, now(), now(), now()
    FROM generate_series(1, ${count}::int) AS n`);
}
