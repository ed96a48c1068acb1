// One `Db` type over two drivers: a PostgreSQL server (postgres.ts), or PGlite embedded in this process (embedded.ts).
// SQL must run on PostgreSQL 15 and 18. Inside a transaction everything goes through `tx`: the embedded
// database has one connection, and asking for another one inside a transaction would wait for ever.

import type { SQL } from 'drizzle-orm';
import { type PgDatabase, PgDialect, type PgQueryResultHKT } from 'drizzle-orm/pg-core';

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
