// Producers who create jobs, and workers who claim and complete them, over HTTP as users of Carillon do. A closed loop: each
// producer has so many unfinished jobs at most, and creates the next one when one of them is completed.

import { createToken } from '../users.ts';
import { openKeepAlive } from './keep-alive.ts';
import { startMeter } from './meter.ts';
import { percentile } from './percentile.ts';

/** The same for everybody who is measured. */
export interface Crew {
  readonly producers: number;
  readonly workers: number;
  /** How many requests each producer has on the way, and how many jobs each worker completes at once. */
  readonly inFlight: number;
  /** How many jobs of each producer are not completed yet, at most. */
  readonly unfinished: number;
  readonly message: string;
}

export interface JobsJob {
  readonly kind: 'jobs';
  readonly port: number;
  readonly serverPids: readonly number[];
  readonly databasePid: number;
  /** The producers are the users from 0 on, the workers those behind them. */
  readonly crew: Crew;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface JobsFigures {
  readonly completedPerSecond: number;
  readonly jobsPerClaim: number;
  readonly createP50Ms: number;
  readonly completeP50Ms: number;
  readonly serverMicrosPerJob: number;
  readonly storeMicrosPerJob: number;
  readonly serverShare: number;
  readonly loadShare: number;
}

interface Claimed {
  readonly id: string;
  readonly leaseId: string;
  readonly payload: { readonly producer: number };
}

const type = 'bench.job';

export async function runJobs(job: JobsJob): Promise<JobsFigures> {
  const { crew } = job;
  const failed = Promise.withResolvers<never>();
  const run = (work: Promise<void>): void => void work.catch(failed.reject);
  let isOver = false;
  let creating: number[] = [];
  let completing: number[] = [];
  let claims = 0;
  const completedIds = new Set<string>();

  const open = async (user: number) => openKeepAlive(job.port, await createToken(user));
  const producers = await Promise.all(
    Array.from({ length: crew.producers }, async (_, producer) => ({
      room: createRoom(crew.unfinished),
      connections: await Promise.all(Array.from({ length: crew.inFlight }, () => open(producer))),
    })),
  );
  const workers = await Promise.all(
    Array.from({ length: crew.workers }, async (_, worker) => ({
      claiming: await open(crew.producers + worker),
      connections: await Promise.all(
        Array.from({ length: crew.inFlight }, () => open(crew.producers + worker)),
      ),
    })),
  );

  for (const [producer, { room, connections }] of producers.entries()) {
    const body = { type, payload: { producer, message: crew.message } };
    for (const connection of connections) {
      run(
        (async () => {
          while (!isOver) {
            await room.take();
            const startedAt = performance.now();
            await connection.post('/v1/jobs', body, 201);
            creating.push(performance.now() - startedAt);
          }
        })(),
      );
    }
  }
  for (const [worker, { claiming, connections }] of workers.entries()) {
    const body = { types: [type], workerId: `worker-${worker}`, max: 50, waitSeconds: 5 };
    run(
      (async () => {
        while (!isOver) {
          // The answer has this form; what else it says is not looked at.
          const { items } = JSON.parse(await claiming.post('/v1/jobs/claim', body, 200)) as {
            items: Claimed[];
          };
          claims += 1;
          await Promise.all(
            connections.map(async (connection) => {
              for (let next = items.pop(); next !== undefined && !isOver; next = items.pop()) {
                const { id, leaseId, payload } = next;
                if (completedIds.has(id)) throw new Error(`${id} was given out twice.`);
                const startedAt = performance.now();
                await connection.post(`/v1/jobs/${id}/complete`, { leaseId, result: { done: true } }, 200);
                completedIds.add(id);
                completing.push(performance.now() - startedAt);
                producers[payload.producer]?.room.give();
              }
            }),
          );
        }
      })(),
    );
  }

  const measured = async () => {
    await Bun.sleep(job.warmUpMs);
    creating = [];
    completing = [];
    claims = 0;
    const stop = startMeter(job.serverPids, job.databasePid);
    await Bun.sleep(job.measureMs);
    isOver = true;
    return { ...stop(), creating, completing, claims };
  };
  const counted = await Promise.race([measured(), failed.promise]);
  const completed = counted.completing.length;
  if (completed === 0) throw new Error('No job was completed.');
  return {
    completedPerSecond: completed / counted.seconds,
    jobsPerClaim: completed / counted.claims,
    createP50Ms: middleOf(counted.creating),
    completeP50Ms: middleOf(counted.completing),
    serverMicrosPerJob: (counted.serverCpuSeconds / completed) * 1e6,
    storeMicrosPerJob: ((counted.databaseCpuSeconds ?? Number.NaN) / completed) * 1e6,
    serverShare: counted.serverShare,
    loadShare: counted.loadShare,
  };
}

const middleOf = (values: number[]): number =>
  percentile(
    values.sort((a, b) => a - b),
    0.5,
  );

/** So many places; who takes one that is not there waits for it. */
function createRoom(places: number) {
  let free = places;
  const waiting: (() => void)[] = [];
  return {
    async take(): Promise<void> {
      if (free > 0) {
        free -= 1;
        return;
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
    give(): void {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}
