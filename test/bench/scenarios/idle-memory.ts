// Thousands of connections that follow two topics and say nothing: what the server holds in memory for each.

import { valueAtMost } from '../goals.ts';
import type { DialectName } from '../load/dialects.ts';
import { type Contender, carillonName, type Scenario } from '../scenario.ts';
import type { Rig, Rigs, Server } from '../servers.ts';
import type { Settings } from '../settings.ts';

const membersPerTopic = 10;

export function idleMemory(rigs: Rigs, { isQuick }: Settings): Scenario {
  const [first, counted, settleMs] = isQuick ? [100, 400, 500] : [1_000, 8_000, 5_000];
  const contender = (
    name: string,
    dialect: DialectName,
    start: (rig: Rig) => Promise<Server>,
  ): Contender => ({
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const { port, pid } = await start(rig);
        const { bytesPerConnection, serverBytes } = await rig.load({
          kind: 'idle',
          dialect,
          port,
          serverPids: [pid],
          first,
          counted,
          membersPerTopic,
          topicPrefix: 'app:public.idle.',
          settleMs,
        });
        return { value: bytesPerConnection / 1_024, also: { 'MiB in all': serverBytes / 1_048_576 } };
      }),
  });
  return {
    name: 'idle-memory',
    title: 'Memory an idle connection',
    cases: [
      {
        name: `${first + counted} connections, 2 subscriptions each`,
        unit: 'KiB',
        deadlineMs: 120_000,
        contenders: [
          contender(carillonName, 'carillon', (rig) => rig.startCarillon({ users: first + counted })),
          contender('raw Bun', 'plain', (rig) => rig.startPeer('bun.ts')),
          contender('ws on Node', 'plain', (rig) => rig.startPeer('ws.mjs')),
          contender('Socket.IO', 'socket.io', (rig) => rig.startPeer('socket-io.mjs')),
        ],
        goals: [valueAtMost(6)],
      },
    ],
  };
}
