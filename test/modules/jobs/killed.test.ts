// kill -9 of an instance in the middle of its batches: a job and what is told of it are both there or neither, what was
// acknowledged is kept, and what was not happens once when it is asked for again.

import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import {
  type ClaimedJob,
  type JobStatus,
  jobTopic,
  userJobsTopic,
} from '../../../src/modules/jobs/contract.ts';
import type { Answer, Api, TestUser } from '../../support/api.ts';
import { spawnServer } from '../../support/process.ts';
import { onEachDatabase } from '../../support/server.ts';
import { eventsOf, registerWorker } from './setup.ts';

const post = (api: Api, user: TestUser, path: string, body: object, headers: Record<string, string> = {}) =>
  api.request('POST', `/v1${path}`, { token: user.accessToken, body, headers });

onEachDatabase('a killed instance', (open, database) => {
  if (database.kind === 'embedded') return; // what it keeps is proved in test/realtime/log/crash.test.ts

  test('leaves each job and its events together, and what it did not answer happens once', async () => {
    const env = await database.create();
    const server = await open(env);
    const owners = [await server.register('Ann'), await server.register('Ben')];
    const worker = await registerWorker(server);
    /** What was asked for, by its key, and whether it was answered. */
    const created = new Map<string, { readonly owner: TestUser; id?: string }>();
    const completed = new Map<string, { readonly leaseId: string; isAnswered: boolean }>();

    for (const killAfter of [15, 40, 80]) {
      const victim = await spawnServer(env);
      let answered = 0;
      const produce = async (owner: TestUser) => {
        for (;;) {
          const key = crypto.randomUUID();
          const entry: { readonly owner: TestUser; id?: string } = { owner };
          created.set(key, entry);
          const answer = await post(
            victim,
            owner,
            '/jobs',
            { type: 'k', payload: {} },
            { 'Idempotency-Key': key },
          );
          if (answer.status === 201) entry.id = answer.body.id;
        }
      };
      const work = async () => {
        for (;;) {
          const wanted = { types: ['k'], workerId: 'w', max: 3, waitSeconds: 5, leaseSeconds: 300 };
          const { body } = await post(victim, worker, '/jobs/claim', wanted);
          await Promise.all(
            body.items.map(async ({ id, leaseId }: ClaimedJob) => {
              const entry = { leaseId, isAnswered: false };
              completed.set(id, entry);
              const { status } = await post(victim, worker, `/jobs/${id}/complete`, { leaseId, result: id });
              entry.isAnswered = status === 200;
              answered += 1;
              if (answered === killAfter) victim.kill('SIGKILL');
            }),
          );
        }
      };
      const crew = [...owners, ...owners, ...owners].map(produce).concat([1, 2, 3, 4].map(work));
      const ends = await Promise.allSettled(crew); // each ends when nobody answers any more
      expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
      await victim.exited;
    }

    /** Every job and everything that was told, as it stands now. */
    const check = async (): Promise<Map<string, JobStatus>> => {
      const rows = await queryRows<{ id: string; status: JobStatus }>(
        server.db,
        sql`SELECT id, status FROM jobs`,
      );
      const statuses = new Map(rows.map(({ id, status }) => [id, status]));
      const topics = await queryRows<{ name: string }>(
        server.db,
        sql`SELECT name FROM topics WHERE name LIKE 'job:%'`,
      );
      expect(topics.map(({ name }) => name).sort()).toEqual([...statuses.keys()].map(jobTopic).sort());
      const onOwners = await Promise.all(owners.map(({ id }) => eventsOf(server, userJobsTopic(id))));
      for (const events of onOwners)
        expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => n + 1));
      const byJob = Map.groupBy(onOwners.flat(), ({ payload }) => payload.jobId);
      expect([...byJob.keys()].sort()).toEqual([...statuses.keys()].sort());
      for (const [id, status] of statuses) {
        const events = await eventsOf(server, jobTopic(id));
        expect(events.map((event) => event.id)).toEqual(byJob.get(id)?.map((event) => event.id) ?? []);
        const changes = events.flatMap(({ type, payload }) =>
          type === 'job.status' ? [payload.status] : [],
        );
        expect(changes.at(-1) ?? 'queued').toBe(status);
        expect(events.filter(({ type }) => type === 'job.completed')).toHaveLength(
          status === 'completed' ? 1 : 0,
        );
      }
      return statuses;
    };
    const before = await check();
    for (const { id } of created.values()) if (id !== undefined) expect(before.has(id)).toBe(true);
    for (const [id, { isAnswered }] of completed) if (isAnswered) expect(before.get(id)).toBe('completed');

    const repeats: Promise<Answer>[] = [];
    for (const [key, { owner }] of created)
      repeats.push(post(server, owner, '/jobs', { type: 'k', payload: {} }, { 'Idempotency-Key': key }));
    for (const [id, { leaseId }] of completed)
      repeats.push(post(server, worker, `/jobs/${id}/complete`, { leaseId, result: id }));
    const statuses = new Set((await Promise.all(repeats)).map(({ status }) => status));
    expect([...statuses].sort()).toEqual([200, 201]);
    const after = await check();
    expect(after.size).toBe(created.size);
    for (const id of completed.keys()) expect(after.get(id)).toBe('completed');
  }, 60_000);
});
