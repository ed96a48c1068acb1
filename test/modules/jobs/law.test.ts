// The law: apply(snapshot before, durable events) = snapshot after, for `job:<id>` and `user:<id>:jobs`, for random sequences of
// what owners and workers do, of leases that run out and of jobs that are deleted, one after another and all at once. What
// progress tells is outside of it. LAW_SEED repeats a run.

import { beforeAll, expect, test } from 'bun:test';
import { type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import {
  type ClaimedJob,
  type JobEvent,
  type JobFace,
  type JobState,
  jobTopic,
  maxListed,
  events as table,
  type UserJobsState,
  userJobsTopic,
} from '../../../src/modules/jobs/contract.ts';
import { pruneJobs } from '../../../src/modules/jobs/pruning.ts';
import { applyJob, applyUserJobs } from '../../../src/modules/jobs/state.ts';
import { readJobState, readUserJobs } from '../../../src/modules/jobs/topics.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { create, eventsOf, registerWorker } from './setup.ts';
import { steps, type World } from './steps.ts';

interface Step {
  readonly name: string;
  readonly on: number;
}

const seed = Number(process.env.LAW_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** What nobody asks for: it happens by itself. */
const byItself = ['lease runs out', 'backoff is over'];
const step: fc.Arbitrary<Step> = fc.record({
  name: fc.constantFrom(
    ...Object.keys(steps),
    ...byItself,
    'job.create',
    'job.claim',
    'job.claim',
    'job.complete',
  ),
  on: fc.nat(1_000),
});

/** Every change once, whatever chance brings beside. */
const tour: Step[] = [
  ['job.create', 2],
  ['job.claim', 0],
  ['job.progress', 0],
  ['job.fail', 199], // with an error longer than a face shows
  ['backoff is over', 0],
  ['job.claim', 0],
  ['lease runs out', 0],
  ['job.progress', 0],
  ['lease runs out', 0],
  ['backoff is over', 0],
  ['job.claim', 0],
  ['lease runs out', 0],
  ['job.retry', 1],
  ['job.claim', 0],
  ['job.complete', 2],
  ['job.create', 0],
  ['job.cancel', 2],
  ['job.retry', 1],
].map(([name, on]) => ({ name: `${name}`, on: Number(on) }));

onEachDatabase('the law of jobs', (open) => {
  let server: TestServer;
  let worker: TestUser;
  let client: TestClient;
  let runs = 0;
  const happened = new Set<string>();
  const seen = new Set<string>();

  beforeAll(async () => {
    console.log(`LAW_SEED=${seed}`);
    server = await open();
    worker = await registerWorker(server);
    client = await server.connect(worker);
  });

  async function begin(): Promise<{ owner: TestUser; type: string; claims: ClaimedJob[] }> {
    runs += 1;
    return { owner: await server.register(`Owner ${runs}`), type: `law-${runs}`, claims: [] };
  }

  const readJobs = (owner: TestUser) => readUserJobs(server.db, owner.id);

  async function take({ name, on }: Step, world: World): Promise<void> {
    if (name === 'backoff is over') {
      await server.db.execute(
        sql`UPDATE jobs SET run_at = now() WHERE type = ${world.type} AND status = 'queued'`,
      );
    } else if (name === 'lease runs out') {
      const running = world.jobs.filter(({ status }) => status === 'running');
      const job = running[on % Math.max(1, running.length)];
      if (job === undefined) return;
      const attempt = sql`id = ${job.id} AND status = 'running' AND attempts = ${job.attempts}`;
      await until(async () => {
        // Each time: a report that is stored meanwhile makes the lease longer again.
        await server.db.execute(sql`UPDATE jobs SET lease_until = now() - interval '1 s' WHERE ${attempt}`);
        const [found] = (await readJobs(world.owner)).jobs.filter(({ id }) => id === job.id);
        return (
          found?.status !== 'running' || found.attempts !== job.attempts || found.updatedAt !== job.updatedAt
        );
      }, 'the lease runs out');
      happened.add(name);
    } else if (await steps[name]?.(world, on)) {
      happened.add(name);
    }
  }

  /** The events behind the seq, each as the table has it. */
  async function readOn(topic: string, seq: number): Promise<Frame[]> {
    const frames = await eventsOf(server, topic, seq);
    expect(frames.map((frame) => frame.seq)).toEqual(frames.map((_, n) => seq + 1 + n));
    for (const { type, payload } of frames) {
      const found = Object.entries<{ payload: TSchema }>(table).find(([name]) => name === type);
      expect([type, ...Value.Errors(found?.[1].payload ?? Type.Never(), payload)]).toEqual([type]);
      seen.add(type);
    }
    return frames;
  }

  const eventOf = ({ type, payload }: Frame) => ({ type, payload }) as JobEvent; // as checked in readOn
  const applyAll = (state: UserJobsState, frames: readonly Frame[]) =>
    frames.map(eventOf).reduce(applyUserJobs, state);
  /** Without the times of waits, which the test ends behind everybody's back. */
  const timeless = <Face extends JobFace>({ runAt: _, ...job }: Face) => job;
  const durableOf = (state: JobState | UserJobsState): unknown =>
    'job' in state ? timeless(state.job) : state.jobs.map(timeless);

  /** What its own topic builds is what there is. */
  async function checkJob(id: string): Promise<void> {
    const [first, ...frames] = await readOn(jobTopic(id), 0);
    expect(first?.type).toBe('job.created');
    const built = frames.map(eventOf).reduce(applyJob, { job: first?.payload.job, live: { progress: null } });
    expect(durableOf(built)).toEqual(durableOf(await readJobState(server.db, id)));
  }

  test('one after another: the law holds behind every step, and from each to the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (taken) => {
        const { owner, type, claims } = await begin();
        const topic = userJobsTopic(owner.id);
        let state = await readJobs(owner);
        let head = 0;
        const past: [UserJobsState, number][] = [];
        for (const next of taken) {
          past.push([state, head]);
          await take(next, { server, owner, worker, client, jobs: state.jobs, claims, type });
          const news = await readOn(topic, head);
          state = applyAll(state, news);
          head += news.length;
          expect([next.name, durableOf(state)]).toEqual([next.name, durableOf(await readJobs(owner))]);
          for (const id of new Set(news.map(({ payload }) => payload.jobId))) await checkJob(id);
        }
        const log = await readOn(topic, 0);
        for (const [before, seq] of past) {
          expect(durableOf(applyAll(before, log.slice(seq)))).toEqual(durableOf(state));
        }
      }),
      { seed, numRuns: 12, examples: [[tour]], endOnFailure: true },
    );
    expect([...happened].sort()).toEqual([...Object.keys(steps), 'lease runs out'].sort());
    expect([...seen].sort()).toEqual(
      Object.keys(table)
        .filter((type) => type !== 'job.progress')
        .sort(),
    );
  }, 120_000);

  test('all at once: what a follower builds from a snapshot and frames is the next snapshot', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 2, maxLength: 8 }), { minLength: 2, maxLength: 4 }),
        async (rounds) => {
          const { owner, type, claims } = await begin();
          const topic = userJobsTopic(owner.id);
          const follower = await server.connect(owner);
          const joined = await follower.subscribe(topic, { snapshot: true });
          let state = joined.snapshot as UserJobsState; // the contract of the topic
          for (const taken of rounds) {
            const world = { server, owner, worker, client, jobs: state.jobs, claims, type };
            await Promise.all(taken.map((next) => take(next, world)));
            const late = await server.connect(owner);
            const { snapshot, seq } = await late.subscribe(topic, { snapshot: true });
            late.close();
            for (let n = joined.seq + 1; n <= seq; n += 1) {
              const frame = await follower.next((each) => each.topic === topic && each.seq !== undefined);
              expect(frame.seq).toBe(n);
              state = applyUserJobs(state, eventOf(frame));
            }
            joined.seq = seq;
            expect(durableOf(state)).toEqual(durableOf(snapshot as UserJobsState)); // as above
          }
          follower.close();
        },
      ),
      { seed, numRuns: 8, endOnFailure: true },
    );
  }, 120_000);

  test('the newest 50 are the newest 50, however many come behind and are deleted', async () => {
    const { owner, type } = await begin();
    const topic = userJobsTopic(owner.id);
    let state = await readJobs(owner);
    let head = 0;
    for (let n = 1; n <= maxListed + 8; n += 1) {
      await create(server, owner, { type });
      if (n % 10 === 0) {
        await server.db.execute(sql`
          UPDATE jobs SET status = 'cancelled', finished_at = now() - interval '200 hours' WHERE user_id = ${owner.id}`);
        state = { ...state, jobs: (await readJobs(owner)).jobs }; // what the test did behind everybody's back
        head = (await eventsOf(server, topic)).length;
        await pruneJobs(server.db);
      }
      const news = await readOn(topic, head);
      state = applyAll(state, news);
      head += news.length;
      expect(durableOf(state)).toEqual(durableOf(await readJobs(owner)));
    }
    expect(state.jobs).toHaveLength(maxListed);
  });
});
