// Faults at random, planned from a seed before anything is broken: the same seed gives the same plan. Every part of the
// cluster is struck on its own, so that faults also meet.

import type { Random } from '../support/random.ts';
import { type Cluster, instanceIndexes } from './cluster.ts';

export interface Strike {
  readonly part: string;
  readonly fault: string;
  /** Since the beginning; later, where the strike before it on the same part took longer. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Breaks the part and mends it. */
  readonly run: (cluster: Cluster, durationMs: number) => Promise<void>;
}

type Fault = Pick<Strike, 'fault' | 'run'>;

const shortestMs = 200;
const longestMs = 3_000;
/** Between two strikes on one part. */
const shortestRestMs = 1_000;
const longestRestMs = 6_000;

const parts: ReadonlyMap<string, readonly Fault[]> = new Map([
  ...instanceIndexes.map((index) => [`instance ${index}`, listInstanceFaults(index)] as const),
  [
    'Redis',
    [
      {
        fault: 'kill -9',
        async run(cluster, durationMs) {
          await cluster.killRedis();
          await Bun.sleep(durationMs);
          await cluster.restartRedis();
        },
      },
      { fault: 'frozen', run: (cluster, durationMs) => cluster.freezeRedis(durationMs) },
    ],
  ],
  [
    'PostgreSQL',
    [
      {
        fault: 'crash',
        async run(cluster, durationMs) {
          await cluster.crashPostgres();
          await Bun.sleep(durationMs);
          await cluster.restartPostgres();
        },
      },
    ],
  ],
  [
    'network',
    [
      {
        fault: 'cut',
        async run({ proxies }) {
          for (const proxy of proxies) proxy.cut();
        },
      },
    ],
  ],
]);

export function planStrikes(random: Random, seconds: number): Strike[] {
  const plan: Strike[] = [];
  for (const [part, faults] of parts) {
    let atMs = random.below(longestRestMs);
    while (atMs < seconds * 1_000) {
      const durationMs = shortestMs + random.below(longestMs - shortestMs);
      plan.push({ part, atMs, durationMs, ...random.pick(faults) });
      atMs += durationMs + shortestRestMs + random.below(longestRestMs - shortestRestMs);
    }
  }
  return plan.sort((a, b) => a.atMs - b.atMs);
}

/** Resolves when everything is mended again. */
export async function carryOut(plan: readonly Strike[], cluster: Cluster): Promise<void> {
  const startedAt = performance.now();
  const strikeAll = async (strikes: readonly Strike[]): Promise<void> => {
    for (const { atMs, durationMs, run } of strikes) {
      await Bun.sleep(Math.max(0, startedAt + atMs - performance.now()));
      await run(cluster, durationMs);
    }
  };
  await Promise.all([...parts.keys()].map((name) => strikeAll(plan.filter(({ part }) => part === name))));
}

export function formatPlan(plan: readonly Strike[]): string {
  return plan
    .map(
      ({ part, fault, atMs, durationMs }) =>
        `${(atMs / 1_000).toFixed(1)} s ${part}: ${fault} (${durationMs} ms)`,
    )
    .join('\n');
}

function listInstanceFaults(index: number): Fault[] {
  return [
    {
      fault: 'kill -9',
      async run(cluster, durationMs) {
        await cluster.killInstance(index);
        await Bun.sleep(durationMs);
        await cluster.startInstance(index);
      },
    },
    {
      fault: 'SIGTERM',
      async run(cluster) {
        await cluster.drainInstance(index);
        await cluster.startInstance(index);
      },
    },
    { fault: 'frozen', run: (cluster, durationMs) => cluster.freezeInstance(index, durationMs) },
  ];
}
