// A PostgreSQL server of the tests' own, thrown away at the end. One serves a whole test process, started when the
// first suite asks for it; every database in it is a copy of one that was migrated once.

import { chownSync, existsSync, readdirSync } from 'node:fs';
import pg from 'pg';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { findFreePort, startChild } from './child.ts';
import { makeFolder, removeFolder } from './janitor.ts';

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
  /** The same server come back on the same port, with what its write-ahead log holds. */
  restart(): Promise<void>;
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

/** `isDurable`: what is committed is on the disk, at the price of a real server. */
export async function startPostgres({ isDurable = false } = {}): Promise<Postgres> {
  const home = makeFolder('postgres');
  const asUser = dropRoot(home);
  const port = findFreePort();
  const env = { ...process.env, LC_ALL: 'C' };
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
    { env, cwd: home, stdout: 'pipe', stderr: 'pipe' },
  );
  if (!init.success) throw new Error(`initdb failed: ${init.stderr.toString()}`);
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: home,
    max_connections: 300,
    fsync: isDurable ? 'on' : 'off', // off, a killed server loses nothing, only a power cut would
    autovacuum: 'off',
  };
  const start = () =>
    startChild({
      command: [
        ...asUser,
        `${folder}/postgres`,
        '-D',
        `${home}/data`,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      env,
      cwd: home,
      stopSignal: 'SIGQUIT', // at once: there is nothing to keep
      isReady: (line) => line.includes('database system is ready to accept connections'),
    });
  let child = await start();
  const url = (database: string) => `postgres://carillon@127.0.0.1:${port}/${database}`;
  const run = async (statement: string) => {
    const client = new pg.Client({ connectionString: url('postgres') });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  await run('CREATE DATABASE template_carillon');
  await migrate(url('template_carillon'));
  let databases = 0;
  return {
    port,
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
    dropDatabase: (target) => run(`DROP DATABASE ${new URL(target).pathname.slice(1)} WITH (FORCE)`),
    crash: () => child.stop(),
    async restart() {
      child = await start();
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
