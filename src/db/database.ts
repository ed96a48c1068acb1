// One `Db` type over two drivers: a PostgreSQL server (postgres.ts), or PGlite embedded in this process (embedded.ts).
// SQL must run on PostgreSQL 15 and 18. Inside a transaction everything goes through `tx`: the embedded
// database has one connection, and asking for another one inside a transaction would wait for ever.

import type { SQL } from 'drizzle-orm';
import { type PgDatabase, PgDialect, type PgQueryResultHKT } from 'drizzle-orm/pg-core';

/** A database or an open transaction on it: services take either and cannot tell. */
export type Db = PgDatabase<PgQueryResultHKT, Record<string, never>>;

/** The database itself, not a transaction on it. */
export type RootDb = Db & { readonly transactInTwo: TransactInTwo };

/**
 * A transaction of two steps, each one journey to a server: BEGIN travels with what `ask` sends first, COMMIT with what
 * `write` answers. What `ask` sends before it has an answer must only read and lock: if BEGIN should fail, it would happen
 * outside of any transaction.
 */
export type TransactInTwo = <Asked>(
  ask: (tx: Db) => Promise<Asked>,
  write: (asked: Asked) => readonly Statement[],
) => Promise<Asked>;

/** Of fixed text, compiled once: a server parses and plans it once a connection, by its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface Database {
  readonly db: RootDb;
  readonly kind: 'postgres' | 'embedded';
  /** Applies pending migrations; several instances may call it at once. */
  migrate(): Promise<void>;
  /** From now on this one is told of connections. Absent where there is but one, that lives as long as the database. */
  readonly watch?: (watcher: ConnectionWatcher) => void;
  /** How much waits for a connection, or for the turn to have one. */
  readonly countWaiting: () => number;
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

/** Runs a statement of fixed text and answers its rows. It is on its way to a server when this returns. */
export async function runStatement<Row>(db: Db, { name, text, values }: Statement): Promise<Row[]> {
  const query = { sql: text, params: [...values] };
  const result = await db._.session.prepareQuery(query, undefined, name, false).execute();
  return (result as { rows: Row[] }).rows; // as both drivers answer
}

/**
 * Many values in one parameter, for `string_to_array($1, E'\\x1f')`: an array or JSON would have to be quoted and escaped
 * value by value, and parsed. JSON, ids and names hold no unit separator; where a value did, its list would be longer than
 * the others beside it, and the row without their values refused.
 */
export const toList = (values: readonly (string | number)[]): string => values.join('\x1f');

const dialect = new PgDialect();
