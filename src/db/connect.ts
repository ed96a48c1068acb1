// One `Db` type over two drivers: a PostgreSQL server, or PGlite embedded in this process.
// SQL must run on PostgreSQL 15 and 18. Inside a transaction everything goes through `tx`: the embedded
// database has one connection, and asking for another one inside a transaction would wait for ever.

import { Database as Lock } from 'bun:sqlite';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { SQL } from 'drizzle-orm';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { type PgDatabase, PgDialect, type PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { drizzle as drizzleEmbedded } from 'drizzle-orm/pglite';
import pg from 'pg';
import type { Config } from '../config.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type BootMark, readBootId, readBootMark, writeBootMark } from './boot.ts';
import { claimDataFolder } from './data-folder.ts';
import { EmbeddedFiles, fileParams } from './embedded-files.ts';
import { isDatabaseAway, isUnreachable } from './errors.ts';
import { createGate } from './gate.ts';

/** A database or an open transaction on it: services take either and cannot tell. */
export type Db = PgDatabase<PgQueryResultHKT, Record<string, never>>;

export interface Database {
  readonly db: Db;
  readonly kind: 'postgres' | 'embedded';
  /** Applies pending migrations; several instances may call it at once. */
  migrate(): Promise<void>;
  /** From now on this one is told of connections. Absent where there is but one, that lives as long as the database. */
  readonly watch?: (watcher: ConnectionWatcher) => void;
  /** The machine went down under it, and the last writes may be gone without a trace. */
  readonly mayHaveLost: boolean;
  /** Call it when that has been dealt with, and before anything is written for others to see. */
  markOpen(): void;
  close(): Promise<void>;
}

export interface ConnectionWatcher {
  /** Looks at a new connection before anybody uses it, and refuses it by failing. `dropOthers` breaks all others. */
  connected(connection: Db, dropOthers: () => void): Promise<void>;
  /** A connection broke, in use or idle. */
  broken(): void;
}

/**
 * Runs raw SQL and answers its rows; `Row` names the columns that the statement itself selects. With a name, a server
 * parses and plans it once a connection: for busy statements, always of the same text, that go by primary key.
 */
export async function queryRows<Row>(db: Db, statement: SQL, name?: string): Promise<Row[]> {
  const prepared = db._.session.prepareQuery(dialect.sqlToQuery(statement), undefined, name, false);
  // Both drivers answer { rows }; the shared Db type leaves the result open.
  const result = (await prepared.execute()) as { rows: Row[] };
  return result.rows;
}

const dialect = new PgDialect();

export const migrationsFolder = join(import.meta.dir, '../../drizzle');

/** Opens the database that the configuration names. Does not wait for a PostgreSQL server to answer. */
export async function connectDatabase(
  config: Pick<Config, 'databaseUrl' | 'databasePool' | 'dataDir'>,
  logger: Logger,
  { bootId = readBootId(), ...patience }: Partial<Patience> & { readonly bootId?: string } = {},
): Promise<Database> {
  return config.databaseUrl === undefined
    ? await openEmbedded(config.dataDir, bootId)
    : openPostgres(config.databaseUrl, config.databasePool, logger, { ...defaultPatience, ...patience });
}

/** How long what may take how long; shortened by tests. PostgreSQL only: the embedded database has one user. */
export interface Patience {
  /** A statement. None of ours takes nearly as long while the database works. */
  readonly statementMs: number;
  /** The lock of a row: whoever has it commits within milliseconds, or is in trouble. */
  readonly lockMs: number;
  /** Between two statements of a transaction: an instance that is frozen then keeps its topics' rows from all others. */
  readonly idleMs: number;
  /** For a connection of the pool, or the turn to have one. */
  readonly connectionMs: number;
}

const defaultPatience: Patience = { statementMs: 15_000, lockMs: 2_000, idleMs: 5_000, connectionMs: 5_000 };

function openPostgres(url: string, poolSize: number, logger: Logger, patience: Patience): Database {
  let watcher: ConnectionWatcher | undefined;
  const clients = new Set<pg.Client>();
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: patience.connectionMs,
    // A server behind a network that swallows packets would be waited for until TCP gives up, a quarter of an hour.
    query_timeout: patience.statementMs,
    keepAlive: true,
    // Statements that do not need one another's answers are on their way together: a round trip for all of them.
    pipeline: true,
    application_name: 'carillon',
    // Not as parameters of the connection: PgBouncer refuses those that it does not know.
    onConnect: (client) =>
      client.query(
        `SET statement_timeout = ${patience.statementMs}; SET lock_timeout = ${patience.lockMs};
         SET idle_in_transaction_session_timeout = ${patience.idleMs}`,
      ),
    verify(client, done) {
      const dropOthers = () => {
        for (const other of clients) {
          if (other === client) continue;
          other.emit('error', new Error('Connection terminated: the server has another past now')); // out of the pool
          void other.end().catch(() => {});
        }
      };
      const looking = watcher?.connected(toDb(drizzlePostgres(client)), dropOthers);
      Promise.resolve(looking).then(() => done(), done);
    },
  });
  // A connection that breaks, idle or in use, would otherwise end the process; the pool replaces it by itself, and
  // whoever was using it is told by the failure of its statement.
  pool.on('error', (error) => logger.warn({ err: error }, 'an idle database connection broke'));
  pool.on('connect', (client) => {
    clients.add(client);
    client.on('end', () => clients.delete(client));
    client.on('error', (error) => {
      logger.debug({ err: error }, 'a connection broke');
      watcher?.broken();
    });
  });
  // Transactions may wait for one another, be it in vain; plain reads never do, and always find a connection.
  const gate = createGate(Math.max(1, Math.floor((poolSize * 3) / 4)), patience.connectionMs);
  const db = drizzlePostgres(pool);
  // Drizzle's own loses the client for ever when BEGIN fails, as it does on a connection that has just broken.
  db.transaction = (work, config) =>
    gate.pass(async () => {
      const client = await pool.connect();
      let isBroken = false;
      try {
        return await drizzlePostgres(client).transaction(work, config);
      } catch (error) {
        isBroken = isDatabaseAway(error);
        throw error;
      } finally {
        client.release(isBroken); // it may lead to a server that became a standby: the next one need not
      }
    });
  return {
    db: toDb(db),
    kind: 'postgres',
    watch(next) {
      watcher = next;
    },
    mayHaveLost: false, // what is committed there is on the disk, or log-identity.ts tells
    markOpen() {},
    async migrate() {
      const { migratePostgres } = await import('./migrate.ts');
      try {
        await migratePostgres(url, migrationsFolder);
      } catch (error) {
        throw isUnreachable(error) ? new Error(nameServer(url), { cause: error }) : error;
      }
    },
    close: () => pool.end(),
  };
}

