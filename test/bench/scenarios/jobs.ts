// Jobs through one type: created, claimed and completed. Carillon over HTTP, as its users have it; beside it queues for
// Node, on Redis and on the same PostgreSQL, each with as many producers and workers in a process of its own.

import { valueAtLeast } from '../goals.ts';
import type { Crew } from '../load/jobs.ts';
import { type Case, type Contender, carillonName, type Goal, type Scenario } from '../scenario.ts';
import type { Env, Rig, Rigs } from '../servers.ts';
import { message, roundDeadlineMs, type Settings } from '../settings.ts';

const crewOf = (inFlight: number): Crew => ({
  producers: 10,
  workers: 10,
  inFlight,
  unfinished: 50,
  message,
});

export function jobs(rigs: Rigs, { warmUpMs, measureMs }: Settings): Scenario {
  const carillon = (crew: Crew): Contender => ({
    name: carillonName,
    measure: () =>
      rigs.use(async (rig) => {
        const { producers, workers } = crew;
        const { port, pid } = await rig.startCarillon({ users: producers + workers, workers });
        const database = await rig.databaseServer();
        const figures = await rig.load({
          kind: 'jobs',
          port,
          serverPids: [pid],
          databasePid: database.pid,
          crew,
          warmUpMs,
          measureMs,
        });
        const { serverShare, loadShare } = figures;
        return {
          value: figures.completedPerSecond,
          also: {
            'server µs each': figures.serverMicrosPerJob,
            'PostgreSQL µs each': figures.storeMicrosPerJob,
            'p50 ms to create': figures.createP50Ms,
            'p50 ms to complete': figures.completeP50Ms,
            'jobs a claim': figures.jobsPerClaim,
          },
          serverShare,
          loadShare,
        };
      }),
  });
  const peer = (
    name: string,
    file: string,
    crew: Crew,
    store: 'PostgreSQL' | 'Redis',
    prepare: (rig: Rig) => Promise<{ readonly env: Env; readonly pid: number }>,
  ): Contender => ({
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const { env, pid: databasePid } = await prepare(rig);
        const { port, pid } = await rig.startPeer(file, { ...env, CREW: JSON.stringify(crew) });
        const { donePerSecond, serverMicrosEach, storeMicrosEach, serverShare, loadShare } = await rig.load({
          kind: 'counted',
          port,
          serverPids: [pid],
          databasePid,
          warmUpMs,
          measureMs,
        });
        const also = { 'server µs each': serverMicrosEach, [`${store} µs each`]: storeMicrosEach };
        return { value: donePerSecond, also, serverShare, loadShare };
      }),
  });
  const onPostgres = async (rig: Rig) => {
    const DATABASE_URL = await rig.createDatabase();
    return { env: { DATABASE_URL }, pid: (await rig.databaseServer()).pid };
  };
  const onRedis = (syncs: boolean) => async (rig: Rig) => {
    const { url, pid } = await rig.emptyRedis({ syncs });
    return { env: { REDIS_URL: url }, pid };
  };
  const caseOf = (inFlight: number, goals: readonly Goal[]): Case => {
    const crew = crewOf(inFlight);
    return {
      name: `10 producers, 10 workers, ${inFlight} on the way each`,
      unit: 'jobs/s',
      deadlineMs: roundDeadlineMs,
      contenders: [
        carillon(crew),
        peer('graphile-worker', 'graphile-worker.mjs', crew, 'PostgreSQL', onPostgres),
        peer('pg-boss', 'pg-boss.mjs', crew, 'PostgreSQL', onPostgres),
        peer('BullMQ', 'bullmq.mjs', crew, 'Redis', onRedis(false)),
        peer('BullMQ, synced', 'bullmq.mjs', crew, 'Redis', onRedis(true)),
      ],
      goals,
    };
  };
  return {
    name: 'jobs',
    title: 'Jobs created, claimed and completed',
    cases: [caseOf(1, [valueAtLeast(1_000)]), caseOf(5, [valueAtLeast(1_000)])],
  };
}
