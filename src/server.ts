// Builds one instance, floor by floor, and takes it down in reverse.

import type { Server } from 'bun';
import { createAuth } from './auth/auth.ts';
import { startLastSeen } from './auth/last-seen.ts';
import { createPresenceRoutes } from './auth/presence-routes.ts';
import { createRefusals } from './auth/refusals.ts';
import { readJwtSecret } from './auth/secret.ts';
import type { Config } from './config.ts';
import { connectDatabase, type Database } from './db/connect.ts';
import { createApp } from './http/app.ts';
import { maxBodyBytes } from './http/json-body.ts';
import { listModules } from './modules/index.ts';
import { createMemoryBridge } from './realtime/bridge-memory.ts';
import type { Connection } from './realtime/connection.ts';
import { createCore } from './realtime/core.ts';
import { createSocketDoor } from './realtime/socket.ts';
import type { Logger } from './telemetry/logger.ts';

export interface Instance {
  readonly url: string;
  readonly port: number;
  readonly config: Config;
  readonly database: Database;
  /** Stops accepting, sends everyone away within `DRAIN_SECONDS`, and closes what was opened. Safe to call twice. */
  stop(): Promise<void>;
}

/** Resolves when the instance is ready; fails when the database cannot be opened or migrated. */
export async function startServer(config: Config, logger: Logger): Promise<Instance> {
  const database = await connectDatabase(config, logger);
  await database.migrate();
  const { db } = database;

  const bridge = createMemoryBridge(database.kind === 'embedded');
  const core = await createCore({
    db,
    bridge,
    retention: { hours: config.eventsRetentionHours, perTopic: config.eventsRetentionPerTopic },
    logger,
  });

  let server: Server<Connection> | undefined;
  const auth = createAuth({
    config,
    db,
    commit: core.commit,
    jwtSecret: readJwtSecret(config),
    peerAddress: (request) => server?.requestIP(request)?.address,
  });
  await auth.promoteAdmins();
  const warn = (what: string) => (error: unknown) => logger.warn({ err: error }, `${what} failed`);
  const lastSeen = startLastSeen(auth.users.touchLastSeen, warn('writing down who was seen'));

  const modules = listModules({ ...core, auth });
  const door = createSocketDoor({
    core,
    commands: modules.flatMap((module) => module.commands),
    topicKinds: [...auth.topicKinds, ...modules.flatMap((module) => module.topicKinds)],
    verify: auth.verify,
    confirm: auth.confirm,
    onRefused: createRefusals(db, auth.audit, warn('auditing a refusal')),
    onSeen: lastSeen.note,
    instanceId: config.instanceId,
    limits: {
      frameBytes: config.maxFrameBytes,
      subscriptions: config.maxSubscriptions,
      commandsPerSecond: config.maxCommandsPerSecond,
      connectionsPerUser: config.maxConnectionsPerUser,
    },
    allowedOrigins: config.allowedOrigins,
  });
  let isDraining = false;
  const app = createApp({
    plugins: [
      auth.routes,
      createPresenceRoutes({ ...core, ...auth }),
      ...modules.map((module) => module.routes),
    ],
    health: {
      db,
      instanceId: config.instanceId,
      port: () => server?.port,
      redis: () => 'none',
      isDraining: () => isDraining,
    },
    toRefusal: core.toRefusal,
  });

  const listening: Server<Connection> = Bun.serve<Connection>({
    port: config.port,
    hostname: config.host,
    maxRequestBodySize: 8 * maxBodyBytes, // beyond that Bun answers, with a bare 413; below it the app says why
    websocket: door.handlers,
    fetch: (request, self) =>
      new URL(request.url).pathname === '/ws' ? door.upgrade(request, self) : app.fetch(request),
  });
  server = listening;
  core.attach(listening);

  const stop = async (): Promise<void> => {
    isDraining = true;
    const closed = listening.stop(); // no new ones; those open go on
    await door.drain(config.drainSeconds * 1_000);
    door.stop();
    await closed;
    await lastSeen.stop();
    await core.stop();
    await database.close();
  };
  let stopping: Promise<void> | undefined;
  return {
    url: `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${listening.port}`,
    port: listening.port ?? config.port,
    config,
    database,
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}
