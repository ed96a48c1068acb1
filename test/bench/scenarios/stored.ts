// Messages that are stored and acknowledged, and delivered to everyone in the room. Carillon's are authorized, logged and
// in one order for all; the peers do one INSERT each, but for one that does in a transaction what Carillon does in a batch.

import type { DialectName } from '../load/dialects.ts';
import type { RequestsFigures, RequestsJob } from '../load/requests.ts';
import { atLeast, type Case, type Contender, carillonName, type Goal, type Scenario } from '../scenario.ts';
import type { Env, Rig, Rigs, Server } from '../servers.ts';
import { message, roundDeadlineMs, type Settings } from '../settings.ts';
import { createToken, userId } from '../users.ts';

export interface Layout {
  readonly name: string;
  readonly rooms: number;
  readonly members: number;
}

const layouts: readonly Layout[] = [
  { name: '10 rooms of 10', rooms: 10, members: 10 },
  { name: 'one room of 100', rooms: 1, members: 100 },
];

export function stored(rigs: Rigs, settings: Settings): Scenario {
  const contender = createStoredContender(rigs, settings);
  const cases = layouts.flatMap((layout) =>
    [1, 5].map(
      (inFlight): Case => ({
        name: `${layout.name}, ${inFlight} in flight each`,
        unit: 'acknowledged/s',
        deadlineMs: roundDeadlineMs,
        contenders: [
          contender.carillon(layout, inFlight),
          contender.peer('Socket.IO + INSERT', 'socket-io.mjs', layout, inFlight),
          contender.peer('NestJS + INSERT', 'nest.mjs', layout, inFlight),
          contender.peer('Socket.IO + transaction', 'socket-io.mjs', layout, inFlight, { ORDERED: 'yes' }),
        ],
        goals: [atLeast(inFlight === 1 ? 5 : 8, 'Socket.IO + INSERT'), tailBelowMiddle('Socket.IO + INSERT')],
      }),
    ),
  );
  return { name: 'stored', title: 'Stored and acknowledged', cases };
}

/** Carillon's slowest one in a hundred is faster than the other's usual. */
function tailBelowMiddle(other: string): Goal {
  return {
    contender: carillonName,
    text: `p99 < p50 of ${other}`,
    check(medians) {
      const own = medians(carillonName)?.also?.['p99 ms'];
      const others = medians(other)?.also?.['p50 ms'];
      if (own === undefined || others === undefined) return undefined;
      return { found: `${own.toFixed(1)} ms against ${others.toFixed(1)} ms`, isMet: own < others };
    },
  };
}

/** The growth curves use them too. */
export function createStoredContender(rigs: Rigs, settings: Settings) {
  const measure = (
    name: string,
    dialect: DialectName,
    layout: Layout,
    inFlight: number,
    start: (rig: Rig) => Promise<Server & { topics: readonly string[] }>,
  ): Contender => ({
    name,
    measure: () =>
      rigs.use(async (rig) => {
        const { port, pid, topics } = await start(rig);
        const job: RequestsJob = {
          kind: 'requests',
          dialect,
          port,
          serverPids: [pid],
          rooms: topics,
          members: layout.members,
          inFlight,
          message,
          warmUpMs: settings.warmUpMs,
          measureMs: settings.measureMs,
        };
        return toSample(await rig.load(job));
      }),
  });
  return {
    carillon: (layout: Layout, inFlight: number) =>
      measure(carillonName, 'carillon', layout, inFlight, async (rig) => {
        const server = await rig.startCarillon({ users: layout.rooms * layout.members });
        return { ...server, topics: await createChats(server.port, layout) };
      }),
    peer: (name: string, file: string, layout: Layout, inFlight: number, env: Env = {}) =>
      measure(name, 'socket.io', layout, inFlight, async (rig) => {
        const server = await rig.startPeer(file, { ...env, DATABASE_URL: await rig.createDatabase() });
        return { ...server, topics: Array.from({ length: layout.rooms }, (_, room) => `room:${room}`) };
      }),
  };
}

function toSample(figures: RequestsFigures) {
  const { acknowledgedPerSecond, p50Ms, p99Ms, deliveriesPerMessage, serverShare, loadShare } = figures;
  return {
    value: acknowledgedPerSecond,
    also: { 'p50 ms': p50Ms, 'p99 ms': p99Ms, 'deliveries each': deliveriesPerMessage },
    serverShare,
    loadShare,
  };
}

/** One group a room, over the API; its first member creates it. Answers their topics. */
async function createChats(port: number, { rooms, members }: Layout): Promise<string[]> {
  const topics: string[] = [];
  for (let room = 0; room < rooms; room += 1) {
    const first = room * members;
    const participantIds = Array.from({ length: members - 1 }, (_, index) => userId(first + index + 1));
    const response = await fetch(`http://127.0.0.1:${port}/v1/chats`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${await createToken(first)}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ type: 'group', name: `Room ${room}`, participantIds }),
    });
    if (response.status !== 201) throw new Error(`Creating a chat: ${await response.text()}`);
    const { id } = (await response.json()) as { id: string }; // as its route says
    topics.push(`chat:${id}`);
  }
  return topics;
}
