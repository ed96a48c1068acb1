// Messages that are stored and acknowledged, and delivered to everyone in the room. Carillon's are authorized, logged and
// in one order for all. Beside it: the floor (one statement for all that has come, and nothing around it), one INSERT
// each, and what Carillon does in a batch, done in a transaction each. On this machine's disk, and on a slow one.

import { type DiskName, slowDiskMissing } from '../disk/disk.ts';
import { atLeast, figureAtMost, figureNear } from '../goals.ts';
import type { DialectName } from '../load/dialects.ts';
import type { RequestsFigures } from '../load/requests.ts';
import {
  type Case,
  type Contender,
  carillonName,
  type Goal,
  type Sample,
  type Scenario,
} from '../scenario.ts';
import type { Env, Rig, Rigs, Server } from '../servers.ts';
import { message, roundDeadlineMs, type Settings } from '../settings.ts';
import { createToken, userId } from '../users.ts';

export interface Layout {
  readonly name: string;
  readonly rooms: number;
  readonly members: number;
}

const tenRooms: Layout = { name: '10 rooms of 10', rooms: 10, members: 10 };
const oneRoom: Layout = { name: 'one room of 100', rooms: 1, members: 100 };

const bareBatch = 'bare batch';
const insertEach = 'Socket.IO + INSERT';
const transactionEach = 'Socket.IO + transaction';
const serverMicros = 'server µs each';
const databaseMicros = 'PostgreSQL µs each';

export function stored(rigs: Rigs, settings: Settings): Scenario {
  const contender = createStoredContender(rigs, settings);
  const caseOf = (layout: Layout, inFlight: number, goals: readonly Goal[]): Case => ({
    ...describe(layout, inFlight),
    contenders: [
      contender.carillon(layout, inFlight),
      contender.bareBatch(layout, inFlight),
      contender.peer(insertEach, 'socket-io.mjs', layout, inFlight),
      contender.peer('NestJS + INSERT', 'nest.mjs', layout, inFlight),
      contender.peer(transactionEach, 'socket-io.mjs', layout, inFlight, { ORDERED: 'yes' }),
    ],
    goals,
  });
  const evenTail = figureNear('p99 ms', 3, 'p50 ms');
  return {
    name: 'stored',
    title: 'Stored and acknowledged',
    cases: [
      caseOf(tenRooms, 1, [atLeast(0.75, bareBatch), atLeast(6, transactionEach), evenTail]),
      caseOf(tenRooms, 5, [
        atLeast(0.75, bareBatch),
        atLeast(12, transactionEach),
        evenTail,
        figureAtMost(databaseMicros, 20),
        figureAtMost(serverMicros, 25),
      ]),
      caseOf(oneRoom, 1, []),
      caseOf(oneRoom, 5, []),
    ],
  };
}

export function storedOnSlowDisk(rigs: Rigs, settings: Settings): Scenario {
  const contender = createStoredContender(rigs, settings, 'slow');
  return {
    name: 'stored-slow-disk',
    title: 'Stored on a disk that takes 1 ms more to sync',
    missing: slowDiskMissing,
    cases: [1, 5].map((inFlight) => ({
      ...describe(tenRooms, inFlight),
      contenders: [
        contender.carillon(tenRooms, inFlight),
        contender.bareBatch(tenRooms, inFlight),
        contender.peer(insertEach, 'socket-io.mjs', tenRooms, inFlight),
        contender.peer(transactionEach, 'socket-io.mjs', tenRooms, inFlight, { ORDERED: 'yes' }),
      ],
      goals: [atLeast(inFlight === 1 ? 5 : 8, insertEach)],
    })),
  };
}

const describe = ({ name }: Layout, inFlight: number) => ({
  name: `${name}, ${inFlight} in flight each`,
  unit: 'acknowledged/s',
  deadlineMs: roundDeadlineMs,
});

/** The growth curves use them too. */
export function createStoredContender(rigs: Rigs, settings: Settings, disk: DiskName = 'own') {
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
        const database = await rig.databaseServer();
        const syncMs = database.measureSyncMs();
        const figures = await rig.load({
          kind: 'requests',
          dialect,
          port,
          serverPids: [pid],
          databasePid: database.pid,
          rooms: topics,
          members: layout.members,
          inFlight,
          message,
          warmUpMs: settings.warmUpMs,
          measureMs: settings.measureMs,
        });
        return toSample(figures, { 'ms a sync': syncMs });
      }, disk),
  });
  return {
    carillon: (layout: Layout, inFlight: number) =>
      measure(carillonName, 'carillon', layout, inFlight, async (rig) => {
        const server = await rig.startCarillon({ users: layout.rooms * layout.members });
        return { ...server, topics: await createChats(server.port, layout) };
      }),
    bareBatch: (layout: Layout, inFlight: number) =>
      measure(bareBatch, 'carillon', layout, inFlight, async (rig) => {
        const DATABASE_URL = await rig.createDatabase({ users: 1 });
        const server = await rig.startPeer('bare-batch.ts', { DATABASE_URL });
        return {
          ...server,
          topics: Array.from({ length: layout.rooms }, (_, room) => `chat:${userId(room)}`),
        };
      }),
    peer: (name: string, file: string, layout: Layout, inFlight: number, env: Env = {}) =>
      measure(name, 'socket.io', layout, inFlight, async (rig) => {
        const server = await rig.startPeer(file, { ...env, DATABASE_URL: await rig.createDatabase() });
        return { ...server, topics: Array.from({ length: layout.rooms }, (_, room) => `room:${room}`) };
      }),
  };
}

export function toSample(figures: RequestsFigures, further: Sample['also'] = {}): Sample {
  const {
    acknowledgedPerSecond,
    p50Ms,
    p99Ms,
    deliveriesPerMessage,
    databaseMicrosPerMessage,
    serverShare,
    loadShare,
  } = figures;
  return {
    value: acknowledgedPerSecond,
    also: {
      'p50 ms': p50Ms,
      'p99 ms': p99Ms,
      [serverMicros]: figures.serverMicrosPerMessage,
      ...(databaseMicrosPerMessage !== undefined && { [databaseMicros]: databaseMicrosPerMessage }),
      'deliveries each': deliveriesPerMessage,
      ...further,
    },
    serverShare,
    loadShare,
  };
}

/** One group a room, over the API; its first member creates it. Answers their topics. */
export async function createChats(port: number, { rooms, members }: Layout): Promise<string[]> {
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
