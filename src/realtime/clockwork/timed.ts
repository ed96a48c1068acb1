// What is to happen at a time, declared: the module's own table is the queue, so nothing beside it can disagree with it.

import type { SQL } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Db } from '../../db/database.ts';
import type { Emit } from '../log/commit.ts';

export interface TimedContext {
  /** The transaction: everything that is read and written belongs in it. */
  readonly tx: Db;
  /** Queues events, which stand or fall with the transaction. The system is their author. */
  readonly emit: Emit;
  /** Adds a row to the audit log, with the transaction. */
  audit(event: string, details?: Record<string, unknown>, userId?: string): Promise<void>;
  /** Called once behind the COMMIT of the attempt that succeeded. Must not fail. */
  afterCommit(run: () => void): void;
}

export interface TimedOptions {
  readonly table: PgTable;
  /** The primary key. */
  readonly id: PgColumn;
  /** A `timestamptz`; null: never. */
  readonly dueAt: PgColumn;
  /** Whether the item waits for its time: word for word the condition of a partial index on `dueAt`, without parameters. */
  readonly isOpen: SQL;
  /**
   * Does what is due. The rows are locked, the one due longest first; at most 100. Behind it none of them may be open and due
   * any more. It may run again, and after a failure with one item alone, so it has no effect outside of `tx`.
   */
  run(context: TimedContext, ids: readonly string[]): Promise<void>;
}

export interface Timed extends TimedOptions {
  /** In the log, in the counters and in `clockwork_failures`. */
  readonly name: string;
}

export function timed(name: string, options: TimedOptions): Timed {
  return { ...options, name };
}
