// Published on one instance, delivered by another, over Redis. Both instances share core 0.

import { atLeast } from '../goals.ts';
import type { DialectName } from '../load/dialects.ts';
import { type Contender, carillonName, type Scenario } from '../scenario.ts';
import type { Env, Rig, Rigs, Server } from '../servers.ts';
import { roundDeadlineMs, type Settings } from '../settings.ts';
import { fanOutJob, fanOutTopic, toSample } from './fan-out.ts';

const subscribers = 100;

export function acrossInstances(rigs: Rigs, settings: Settings): Scenario {
  const contender = (
    name: string,
    dialect: DialectName,
    start: (rig: Rig, env: Env) => Promise<Server>,
    prepare: (rig: Rig) => Promise<Env> = async () => ({}),
  ): Contender => ({
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const env = { REDIS_URL: (await rig.emptyRedis()).url, ...(await prepare(rig)) };
        const [here, there] = [await start(rig, env), await start(rig, env)];
        const job = fanOutJob(settings, {
          dialect,
          subscribers,
          ports: [here.port, there.port],
          pids: [here.pid, there.pid],
        });
        return toSample(await rig.load(job));
      }),
  });
  return {
    name: 'across-instances',
    title: 'Across two instances over Redis',
    cases: [
      {
        name: `ephemeral, ${subscribers} subscribers`,
        unit: 'deliveries/s',
        deadlineMs: roundDeadlineMs,
        contenders: [
          contender(
            carillonName,
            'carillon',
            (rig, env) => rig.startCarillon({ env }),
            async (rig) => ({ DATABASE_URL: await rig.createDatabase({ users: 2 }) }),
          ),
          contender('raw Bun + ioredis', 'plain', (rig, env) =>
            rig.startPeer('bun.ts', { ...env, TOPIC: fanOutTopic }),
          ),
          contender('Socket.IO + redis-adapter', 'socket.io', (rig, env) =>
            rig.startPeer('socket-io.mjs', env),
          ),
        ],
        goals: [atLeast(0.9, 'raw Bun + ioredis'), atLeast(5, 'Socket.IO + redis-adapter')],
      },
    ],
  };
}
