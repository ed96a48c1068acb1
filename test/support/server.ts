// Instances in this process, each on a free port and, unless told otherwise, with a new database of its own.
// Every suite about behaviour runs on both databases: `onEachDatabase` describes it twice. What is about pages runs on one.

import { afterAll, describe, setDefaultTimeout } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../src/config.ts';
import type { Db } from '../../src/db/database.ts';
import type { Hub } from '../../src/realtime/hub/hub.ts';
import type { DefinedModule, Module } from '../../src/realtime/index.ts';
import { startServer } from '../../src/server.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type Api, createApi } from './api.ts';
import { createDataFolder } from './embedded.ts';
import { removeFolder } from './janitor.ts';
import { describeWith } from './needs.ts';
import { postgresMissing, sharedPostgres } from './postgres.ts';

export type Env = Record<string, string>;

export interface TestServer extends Api {
  /** For looking behind the routes. */
  readonly db: Db;
  readonly hub: Hub;
  /** What it serves. */
  readonly modules: readonly Module[];
  readonly port: number;
  /** What it was opened with. `open(server.env)`: another instance on its database. */
  readonly env: Env;
  stop(): Promise<void>;
}

/**
 * Starts an instance. With `DATABASE_URL` or `DATA_DIR` in `env`: on that database. With further modules: their tables are
 * the test's to create. Stopped after the suite.
 */
export type Open = (env?: Env, modules?: readonly DefinedModule[]) => Promise<TestServer>;

/** One of the two databases. */
export interface TestDatabase {
  readonly kind: 'embedded' | 'postgres';
  /** The environment that names a new, migrated and empty database; it is gone after the suite. */
  create(): Promise<Env>;
}

/** Describes the suite on the embedded database and on a PostgreSQL server. */
export function onEachDatabase(name: string, define: (open: Open, database: TestDatabase) => void): void {
  setDefaultTimeout(20_000); // the first suite starts the databases
  describe(`${name} on PGlite`, () => defineSuite('embedded', define));
  describeWith(`${name} on PostgreSQL`, postgresMissing, () => defineSuite('postgres', define));
}

/** For what is the same on both databases, and slow. */
export function onEmbeddedDatabase(name: string, define: (open: Open, database: TestDatabase) => void): void {
  describe(name, () => defineSuite('embedded', define));
}

function defineSuite(kind: TestDatabase['kind'], define: (open: Open, database: TestDatabase) => void): void {
  const servers: TestServer[] = [];
  const remove: (() => void | Promise<void>)[] = [];
  const database: TestDatabase = {
    kind,
    async create(): Promise<Env> {
      if (kind === 'embedded') {
        const folder = await createDataFolder();
        remove.push(() => removeFolder(folder));
        return { DATA_DIR: folder };
      }
      const postgres = await sharedPostgres();
      const url = await postgres.createDatabase();
      // A server that died under a test took its databases along.
      remove.push(() => postgres.dropDatabase(url).catch(() => {}));
      return { DATABASE_URL: url, DATABASE_POOL: '5' };
    },
  };
  const open: Open = async (env = {}, modules = []) => {
    const hasDatabase = env.DATABASE_URL !== undefined || env.DATA_DIR !== undefined;
    const server = await openServer(hasDatabase ? env : { ...env, ...(await database.create()) }, modules);
    servers.push(server);
    return server;
  };
  define(open, database);
  // Behind the suite's own hooks, which may still talk to the instances.
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all(remove.map((each) => each()));
  });
}

async function openServer(given: Env, modules: readonly DefinedModule[]): Promise<TestServer> {
  const env = { ...quietEnv, ...given };
  const config = readConfig(env);
  const instance = await startServer(config, createLogger(config), { modules });
  let stopped: Promise<void> | undefined;
  const { db } = instance.database;
  const api = createApi(`http://127.0.0.1:${instance.port}`);
  return {
    ...api,
    async register(name, options) {
      const user = await api.register(name, options);
      if (!config.adminEmails.includes(user.email.toLowerCase())) return user;
      // As when the address is verified, without the mail.
      await db.execute(sql`UPDATE users SET email_verified = true, role = 'admin' WHERE id = ${user.id}`);
      return user;
    },
    db,
    hub: instance.hub,
    modules: instance.modules,
    port: instance.port,
    env,
    async stop() {
      stopped ??= instance.stop();
      await stopped;
    },
  };
}

/** No limits, no waiting, no logs: a test that wants some says so. */
export const quietEnv: Env = {
  PORT: '0',
  HOST: '127.0.0.1',
  JWT_SECRET: 'a secret of the tests, 32 characters or more',
  ACCESS_TOKEN_SECONDS: '900',
  RATE_REQUESTS_PER_MINUTE: '0',
  RATE_MESSAGES_PER_MINUTE: '0',
  RATE_CHATS_PER_HOUR: '0',
  RATE_PUBLISHES_PER_MINUTE: '0',
  RATE_TOPICS_PER_HOUR: '0',
  RATE_SEARCHES_PER_MINUTE: '0',
  RATE_LOGINS_PER_MINUTE: '0',
  RATE_REGISTRATIONS_PER_HOUR: '0',
  RATE_MAILS_PER_HOUR: '0',
  MAX_COMMANDS_PER_SECOND: '0',
  MAX_CONNECTIONS_PER_ADDRESS: '0',
  DRAIN_SECONDS: '0',
  LOG_LEVEL: 'silent',
  LOG_FORMAT: 'json',
};
