// For each operation that writes, what owners and workers may ask, at random: most of it is allowed now and then, all of it may be
// refused. Numbers choose among what is there when the step is taken. `../law.test.ts` takes the list from the declarations.

import { expect } from 'bun:test';
import type { ClaimedJob, JobFace } from '../../../src/modules/jobs/contract.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import type { TestClient } from '../../support/client.ts';
import type { TestServer } from '../../support/server.ts';
import { attempt, tryAct, tryClaim } from './setup.ts';

/** What is there. */
export interface World {
  readonly server: TestServer;
  readonly owner: TestUser;
  readonly worker: TestUser;
  /** Of the worker. */
  readonly client: TestClient;
  /** The owner's, the newest first. */
  readonly jobs: readonly JobFace[];
  /** Everything that was ever claimed, also what is somebody else's by now. */
  readonly claims: ClaimedJob[];
  /** The queue of this run alone. */
  readonly type: string;
}

/** Answers whether it happened. */
export type Take = (world: World, on: number) => Promise<boolean>;

/** By the name of the operation. */
export const steps: Readonly<Record<string, Take>> = {
  'job.create': async ({ server, owner, type }, on) =>
    done(
      await attempt(server, owner, 'POST', '/jobs', {
        type,
        payload: [{ on }, 'Zoë', null, on / 3][on % 4],
        priority: (on % 7) - 3,
        maxAttempts: 1 + (on % 3),
        ...(on % 11 === 0 && { runAt: '2000-01-01T00:00:00Z' }),
      }),
    ),
  'job.claim': async ({ server, worker, type, claims }, on) => {
    const answer = await tryClaim(server, worker, {
      types: on % 2 === 0 ? [type] : ['none', type],
      workerId: `w-${on % 5}`,
      max: 1 + (on % 2),
    });
    if (!done(answer)) return false;
    claims.push(...answer.body.items);
    return answer.body.items.length > 0;
  },
  'job.progress': async ({ server, worker, client, claims }, on) => {
    const claimed = pick(claims, on);
    if (claimed === undefined) return false;
    const { id: jobId, leaseId } = claimed;
    const report = { leaseId, current: on, total: 1_000, message: `At ${on}` };
    if (on % 2 === 0) return done(await tryAct(server, worker, claimed, 'progress', report));
    const reply = await client.request('job.progress', { jobId, ...report });
    expect(reply.error?.code).not.toBe('internal');
    return reply.type === 'ok';
  },
  'job.fail': async ({ server, worker, claims }, on) => {
    const claimed = pick(claims, on);
    if (claimed === undefined) return false;
    const { leaseId } = claimed;
    const body = { leaseId, error: `${'Broken. '.repeat(1 + (on % 200))}`, retry: on % 3 > 0 };
    return done(await tryAct(server, worker, claimed, 'fail', body));
  },
  'job.complete': async ({ server, worker, claims }, on) => {
    const claimed = pick(claims, on);
    if (claimed === undefined) return false;
    const { leaseId } = claimed;
    const body = { leaseId, ...(on % 4 > 0 && { result: [{ on }, 'text', [on]][on % 3] }) };
    return done(await tryAct(server, worker, claimed, 'complete', body));
  },
  'job.cancel': async ({ server, owner, jobs }, on) => {
    const job = pick(jobs, on);
    return job !== undefined && done(await tryAct(server, owner, job, 'cancel'));
  },
  'job.retry': async ({ server, owner, jobs }, on) => {
    // Mostly one that can be.
    const ended = jobs.filter(({ status }) => status === 'failed' || status === 'cancelled');
    const job = pick(on % 4 === 0 || ended.length === 0 ? jobs : ended, on);
    return job !== undefined && done(await tryAct(server, owner, job, 'retry'));
  },
};

/** Mostly one of the newest. */
const pick = <Item>(items: readonly Item[], on: number): Item | undefined =>
  on % 2 === 0 ? items.at(-1 - (on % 3)) : items[on % Math.max(1, items.length)];

function done({ status }: Answer): boolean {
  expect(status).toBeLessThan(500);
  return status < 300;
}
