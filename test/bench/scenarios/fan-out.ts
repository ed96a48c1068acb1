// One message to many: how many deliveries a second one instance makes. Ephemeral, and durable: in the log before sent.

import { atLeast, figureAtMostOf } from '../goals.ts';
import type { DialectName } from '../load/dialects.ts';
import type { FanOutFigures, FanOutJob } from '../load/fan-out.ts';
import { type Case, type Contender, carillonName, type Sample, type Scenario } from '../scenario.ts';
import type { Rig, Rigs, Server } from '../servers.ts';
import { message, roundDeadlineMs, type Settings } from '../settings.ts';

export const fanOutTopic = 'app:public.bench';

/** So many messages are on the way. */
const publishers = 8;
/**
 * Of durable ones, so that the server is busy while half of them are in the database. With 8 it waits for COMMITs, and the
 * figure says how long those take.
 */
const durablePublishers = 64;

const cost = 'server µs each';
/** What counts is how many frames share a write: of Carillon's half are in the database, all of raw Bun's are on the way. */
const asManyAWrite = 'raw Bun, as many frames a write';

export function fanOut(rigs: Rigs, settings: Settings): Scenario {
  const contender = createContender(rigs, settings);
  const rawBun = (subscribers: number) => contender.peer('raw Bun', 'plain', 'bun.ts', { subscribers });
  const ephemeral = (subscribers: number): Case => ({
    name: `ephemeral, ${subscribers} subscribers`,
    unit: 'deliveries/s',
    deadlineMs: roundDeadlineMs,
    contenders: [
      contender.carillon({ subscribers }),
      rawBun(subscribers),
      contender.peer('raw Bun, frames as long as ours', 'plain', 'bun.ts', {
        subscribers,
        message: message.padEnd(ephemeralFrameBytes, 'x'),
      }),
      contender.peer('ws on Node', 'plain', 'ws.mjs', { subscribers }),
      contender.peer('Socket.IO', 'socket.io', 'socket-io.mjs', { subscribers }),
      contender.peer('NestJS', 'socket.io', 'nest.mjs', { subscribers }),
    ],
    goals: [atLeast(0.9, 'raw Bun'), atLeast(6, 'Socket.IO')],
  });
  const durable = (subscribers: number, times: number): Case => {
    const half = { subscribers, publishers: durablePublishers / 2 };
    return {
      name: `durable, ${subscribers} subscribers, ${durablePublishers} sent and not delivered`,
      unit: 'deliveries/s',
      deadlineMs: roundDeadlineMs,
      contenders: [
        contender.carillon({ subscribers, isDurable: true, publishers: durablePublishers }),
        contender.peer(asManyAWrite, 'plain', 'bun.ts', half),
        contender.peer(`${asManyAWrite} and as long`, 'plain', 'bun.ts', {
          ...half,
          message: message.padEnd(durableFrameBytes, 'x'),
        }),
        rawBun(subscribers),
      ],
      goals: [figureAtMostOf(cost, times, asManyAWrite)],
    };
  };
  return {
    name: 'fan-out',
    title: 'Fan-out',
    cases: [ephemeral(100), ephemeral(1_000), durable(100, 1.5), durable(1_000, 1.2)],
  };
}

/** The frame of an event around the message, as the protocol has it. [E3] */
const frameBytes = (place: { seq?: number }): number =>
  JSON.stringify({
    type: 'bench.ticked',
    topic: fanOutTopic,
    ...place,
    id: crypto.randomUUID(),
    at: new Date().toISOString(),
    payload: message,
    meta: { actorId: crypto.randomUUID(), source: 'ws' },
  }).length;
const ephemeralFrameBytes = frameBytes({});
const durableFrameBytes = frameBytes({ seq: 100_000 });

interface Load {
  readonly subscribers: number;
  readonly isDurable?: boolean;
  readonly publishers?: number;
  readonly message?: string;
}

/** Contenders of a fan-out on one instance; the growth curves use them too. */
export function createContender(rigs: Rigs, settings: Settings) {
  const measure = (
    name: string,
    dialect: DialectName,
    load: Load,
    start: (rig: Rig) => Promise<Server>,
  ): Contender => ({
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const { port, pid } = await start(rig);
        const job = fanOutJob(settings, { dialect, ...load, ports: [port, port], pids: [pid] });
        return toSample(await rig.load(job));
      }),
  });
  return {
    carillon: (load: Load) => measure(carillonName, 'carillon', load, (rig) => rig.startCarillon()),
    peer: (name: string, dialect: DialectName, file: string, load: Load) =>
      measure(name, dialect, load, (rig) => rig.startPeer(file)),
  };
}

export function fanOutJob(
  { warmUpMs, measureMs }: Settings,
  options: Load & {
    dialect: DialectName;
    /** Where the publishers are, and where the subscribers are. */
    ports: readonly [number, number];
    pids: readonly number[];
  },
): FanOutJob {
  const { ports, pids, ...rest } = options;
  return {
    kind: 'fan-out',
    publishers,
    message,
    isDurable: false,
    ...rest,
    publisherPort: ports[0],
    subscriberPort: ports[1],
    serverPids: pids,
    topic: fanOutTopic,
    warmUpMs,
    measureMs,
  };
}

export function toSample(figures: FanOutFigures): Sample {
  const { deliveriesPerSecond, serverMicrosPerDelivery, serverShare, loadShare } = figures;
  return {
    value: deliveriesPerSecond,
    also: { [cost]: serverMicrosPerDelivery },
    serverShare,
    loadShare,
  };
}
