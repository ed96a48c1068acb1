// A PostgreSQL server of the tests' own, thrown away at the end. One serves a whole test process, started when the
// first suite asks for it; every database in it is a copy of one that was migrated once.

import { chownSync, existsSync, readdirSync } from 'node:fs';
import pg from 'pg';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { findFreePort, startChild } from './child.ts';
import { makeFolder, removeFolder } from './janitor.ts';
import { until } from './until.ts';

export interface Postgres {
  readonly port: number;
  /** Of the server that runs now. */
  readonly pid: number;
  readonly exited: Promise<number>;
  url(database: string): string;
  /** A new database, migrated, or without even that; answers its URL. */
  createDatabase(kind?: 'migrated' | 'bare'): Promise<string>;
  /** Drops the database, whoever is connected to it. */
  dropDatabase(url: string): Promise<void>;
  /** Ends the server as a crash would: at once, nothing written out, every client cut off. */
  crash(): Promise<void>;
  /** The same server come back with what its write-ahead log holds, on the same port or on another one. */
  restart(port?: number): Promise<void>;
  /** A server that follows this one's write-ahead log as it is written (asynchronous streaming replication). */
  createReplica(): Promise<Replica>;
  stop(): Promise<void>;
}

export interface Replica {
  /** Has everything that the primary has written so far. */
  catchUp(): Promise<void>;
  /** Receives nothing from now on. */
  cutOff(): Promise<void>;
  /** Makes it a primary, in the place of the one that it followed. */
  promote(): Promise<void>;
  url(database: string): string;
  /** Stops it in order and starts it on that port. */
  moveTo(port: number): Promise<void>;
  stop(): Promise<void>;
}

/** Where Debian puts every version that is installed. */
const packaged = '/usr/lib/postgresql';
const folder = findPrograms();

/** Why there can be no server on this machine, or undefined when there can. */
export const postgresMissing: string | undefined =
  folder === undefined
    ? 'no PostgreSQL server is installed: no initdb beside pg_config, on the PATH or in /usr/lib/postgresql'
    : undefined;

let shared: Promise<Postgres> | undefined; // one for the process: a start takes about 2 s

export function sharedPostgres(): Promise<Postgres> {
  shared ??= startPostgres().then((server) => {
    // A test that times out takes every child process with it: the suites behind it get a new server.
    server.exited.then(() => {
      shared = undefined;
    });
    return server;
  });
  return shared;
}

/**
 * `isDurable`: what is committed is on the disk, at the price of a real server. `preload`: a library that stands before
 * the system's own.
 */
export async function startPostgres({
  isDurable = false,
  preload,
}: {
  isDurable?: boolean;
  preload?: string;
} = {}): Promise<Postgres> {
  const home = makeFolder('postgres');
  const asUser = dropRoot(home);
  const init = Bun.spawnSync(
    [
      ...asUser,
      `${folder}/initdb`,
      '-D',
      `${home}/data`,
      '-U',
      'carillon',
      '-E',
      'UTF8',
      '--no-sync',
      '-A',
      'trust',
    ],
    { env: childEnv, cwd: home, stdout: 'pipe', stderr: 'pipe' },
  );
  if (!init.success) throw new Error(`initdb failed: ${init.stderr.toString()}`);
  let port = findFreePort();
  const settings = { fsync: isDurable ? 'on' : 'off' }; // off, a killed server loses nothing, only a power cut would
  let child = await startProgram(home, asUser, port, settings, preload);
  const url = (database: string) => urlOf(port, database);
  const run = (statement: string) => query(url('postgres'), statement);
  await run('CREATE DATABASE template_carillon');
  await migrate(url('template_carillon'));
  let databases = 0;
  return {
    get port() {
      return port;
    },
    get pid() {
      return child.pid;
    },
    get exited() {
      return child.exited;
    },
    url,
    async createDatabase(kind = 'migrated') {
      databases += 1;
      const name = `test_${databases}`;
      await run(`CREATE DATABASE ${name} TEMPLATE ${kind === 'bare' ? 'template1' : 'template_carillon'}`);
      return url(name);
    },
    async dropDatabase(target) {
      await run(`DROP DATABASE ${new URL(target).pathname.slice(1)} WITH (FORCE)`);
    },
    crash: () => child.stop(),
    async restart(next = port) {
      port = next;
      child = await startProgram(home, asUser, port, settings, preload);
    },
    createReplica: () => startReplica(port),
    async stop() {
      await child.stop();
      removeFolder(home);
    },
  };
}

