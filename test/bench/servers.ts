// The servers that are measured, each a process on core 0, and the load generator, on core 1. PostgreSQL and Redis are
// the tests' own, pinned nowhere: the same for all.

import { join } from 'node:path';
import { Redis as RedisClient } from 'ioredis';
import { type Child, startChild } from '../support/child.ts';
import { createDataFolder } from '../support/embedded.ts';
import { endLater, removeFolder } from '../support/janitor.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type Redis, startRedis } from '../support/redis.ts';
import { type DiskName, findPreload, measureSyncMs } from './disk/disk.ts';
import type { Figures, Job } from './load/main.ts';
import { seedEmbedded, seedUsers } from './seed.ts';
import { jwtSecret } from './users.ts';

export const benchFolder = import.meta.dir;
const project = join(benchFolder, '../..');
const serverCore = 0;
const loadCore = 1;

export interface Server {
  readonly port: number;
  readonly pid: number;
}

export interface DatabaseServer extends Postgres {
  /** What one sync of its disk takes now. */
  measureSyncMs(): number;
}

export type Env = Readonly<Record<string, string>>;

/** Everything that runs for a measurement; ended together with it, however it ends. */
export class Rig {
  /** The same for all who measure on its disk. */
  readonly databaseServer: () => Promise<DatabaseServer>;
  readonly #redis: () => Promise<Redis>;
  readonly #cleanups: (() => unknown)[] = [];

  constructor(databaseServer: () => Promise<DatabaseServer>, redis: () => Promise<Redis>) {
    this.databaseServer = databaseServer;
    this.#redis = redis;
  }

  /** A new database; with `users`, migrated and with so many in it, the last of them `workers`. Dropped at the end. */
  async createDatabase({ users, workers = 0 }: { users?: number; workers?: number } = {}): Promise<string> {
    const postgres = await this.databaseServer();
    const url = await postgres.createDatabase(users === undefined ? 'bare' : 'migrated');
    this.#cleanups.push(() => postgres.dropDatabase(url));
    if (users !== undefined) await seedUsers(url, users, workers);
    return url;
  }

  /** A folder with an embedded database, migrated and with so many users in it. Removed at the end. */
  async createDataFolder({ users }: { users: number }): Promise<string> {
    const folder = await createDataFolder();
    this.#cleanups.push(() => removeFolder(folder));
    await seedEmbedded(folder, users);
    return folder;
  }

  /** The same Redis for all, emptied. `syncs`: what it answered is on the disk, as with PostgreSQL. */
  async emptyRedis({ syncs = false }: { syncs?: boolean } = {}): Promise<Pick<Redis, 'url' | 'pid'>> {
    const { url, pid } = await this.#redis();
    const client = new RedisClient(url);
    await client.flushall();
    await client.config('SET', 'appendfsync', 'always', 'appendonly', syncs ? 'yes' : 'no');
    client.disconnect();
    return { url, pid };
  }

  /** On a database with so many users in it, the last of them `workers`, or on the one that `env` names. */
  async startCarillon({
    users = 2,
    workers = 0,
    env = {},
  }: {
    users?: number;
    workers?: number;
    env?: Env;
  } = {}): Promise<Server> {
    const databaseUrl = env.DATABASE_URL ?? env.DATA_DIR ?? (await this.createDatabase({ users, workers }));
    const database = env.DATA_DIR === undefined ? { DATABASE_URL: databaseUrl } : {};
    const child = await startChild({
      command: pinned(serverCore, [process.execPath, '--no-env-file', 'src/main.ts']),
      cwd: project,
      env: { ...systemEnv(), ...carillonEnv, ...database, ...env },
      stopSignal: 'SIGTERM',
      isReady: (line) => readPort(line) !== undefined,
    });
    return this.#keep(child);
  }

  /** `file` below `peers/`; `.ts` runs on Bun, `.mjs` on Node. */
  async startPeer(file: string, env: Env = {}): Promise<Server> {
    const runtime = file.endsWith('.ts') ? process.execPath : 'node';
    const child = await startChild({
      command: pinned(serverCore, [runtime, join('peers', file)]),
      cwd: benchFolder,
      env: { ...systemEnv(), NODE_ENV: 'production', JWT_SECRET: jwtSecret, ...env },
      stopSignal: 'SIGINT',
      isReady: (line) => readPort(line) !== undefined,
    });
    return this.#keep(child);
  }

