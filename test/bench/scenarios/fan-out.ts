// One message to many: how many deliveries a second one instance makes. Ephemeral, and durable: in the log before sent.

import type { DialectName } from '../load/dialects.ts';
import type { FanOutFigures, FanOutJob } from '../load/fan-out.ts';
import { atLeast, type Case, type Contender, carillonName, type Sample, type Scenario } from '../scenario.ts';
import type { Rig, Rigs, Server } from '../servers.ts';
import { message, roundDeadlineMs, type Settings } from '../settings.ts';

export const fanOutTopic = 'app:public.bench';

export function fanOut(rigs: Rigs, settings: Settings): Scenario {
  const contender = createContender(rigs, settings);
  const cases = [100, 1_000].flatMap((subscribers): Case[] => [
    {
      name: `ephemeral, ${subscribers} subscribers`,
      unit: 'deliveries/s',
      deadlineMs: roundDeadlineMs,
      contenders: [
        contender.carillon(subscribers, false),
        contender.peer('raw Bun', 'plain', 'bun.ts', subscribers),
        contender.peer('ws on Node', 'plain', 'ws.mjs', subscribers),
        contender.peer('Socket.IO', 'socket.io', 'socket-io.mjs', subscribers),
        contender.peer('NestJS', 'socket.io', 'nest.mjs', subscribers),
      ],
      goals: [atLeast(0.9, 'raw Bun'), atLeast(6, 'Socket.IO')],
    },
    {
      name: `durable, ${subscribers} subscribers`,
      unit: 'deliveries/s',
      deadlineMs: roundDeadlineMs,
      contenders: [
        contender.carillon(subscribers, true),
        contender.peer('raw Bun', 'plain', 'bun.ts', subscribers),
      ],
      goals: subscribers === 1_000 ? [atLeast(0.85, 'raw Bun')] : [],
    },
  ]);
  return { name: 'fan-out', title: 'Fan-out', cases };
}

/** Contenders of a fan-out on one instance; the growth curves use them too. */
export function createContender(rigs: Rigs, settings: Settings) {
  const measure = (
    name: string,
    dialect: DialectName,
    subscribers: number,
    isDurable: boolean,
    start: (rig: Rig) => Promise<Server>,
  ): Contender => ({
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const { port, pid } = await start(rig);
        const job = fanOutJob(settings, {
          dialect,
          subscribers,
          isDurable,
          ports: [port, port],
          pids: [pid],
        });
        return toSample(await rig.load(job));
      }),
  });
  return {
    carillon: (subscribers: number, isDurable: boolean) =>
      measure(carillonName, 'carillon', subscribers, isDurable, (rig) => rig.startCarillon()),
    peer: (name: string, dialect: DialectName, file: string, subscribers: number) =>
      measure(name, dialect, subscribers, false, (rig) => rig.startPeer(file)),
  };
}

export function fanOutJob(
  { warmUpMs, measureMs }: Settings,
  options: {
    dialect: DialectName;
    subscribers: number;
    isDurable: boolean;
    /** Where the publishers are, and where the subscribers are. */
    ports: readonly [number, number];
    pids: readonly number[];
  },
): FanOutJob {
  const { ports, pids, ...rest } = options;
  return {
    kind: 'fan-out',
    ...rest,
    publisherPort: ports[0],
    subscriberPort: ports[1],
    serverPids: pids,
    topic: fanOutTopic,
    publishers: 8,
    message,
    warmUpMs,
    measureMs,
  };
}

export function toSample(figures: FanOutFigures): Sample {
  const { deliveriesPerSecond, serverMicrosPerDelivery, serverShare, loadShare } = figures;
  return {
    value: deliveriesPerSecond,
    also: { 'server µs each': serverMicrosPerDelivery },
    serverShare,
    loadShare,
  };
}