/** Never the URL itself: it carries a password. */
function nameServer(url: string): string {
  const { host, port, database } = new pg.Client({ connectionString: url });
  return (
    `The PostgreSQL server that DATABASE_URL names cannot be used: host ${host}, port ${port}, database "${database}". ` +
    'Start it, or mend DATABASE_URL; without that variable the embedded database is used.'
  );
}

// The driver's result type is narrower than the shared one.
const toDb = (db: unknown): Db => db as Db;

async function openEmbedded(dataDir: string, bootId: string): Promise<Database> {
  claimDataFolder(dataDir);
  const release = lockFolder(dataDir);
  let client: PGlite;
  let mayHaveLost: boolean;
  try {
    client = await PGlite.create({
      fs: new EmbeddedFiles(join(dataDir, 'postgres')),
      startParams: [...PGlite.defaultStartParams, ...fileParams],
    });
    mayHaveLost = await isCutOff(client, readBootMark(dataDir), bootId);
  } catch (error) {
    release();
    throw error;
  }
  giveTurns(client);
  let isMarked = false;
  const db = drizzleEmbedded(client);
  return {
    db: toDb(db),
    kind: 'embedded',
    async migrate() {
      const { migrateEmbedded } = await import('./migrate.ts');
      await migrateEmbedded(client, migrationsFolder);
    },
    mayHaveLost,
    markOpen() {
      writeBootMark(dataDir, { bootId });
      isMarked = true;
    },
    async close() {
      const closedAt = await readLogPosition(client).catch(() => undefined);
      await client.close();
      if (isMarked) writeBootMark(dataDir, { bootId, closedAt });
      release();
    },
  };
}

/** Another boot than the one that left the mark, and not, or not all of, what was there when it was closed. */
async function isCutOff(client: PGlite, mark: BootMark | undefined, bootId: string): Promise<boolean> {
  if (mark === undefined || mark.bootId === bootId) return false;
  if (mark.closedAt === undefined) return true;
  const { rows } = await client.query<{ isBehind: boolean }>(
    'SELECT pg_current_wal_lsn() < $1::pg_lsn AS "isBehind"',
    [mark.closedAt],
  );
  return rows[0]?.isBehind ?? true;
}

async function readLogPosition(client: PGlite): Promise<string | undefined> {
  const { rows } = await client.query<{ position: string }>('SELECT pg_current_wal_lsn()::text AS position');
  return rows[0]?.position;
}

/**
 * PGlite computes in this thread and answers in microtasks: a queue of statements would be worked off whole before the event
 * loop looks at a socket again, and 50 subscribes of 100 topics a second kept everyone waiting for 20 s. So whoever comes
 * out of its queue, a statement or a transaction, lets the loop go round once.
 */
function giveTurns(client: PGlite): void {
  const takeTurn = client._runExclusiveTransaction.bind(client);
  client._runExclusiveTransaction = (work) =>
    takeTurn(async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      return await work();
    });
}

/**
 * Two processes on one embedded database would destroy it. SQLite's exclusive file lock belongs to the process and
 * ends with it, also on kill -9; a file that holds a pid would outlive both.
 */
function lockFolder(dataDir: string): () => void {
  const lock = new Lock(join(dataDir, 'lock.sqlite'), { create: true });
  try {
    lock.run('PRAGMA locking_mode = EXCLUSIVE');
    lock.run('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw new Error(
      `The embedded database in ${dataDir} is open in another process. Stop that one, or set DATA_DIR to another folder ` +
        '(or DATABASE_URL to a PostgreSQL server, which several instances can share).',
      { cause: error },
    );
  }
  return () => lock.close();
}
