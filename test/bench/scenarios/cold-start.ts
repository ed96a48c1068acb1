// From the start of the process until it says that it is ready.

import { createDataFolder } from '../../support/embedded.ts';
import { removeFolder } from '../../support/janitor.ts';
import { valueAtMost } from '../goals.ts';
import { type Case, type Contender, carillonName, type Scenario } from '../scenario.ts';
import type { Rig, Rigs } from '../servers.ts';
import { roundDeadlineMs, type Settings } from '../settings.ts';

export function coldStart(rigs: Rigs, { isQuick }: Settings): Scenario {
  const starts = isQuick ? 1 : 3;
  /** Several a round, and the fastest of them: what was slower was slowed down by something else. */
  const fastest = async (start: () => Promise<unknown>): Promise<number> => {
    let best = Number.POSITIVE_INFINITY;
    for (let count = 0; count < starts; count += 1) {
      const startedAt = performance.now();
      await start();
      best = Math.min(best, (performance.now() - startedAt) / 1_000);
    }
    return best;
  };
  const contender = (name: string, measure: (rig: Rig) => Promise<number>): Contender => ({
    name,
    measure: () => rigs.use(async (rig) => ({ value: await measure(rig) })),
  });
  const peers = [
    contender('Socket.IO', (rig) => fastest(() => rig.startPeer('socket-io.mjs'))),
    contender('NestJS', (rig) => fastest(() => rig.startPeer('nest.mjs'))),
  ];
  const embedded = contender(carillonName, async (rig) => {
    const folder = await createDataFolder();
    try {
      // One process at a time may have the folder open.
      return await fastest(() => rigs.use((inner) => inner.startCarillon({ env: { DATA_DIR: folder } })));
    } finally {
      await rig.end();
      removeFolder(folder);
    }
  });
  const onPostgres = contender(carillonName, async (rig) => {
    const env = { DATABASE_URL: await rig.createDatabase({ users: 1 }) };
    return await fastest(() => rig.startCarillon({ env }));
  });
  const caseOf = (name: string, contenders: Contender[], limitSeconds: number): Case => ({
    name,
    unit: 's until ready',
    deadlineMs: roundDeadlineMs,
    contenders,
    goals: [valueAtMost(limitSeconds)],
  });
  return {
    name: 'cold-start',
    title: 'Cold start',
    cases: [
      caseOf('embedded database, existing data', [embedded], 1),
      caseOf('PostgreSQL', [onPostgres, ...peers], 0.5),
    ],
  };
}
