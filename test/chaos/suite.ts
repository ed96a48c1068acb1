// One cluster for a suite of faults, and what every fault has to prove: afterwards nothing is lost, repeated, reordered
// or invented, and no instance has met a bug. What was seen is printed as a table at the end.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { describeWith } from '../support/needs.ts';
import { postgresMissing } from '../support/postgres.ts';
import { redisMissing } from '../support/redis.ts';
import { Cluster } from './cluster.ts';
import { Load, type LoadOptions, type Outcome } from './load.ts';
import { formatTable, type Row } from './report.ts';

export interface ProofOptions extends Pick<LoadOptions, 'pauseMs' | 'contentChars'> {
  /** Clients connect through the proxies. */
  readonly through?: 'proxies';
  /** Only this instance is written to, and its events are read on the others. */
  readonly writeTo?: number;
  readonly timeoutMs?: number;
  /** What must hold beside the promise. */
  readonly check?: (outcome: Outcome) => void;
}

export interface Chaos {
  /** Of this suite; not before its tests run. */
  readonly getCluster: () => Cluster;
  /** A test that does the damage under load. What it leaves broken stays so until every ledger was compared. */
  readonly prove: (
    fault: string,
    claim: string,
    strike: (load: Load, cluster: Cluster) => Promise<void>,
    options?: ProofOptions,
  ) => void;
}

export function describeChaos(name: string, define: (chaos: Chaos) => void): void {
  setDefaultTimeout(90_000);
  describeWith(name, postgresMissing ?? redisMissing, () => {
    let cluster: Cluster | undefined;
    const rows: Row[] = [];
    const getCluster = (): Cluster => {
      if (cluster === undefined) throw new Error('The cluster did not start.');
      return cluster;
    };

    beforeAll(async () => {
      cluster = await Cluster.start();
    });
    afterAll(async () => {
      console.log(`\n${formatTable(rows)}\n`);
      await cluster?.stop();
    });

    define({
      getCluster,
      prove(fault, claim, strike, { timeoutMs, check, ...options } = {}) {
        test(
          `${fault}: ${claim}`,
          async () => {
            const load = await Load.start(getCluster(), chooseUrls(getCluster(), options));
            try {
              await strike(load, getCluster());
              const outcome = await load.settle();
              rows.push({ fault, ...outcome });
              expectPromiseKept(outcome);
              expect(getCluster().takeBugs()).toEqual([]);
              check?.(outcome);
            } finally {
              await load.stop();
              await getCluster().mend();
            }
          },
          timeoutMs,
        );
      },
    });
  });
}

function chooseUrls(cluster: Cluster, { through, writeTo, ...options }: ProofOptions): LoadOptions {
  const all = through === 'proxies' ? cluster.proxies.map(({ url }) => url) : cluster.urls;
  if (writeTo === undefined) return { urls: all, ...options };
  const isWritten = (_: string, index: number): boolean => index === writeTo;
  return {
    urls: all.filter((url, index) => !isWritten(url, index)),
    senderUrls: all.filter(isWritten),
    ...options,
  };
}

function expectPromiseKept(outcome: Outcome): void {
  expect(outcome).toMatchObject({
    acknowledged: outcome.sent,
    lost: 0,
    repeated: 0,
    reordered: 0,
    invented: 0,
  });
  expect(outcome.refusals.filter((code) => code !== 'unavailable')).toEqual([]);
}