const childEnv = { ...process.env, LC_ALL: 'C' };

const urlOf = (port: number, database: string): string => `postgres://carillon@127.0.0.1:${port}/${database}`;

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // the statement fails with it
  await client.connect();
  const { rows } = await client.query(statement).finally(() => client.end());
  return rows;
}

function startProgram(
  home: string,
  asUser: string[],
  port: number,
  settings: Record<string, string>,
  preload?: string,
) {
  const all = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: home,
    max_connections: 300,
    autovacuum: 'off',
    ...settings,
  };
  return startChild({
    command: [
      ...asUser,
      `${folder}/postgres`,
      '-D',
      `${home}/data`,
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    env: preload === undefined ? childEnv : { ...childEnv, LD_PRELOAD: preload },
    cwd: home,
    stopSignal: 'SIGQUIT', // at once: there is nothing to keep
    isReady: (line) => /database system is ready to accept (?:read-only )?connections/.test(line),
  });
}

async function startReplica(primaryPort: number): Promise<Replica> {
  const home = makeFolder('replica');
  const asUser = dropRoot(home);
  const backup = [`${folder}/pg_basebackup`, '-h', '127.0.0.1', '-p', `${primaryPort}`, '-U', 'carillon'];
  const options = ['-D', `${home}/data`, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'];
  const copy = Bun.spawnSync([...asUser, ...backup, ...options], {
    env: childEnv,
    cwd: home,
    stderr: 'pipe',
  });
  if (!copy.success) throw new Error(`pg_basebackup failed: ${copy.stderr.toString()}`);
  let port = findFreePort();
  let child = await startProgram(home, asUser, port, { fsync: 'off' });
  const run = (statement: string) => query(urlOf(port, 'postgres'), statement);
  const holds = async (condition: string) => (await run(`SELECT ${condition} AS holds`))[0]?.holds === true;
  return {
    url: (database) => urlOf(port, database),
    async catchUp() {
      const [row] = await query(
        urlOf(primaryPort, 'postgres'),
        'SELECT pg_current_wal_insert_lsn()::text AS lsn',
      );
      await until(() => holds(`pg_last_wal_replay_lsn() >= '${row?.lsn}'`), 'the replica has caught up');
    },
    async cutOff() {
      await run(`ALTER SYSTEM SET primary_conninfo = ''`);
      await run('SELECT pg_reload_conf()');
      await until(
        () => holds('NOT EXISTS (SELECT FROM pg_stat_wal_receiver)'),
        'nothing is received any more',
      );
    },
    async promote() {
      await run('SELECT pg_promote()');
    },
    async moveTo(next) {
      child.kill('SIGINT');
      await child.exited;
      port = next;
      child = await startProgram(home, asUser, port, { fsync: 'off' });
    },
    async stop() {
      await child.stop();
      removeFolder(home);
    },
  };
}

async function migrate(databaseUrl: string): Promise<void> {
  const database = await connectDatabase(
    { databaseUrl, databasePool: 1, dataDir: '' },
    pino({ level: 'silent' }),
  );
  await database.migrate();
  await database.close();
}

/** PostgreSQL refuses to run as root: another user runs it then, and owns its folder. */
function dropRoot(home: string): string[] {
  if (process.getuid?.() !== 0) return [];
  const user = ['postgres', 'nobody'].find((name) => Bun.spawnSync(['id', name]).success) ?? 'nobody';
  const idOf = (option: string) => Number(Bun.spawnSync(['id', option, user]).stdout.toString());
  const [uid, gid] = [idOf('-u'), idOf('-g')];
  chownSync(home, uid, gid);
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}

function findPrograms(): string | undefined {
  const bindir = Bun.which('pg_config')
    ? Bun.spawnSync(['pg_config', '--bindir']).stdout.toString().trim()
    : '';
  const onPath = Bun.which('initdb')?.replace(/\/initdb$/, '') ?? '';
  const installed = existsSync(packaged)
    ? readdirSync(packaged).map((version) => `${packaged}/${version}/bin`)
    : [];
  // 15 first: the oldest release that the SQL must run on.
  const candidates = [`${packaged}/15/bin`, bindir, onPath, ...installed];
  return candidates.find((candidate) => existsSync(`${candidate}/initdb`));
}
