// Builds one instance, floor by floor, and takes it down in reverse.

import type { Server } from 'bun';
import { createAuth } from './auth/auth.ts';
import { startLastSeen, touchLastSeen } from './auth/last-seen.ts';
import { countInMemory, countInRedis } from './auth/rate-limits.ts';
import { createLimitHits, createRefusals } from './auth/refusals.ts';
import { readJwtSecret } from './auth/secret.ts';
import { type Config, ConfigError } from './config.ts';
import { readBootId } from './db/boot.ts';
import { connectDatabase } from './db/connect.ts';
import type { Database } from './db/database.ts';
import { createApp } from './http/app.ts';
import { createCors } from './http/cors.ts';
import { answer as answerRefusal } from './http/errors.ts';
import { createGuard } from './http/guard.ts';
import { listenAt } from './http/listen.ts';
import { type KeepSilent, mountModule } from './http/routes.ts';
import { createSignIn } from './http/sign-in.ts';
import { allModules } from './modules/index.ts';
import { AppError } from './protocol/errors.ts';
import { createMemoryBridge } from './realtime/bridge/memory.ts';
import { createRedisBridge } from './realtime/bridge/redis.ts';
import { checkModules } from './realtime/check-modules.ts';
import { type Clockwork, startClockwork } from './realtime/clockwork/clockwork.ts';
import { createCore } from './realtime/core.ts';
import type { Hub } from './realtime/hub/hub.ts';
import type { DefinedModule, Module, ModuleCore, Reporter } from './realtime/index.ts';
import { readStored, renewEpoch } from './realtime/log/identity.ts';
import { chooseModules, listKinds } from './realtime/module.ts';
import { combineHiding } from './realtime/presence/hiding.ts';
import { createMemoryPresence } from './realtime/presence/memory.ts';
import type { AnnouncePresence } from './realtime/presence/presence.ts';
import { createRedisPresence } from './realtime/presence/redis.ts';
import { createReporter } from './realtime/report.ts';
import type { Connection } from './realtime/socket/connection.ts';
import { toCommand } from './realtime/socket/operations.ts';
import { createSocketServer } from './realtime/socket/socket.ts';
import { createTopicKinds } from './realtime/topic-kind.ts';
import { connectRedis } from './redis/client.ts';
import type { Logger } from './telemetry/logger.ts';

export interface Instance {
  readonly url: string;
  readonly port: number;
  readonly config: Config;
  readonly database: Database;
  /** What it has in memory of each topic. */
  readonly hub: Hub;
  /** What it serves. */
  readonly modules: readonly Module[];
  /** Stops accepting, sends everyone away within `DRAIN_SECONDS`, and closes what was opened. Safe to call twice. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** The machine's. */
  readonly bootId?: string;
  /** Beside those of `modules/index.ts`. */
  readonly modules?: readonly DefinedModule[];
  /** Other processes of this user listen on the same port, and the kernel gives each connection to one of them. */
  readonly isPortShared?: boolean;
}