  /** Runs the load generator to its end. Fails with what it wrote on standard error. */
  async load<Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<Figures[Kind]> {
    const child = Bun.spawn(pinned(loadCore, [process.execPath, join(benchFolder, 'load/main.ts')]), {
      cwd: benchFolder,
      stdin: new Blob([JSON.stringify(job)]),
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const forget = endLater(child.pid, 'KILL');
    this.#cleanups.push(() => child.kill('SIGKILL'));
    const [output, problem, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited.finally(forget),
    ]);
    if (code !== 0) throw new Error(`The load generator: ${findMessage(problem)}`);
    return JSON.parse(output);
  }

  /** In the reverse order of their start. */
  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  #keep(child: Child): Server {
    this.#cleanups.push(async () => {
      child.kill('SIGKILL'); // nothing in it is kept, and a goodbye to 10,000 connections takes long
      await child.exited;
    });
    const port = child.output
      .split('\n')
      .map(readPort)
      .find((found) => found !== undefined);
    return { port: port ?? 0, pid: child.pid };
  }
}

/** Rigs that share one PostgreSQL for each disk, and one Redis; all are started when the first one asks. */
export function createRigs() {
  const databaseServers = new Map<DiskName, Promise<DatabaseServer>>();
  let redis: Promise<Redis> | undefined;
  const inUse = new Set<Rig>();
  return {
    /** Runs `work` on a rig of its own. */
    async use<Value>(work: (rig: Rig) => Promise<Value>, disk: DiskName = 'own'): Promise<Value> {
      const rig = new Rig(
        () => {
          const started = databaseServers.get(disk) ?? startDatabaseServer(disk);
          databaseServers.set(disk, started);
          return started;
        },
        () => {
          redis ??= startRedis();
          return redis;
        },
      );
      inUse.add(rig);
      try {
        return await work(rig);
      } finally {
        await rig.end();
        inUse.delete(rig);
      }
    },
    /** Ends what is still running, for work that is waited for no longer. */
    async clear(): Promise<void> {
      for (const rig of inUse) await rig.end();
    },
    async stop(): Promise<void> {
      for (const started of databaseServers.values()) await (await started).stop();
      await (await redis)?.stop();
    },
  };
}

export type Rigs = ReturnType<typeof createRigs>;

async function startDatabaseServer(disk: DiskName): Promise<DatabaseServer> {
  const preload = findPreload(disk);
  const postgres = await startPostgres({ isDurable: true, preload });
  return Object.assign(postgres, { measureSyncMs: () => measureSyncMs(preload) });
}

/** No limits, and nothing kept from the log. */
const carillonEnv: Env = {
  PORT: '0',
  HOST: '127.0.0.1',
  NODE_ENV: 'production',
  JWT_SECRET: jwtSecret,
  RATE_MESSAGES_PER_MINUTE: '0',
  RATE_CHATS_PER_HOUR: '0',
  RATE_PUBLISHES_PER_MINUTE: '0',
  RATE_TOPICS_PER_HOUR: '0',
  RATE_SEARCHES_PER_MINUTE: '0',
  RATE_REQUESTS_PER_MINUTE: '0',
  RATE_LOGINS_PER_MINUTE: '0',
  RATE_REGISTRATIONS_PER_HOUR: '0',
  MAX_COMMANDS_PER_SECOND: '0',
  MAX_CONNECTIONS_PER_USER: '0',
  MAX_CONNECTIONS_PER_ADDRESS: '0',
  EVENTS_RETENTION_HOURS: '0',
  EVENTS_RETENTION_PER_TOPIC: '0',
  DRAIN_SECONDS: '0',
  LOG_LEVEL: 'info',
  LOG_FORMAT: 'json',
};

/** Nothing of the surroundings but what a program needs to run at all. */
const systemEnv = () => ({ PATH: process.env.PATH, HOME: process.env.HOME });

function pinned(core: number, command: string[]): string[] {
  return ['taskset', '-c', `${core}`, ...command];
}

/** The port that the line names, if it is the one that says ready: Carillon's log line, or a peer's. */
function readPort(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined;
  const { msg, ready, port } = JSON.parse(line);
  return msg === 'ready' || ready === true ? port : undefined;
}

function findMessage(problem: string): string {
  const line = problem.split('\n').find((candidate) => /error: /i.test(candidate));
  return (line ?? problem).trim().slice(0, 500);
}
