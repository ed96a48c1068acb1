// A PostgreSQL server as `Database`: a pool of connections that never waits for ever, and is told of every one that breaks.

import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import type { Logger } from '../telemetry/logger.ts';
import {
  type ConnectionWatcher,
  type Database,
  type Db,
  runStatement,
  type Statement,
  type TransactInTwo,
} from './database.ts';
import { isDatabaseAway, isUnreachable } from './errors.ts';
import { createGate } from './gate.ts';

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

export const defaultPatience: Patience = {
  statementMs: 15_000,
  lockMs: 2_000,
  idleMs: 5_000,
  connectionMs: 5_000,
};

/** Does not wait for the server to answer. */
export function openPostgres(url: string, poolSize: number, logger: Logger, patience: Patience): Database {
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
      const looking = watcher?.connected(toDb(drizzle(client)), dropOthers);
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
  const db = drizzle(pool);
  const withClient = <Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> =>
    gate.pass(async () => {
      const client = await pool.connect();
      let isBroken = false;
      try {
        return await work(client);
      } catch (error) {
        isBroken = isDatabaseAway(error);
        throw error;
      } finally {
        client.release(isBroken); // it may lead to a server that became a standby: the next one need not
      }
    });
  // Drizzle's own loses the client for ever when BEGIN fails, as it does on a connection that has just broken.
  db.transaction = (work, config) => withClient((client) => drizzle(client).transaction(work, config));
  const transactInTwo: TransactInTwo = (ask, write) => withClient((client) => inTwo(client, ask, write));
  return {
    db: Object.assign(toDb(db), { transactInTwo }),
    kind: 'postgres',
    watch(next) {
      watcher = next;
    },
    countWaiting: () => gate.waiting + pool.waitingCount,
    mayHaveLost: false, // what is committed there is on the disk, or log/identity.ts tells
    markOpen() {},
    async migrate() {
      const { migratePostgres } = await import('./migrate.ts');
      try {
        await migratePostgres(url);
      } catch (error) {
        throw isUnreachable(error) ? new Error(nameServer(url), { cause: error }) : error;
      }
    },
    close: () => pool.end(),
  };
}

async function inTwo<Asked>(
  client: pg.PoolClient,
  ask: (tx: Db) => Promise<Asked>,
  write: (asked: Asked) => readonly Statement[],
): Promise<Asked> {
  const tx = toDb(drizzle(client));
  const begun = client.query('BEGIN');
  try {
    const [asked] = await Promise.all([ask(tx), begun]);
    const written = write(asked).map((statement) => runStatement(tx, statement));
    // Behind a statement that failed it rolls back, and says so.
    const [{ command }] = await Promise.all([client.query('COMMIT'), ...written]);
    if (command !== 'COMMIT') throw new Error(`COMMIT was answered by ${command}.`);
    return asked;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
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
