// [Heartbeat] Who is still there, on real sockets. Times are shortened.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import pino from 'pino';
import { connectDatabase, type Database } from '../../src/db/connect.ts';
import { createMemoryBridge } from '../../src/realtime/bridge-memory.ts';
import type { Connection } from '../../src/realtime/connection.ts';
import { type Core, createCore } from '../../src/realtime/core.ts';
import { createMemoryPresence } from '../../src/realtime/presence-memory.ts';
import { createSocketDoor, type SocketDoor } from '../../src/realtime/socket.ts';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(30_000);

const times = { pingMs: 100, silentMs: 500, sweepMs: 50 };
const topic = 'app:public.busy';
const logger = pino({ level: 'silent' });

let folder: string;
let database: Database;
let core: Core;
let door: SocketDoor;
let server: Bun.Server<Connection>;
/** What the server says all the time: to the kernel of a dead peer it is as good as read. */
let chatter: ReturnType<typeof setInterval>;

beforeAll(async () => {
  folder = await createDataFolder();
  database = await connectDatabase({ databaseUrl: undefined, databasePool: 1, dataDir: folder }, logger);
  core = await createCore({
    db: database.db,
    bridge: createMemoryBridge(true),
    createPresence: async (announce) => createMemoryPresence(announce),
    retention: { hours: 0, perTopic: 0 },
    logger,
  });
  const actor = { userId: crypto.randomUUID(), sessionId: 'session', role: 'user', source: 'ws' } as const;
  door = createSocketDoor({
    core,
    commands: [],
    topicKinds: [{ kind: 'app', hasPresence: false, mayFollow: async () => true }],
    verify: async () => ({ actor, issuedAtMs: Date.now(), expiresAtMs: Date.now() + 900_000 }),
    confirm: async () => actor,
    onRefused() {},
    onSeen() {},
    instanceId: 'test',
    limits: { frameBytes: 65_536, subscriptions: 0, commandsPerSecond: 0, connectionsPerUser: 0 },
    allowedOrigins: [],
    heartbeat: times,
  });
  server = Bun.serve<Connection>({
    port: 0,
    hostname: '127.0.0.1',
    websocket: door.handlers,
    fetch: (request, self) => door.upgrade(request, self),
  });
  core.attach(server);
  chatter = setInterval(() => core.announce({ topic, type: 'a.b', payload: 1, actor: undefined }), 10);
});

afterAll(async () => {
  clearInterval(chatter);
  door.stop();
  await server.stop(true);
  await core.stop();
  await database.close();
  await removeFolder(folder);
});

const follow = async () => {
  const raw = await openRawSocket(server.port ?? 0, { token: 'any' });
  raw.send(JSON.stringify({ id: 's', type: 'subscribe', topic }));
  await raw.next(({ id }) => id === 's');
  return raw;
};

test('[Heartbeat] cuts off a peer that answers no pings, however busy its topics, and nobody else', async () => {
  const greeting = await openRawSocket(server.port ?? 0);
  const alive = await follow();
  // Twice, one behind the other: meanwhile the one that does nothing but answer pings must be pinged again and again.
  for (const _ of [1, 2]) {
    const dead = await follow();
    const silentAt = performance.now();
    dead.stopReading();
    expect(core.connections.all.size).toBe(3);
    await until(() => core.connections.all.size === 2, 'the dead peer is cut off');
    expect(performance.now() - silentAt).toBeGreaterThanOrEqual(times.silentMs);
    dead.resumeReading();
    expect(await dead.closed).toBeUndefined();
  }
  const isLive = [...core.connections.all].map((connection) => connection.isLive);
  expect(isLive).toEqual([false, true]); // a greeting has its own deadline
  alive.destroy();
  greeting.destroy();
});