/** Resolves when the instance is ready; fails when the database cannot be opened or migrated, or a module is not there. */
export async function startServer(
  config: Config,
  logger: Logger,
  { bootId = readBootId(), modules: further = [], isPortShared = false }: ServerOptions = {},
): Promise<Instance> {
  const { chosen, problems } = chooseModules(allModules, config.modules);
  if (problems.length > 0) throw new ConfigError(problems);
  const database = await connectDatabase(config, logger, { bootId });
  await database.migrate();
  const { db } = database;
  if (database.mayHaveLost) {
    logger.warn('the machine went down while the database was open: its last writes may be lost');
    await renewEpoch(db);
  }
  database.markOpen();

  const { logId } = await readStored(db);
  const reporter = createReporter(logger);
  const links = connectInstances(config, logger, reporter, { logId, isAlone: database.kind === 'embedded' });
  const core = await createCore({
    db,
    watch: database.watch,
    ...links,
    hiding: combineHiding(() => modules.flatMap(({ hiding }) => hiding ?? [])),
    retention: { hours: config.eventsRetentionHours, perTopic: config.eventsRetentionPerTopic },
    reporter,
    logger,
  });

  let server: Server<Connection> | undefined;
  const auth = createAuth({
    config,
    db,
    commit: core.commit,
    createLimiter: links.createLimiter,
    jwtSecret: readJwtSecret(config),
    peerAddress: (request) => server?.requestIP(request)?.address,
    listAudited: () => modules,
    async topicsAround(tx, userId) {
      const topics = await Promise.all(modules.map(({ topicsAround }) => topicsAround?.(tx, userId)));
      return topics.flatMap((some) => some ?? []);
    },
  });
  await auth.promoteAdmins();
  const lastSeen = startLastSeen((userIds, at) => touchLastSeen(db, userIds, at), reporter);

  let clockwork: Clockwork | undefined;
  const stops: (() => Promise<void>)[] = [];
  const draining = new AbortController();
  const moduleCore: ModuleCore = {
    ...core,
    isLimited: ({ points }) => points(config) > 0,
    takeLimit: auth.limits.take,
    takeSecond: auth.limits.takeSecond,
    confirm: auth.confirm,
    audit: auth.audit.record,
    wakeIn: (ms) => clockwork?.wakeIn(ms),
    draining: draining.signal,
    onStop: (stop) => void stops.push(stop),
  };
  const modules: Module[] = [auth.module, ...chosen, ...further].map((defined) => defined.start(moduleCore));
  checkModules(modules);
  const guard = createGuard(auth);
  const sockets = createSocketServer({
    core,
    commands: modules.flatMap(({ operations }) =>
      operations
        .filter(({ socket }) => socket !== false)
        .map((operation) => toCommand(operation, moduleCore)),
    ),
    topicKinds: createTopicKinds(listKinds(modules)),
    verify: auth.verify,
    confirm: auth.confirm,
    onRefused: createRefusals(db, auth.audit, reporter),
    onLimited: createLimitHits(db, auth.audit, reporter),
    onSeen: lastSeen.note,
    deviceOf: auth.readDevice,
    onFull: atMostOnceAMinute((limit) =>
      logger.warn({ limit }, 'connections are refused: there are too many'),
    ),
    answerRefusal,
    instanceId: config.instanceId,
    limits: {
      frameBytes: config.maxFrameBytes,
      subscriptions: config.maxSubscriptions,
      commandsPerSecond: config.maxCommandsPerSecond,
      connectionsPerUser: config.maxConnectionsPerUser,
      connections: config.maxConnections,
      connectionsPerAddress: config.maxConnectionsPerAddress,
    },
    allowedOrigins: config.allowedOrigins,
  });
  const keepSilent: KeepSilent = (request, seconds) => server?.timeout(request, seconds);
  const app = createApp({
    plugins: [
      createSignIn(auth),
      ...modules.map((module) => mountModule(module, moduleCore, guard, keepSilent)),
    ],
    health: {
      db,
      instanceId: config.instanceId,
      port: () => server?.port,
      redis: () => links.bridge.status,
      isDraining: () => draining.signal.aborted,
    },
    modules,
    toRefusal: reporter.toRefusal,
    otherRoutes: [{ method: 'GET', path: '/ws' }],
  });
  const mark = createCors(config.allowedOrigins);
  const readPath = createPathReader();

  const { fetch: route } = app.compile(); // asked for every time, it would be composed anew every time
  const serve = (): Server<Connection> =>
    Bun.serve<Connection>({
      port: config.port,
      hostname: config.host,
      // Outside of development it is Bun's default, and a second instance would take half of what arrives.
      reusePort: isPortShared,
      // Bun would answer with a bare 413. What nobody reads, it leaves to wait in the kernel, and the routes stop at 1 MiB.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false, // its error page shows the source
      websocket: sockets.handlers,
      async fetch(request, self) {
        const path = readPath(request.url);
        const isUpgrade = path === '/ws' && (request.method === 'GET' || request.method === 'HEAD');
        const answer =
          path === undefined ? noHost() : isUpgrade ? sockets.upgrade(request, self) : await route(request);
        return answer && mark(request, answer);
      },
      error: (error) => answerRefusal(reporter.toRefusal(error, 'a request')),
    });
  const listening = await listenAt(config, serve);
  server = listening;
  core.attach(listening);
  clockwork = startClockwork(
    moduleCore,
    modules.flatMap(({ timed }) => timed),
  );

  const stop = async (): Promise<void> => {
    draining.abort();
    const closed = listening.stop(); // no new ones; those open go on
    await sockets.drain(config.drainSeconds * 1_000);
    sockets.stop();
    await closed;
    await clockwork?.stop(); // what it does may need what modules stop
    await Promise.all([lastSeen.stop(), ...stops.map((stopOne) => stopOne())]);
    await core.stop();
    links.disconnect();
    await database.close();
  };
  let stopping: Promise<void> | undefined;
  return {
    url: `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${listening.port}`,
    port: listening.port ?? config.port,
    config,
    database,
    hub: core.hub,
    modules,
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Reads the path of a request's URL; undefined where the URL is none, because of its host. */
function createPathReader(): (url: string) => string | undefined {
  let goodOrigin = ''; // of the request before: parsing the same host for every one took 1 µs each
  return (url) => {
    const pathAt = url.indexOf('/', 'https://'.length);
    const origin = url.slice(0, pathAt);
    if (origin !== goodOrigin) {
      if (!URL.canParse(url)) return undefined;
      goodOrigin = origin;
    }
    const queryAt = url.indexOf('?', pathAt);
    return url.slice(pathAt, queryAt === -1 ? undefined : queryAt);
  };
}

const noHost = () =>
  answerRefusal(new AppError('invalid', 'The Host header must name a host, as in "example.com:3000".'));
/** For what a flood would repeat. */
function atMostOnceAMinute(say: (what: string) => void): (what: string) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (what) => {
    if (performance.now() - saidAt < 60_000) return;
    saidAt = performance.now();
    say(what);
  };
}

/** What instances share beside the database: everything over Redis, or nothing. */
function connectInstances(
  config: Config,
  logger: Logger,
  reporter: Reporter,
  { logId, isAlone }: { readonly logId: string; readonly isAlone: boolean },
) {
  const { redisUrl, instanceId } = config;
  if (redisUrl === undefined) {
    return {
      bridge: createMemoryBridge(isAlone),
      createPresence: async (announce: AnnouncePresence) => createMemoryPresence(announce),
      createLimiter: countInMemory,
      disconnect: () => {},
    };
  }
  const redis = connectRedis(redisUrl);
  return {
    bridge: createRedisBridge(redisUrl, { instanceId, logId, logger }),
    createPresence: (announce: AnnouncePresence) =>
      createRedisPresence({ redis, instanceId, logId, announce, reporter, logger }),
    createLimiter: countInRedis(redis, logId),
    disconnect: () => redis.disconnect(),
  };
}
