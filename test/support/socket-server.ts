// The socket alone, and streams, on a core without modules: every token is good, and anybody may follow `app:` topics.

import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { answer as answerRefusal } from '../../src/http/errors.ts';
import { createMemoryBridge } from '../../src/realtime/bridge/memory.ts';
import { type Core, createCore } from '../../src/realtime/core.ts';
import { createMemoryCounts } from '../../src/realtime/counts/memory.ts';
import { createMemoryPresence } from '../../src/realtime/presence/memory.ts';
import { createReporter } from '../../src/realtime/report.ts';
import type { Connection } from '../../src/realtime/socket/connection.ts';
import type { HeartbeatTimes } from '../../src/realtime/socket/heartbeat.ts';
import { createSocketServer, type SocketServer } from '../../src/realtime/socket/socket.ts';
import { createDataFolder } from './embedded.ts';
import { removeFolder } from './janitor.ts';
import { openKinds } from './topics.ts';

export interface OpenSocketServer {
  readonly core: Core;
  readonly sockets: SocketServer;
  readonly port: number;
  stop(): Promise<void>;
}

export async function openSocketServer(heartbeat?: HeartbeatTimes): Promise<OpenSocketServer> {
  const logger = pino({ level: 'silent' });
  const folder = await createDataFolder();
  const database = await connectDatabase(
    { databaseUrl: undefined, databasePool: 1, dataDir: folder },
    logger,
  );
  const core = await createCore({
    db: database.db,
    bridge: createMemoryBridge(true),
    createPresence: async (announce) => createMemoryPresence(announce),
    retention: { hours: 0, perTopic: 0 },
    reporter: createReporter(logger),
    logger,
  });
  const actor = { userId: crypto.randomUUID(), sessionId: 'session', role: 'user', source: 'ws' } as const;
  const sockets = createSocketServer({
    core,
    commands: [],
    topicKinds: openKinds,
    verify: async () => ({ actor, issuedAtMs: Date.now(), expiresAtMs: Date.now() + 900_000 }),
    confirm: async () => actor,
    onRefused() {},
    onLimited() {},
    onSeen() {},
    deviceOf: () => ({ ip: undefined, userAgent: undefined }),
    onFull() {},
    answerRefusal,
    instanceId: 'test',
    counts: createMemoryCounts(),
    onRejected() {},
    limits: {
      frameBytes: 65_536,
      subscriptions: 0,
      commandsPerSecond: 0,
      connectionsPerUser: 0,
      connections: 0,
      connectionsPerAddress: 0,
    },
    allowedOrigins: [],
    heartbeat,
  });
  const server = Bun.serve<Connection>({
    port: 0,
    hostname: '127.0.0.1',
    websocket: sockets.handlers,
    fetch: (request, self) => {
      const [, topic] = /^\/v1\/topics\/([^/]+)\/stream$/.exec(new URL(request.url).pathname) ?? [];
      if (topic === undefined) return sockets.upgrade(request, self);
      return sockets.streams.open(request, 'any', { topic: decodeURIComponent(topic) });
    },
  });
  core.attach(sockets.publisher(server));
  return {
    core,
    sockets,
    port: server.port ?? 0,
    async stop() {
      sockets.stop();
      await server.stop(true);
      await core.stop();
      await database.close();
      removeFolder(folder);
    },
  };
}
