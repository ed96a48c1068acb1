// The statements of the clockwork. Time is the database's alone: `now()` says what is due, and answers are in ms from it.
// Locks: the row of a failure first, then the item's, then whatever `run` locks.

import { and, eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { type Db, queryRows } from '../../db/database.ts';
import { clockworkFailures as failures } from './schema.ts';
import type { Timed } from './timed.ts';

/** An item whose row this transaction has locked, and which is due. */
export interface Claimed {
  readonly id: string;
  /** How long it has been due; undefined where it is tried again. */
  readonly lateMs: number | undefined;
}

/** When a kind is due next, in ms from now; negative: it is due. Undefined: nothing is. */
export interface NextDue {
  readonly itemMs: number | undefined;
  readonly retryMs: number | undefined;
}

/** In the order of the kinds. */
export async function readNextDue(db: Db, kinds: readonly Timed[]): Promise<NextDue[]> {
  const rows = await queryRows<{ place: number; item_ms: number | null; retry_ms: number | null }>(
    db,
    selectNextDue(kinds),
  );
  const byPlace = new Map(rows.map((row) => [row.place, row]));
  return kinds.map((_, place) => {
    const row = byPlace.get(place);
    return { itemMs: row?.item_ms ?? undefined, retryMs: row?.retry_ms ?? undefined };
  });
}

/**
 * For each kind a look into its partial index, and one into that of the failures. Like all statements here it has no name: a
 * plan that is kept, from when the tables were empty, would read them whole when they have grown.
 */
export function selectNextDue(kinds: readonly Timed[]): SQL {
  const looks = kinds.map(
    (kind, place) => sql`
      SELECT ${place}::integer AS place,
        (SELECT ${msUntil(kind.dueAt)} FROM ${kind.table} WHERE ${isFresh(kind)} ORDER BY ${kind.dueAt} LIMIT 1) AS item_ms,
        (SELECT ${msUntil(failures.retryAt)} FROM ${failures} WHERE ${failures.kind} = ${kind.name}
          ORDER BY ${failures.retryAt} LIMIT 1) AS retry_ms`,
  );
  return sql.join(looks, sql` UNION ALL `);
}

/** Locks what is due and has not failed, the one due longest first; what another transaction has locked is passed over. */
export async function claimDue(tx: Db, kind: Timed, limit: number): Promise<Claimed[]> {
  return await claim(tx, selectDue(kind, limit));
}

/** The same for these; those are left out that are not due any more, or failed elsewhere meanwhile. */
export async function claimThese(tx: Db, kind: Timed, ids: readonly string[]): Promise<Claimed[]> {
  return await claim(tx, selectDue(kind, ids.length, inArray(kind.id, [...ids])));
}

async function claim(tx: Db, statement: SQL): Promise<Claimed[]> {
  const rows = await queryRows<{ id: string; ms: number }>(tx, statement);
  return rows.map(({ id, ms }) => ({ id, lateMs: -ms }));
}

export const selectDue = (kind: Timed, limit: number, which?: SQL): SQL => sql`
  SELECT ${kind.id}::text AS id, ${msUntil(kind.dueAt)} AS ms FROM ${kind.table}
  WHERE ${and(isFresh(kind), sql`${kind.dueAt} <= now()`, which)}
  ORDER BY ${kind.dueAt} LIMIT ${limit} FOR UPDATE SKIP LOCKED`;

/** Open, and not left to the retries. */
const isFresh = ({ id, isOpen, name }: Timed): SQL =>
  sql`(${isOpen}) AND ${id}::text NOT IN (SELECT ${failures.itemId} FROM ${failures} WHERE ${failures.kind} = ${name})`;

/** A failure whose time has come. */
export interface Retry {
  readonly id: string;
  readonly attempts: number;
}

/** Locks the one that has waited longest. */
export async function claimRetry(tx: Db, { name }: Timed): Promise<Retry | undefined> {
  const [row] = await queryRows<Retry>(
    tx,
    sql`
      SELECT ${failures.itemId} AS id, ${failures.attempts} AS attempts FROM ${failures}
      WHERE ${failures.kind} = ${name} AND ${failures.retryAt} <= now()
      ORDER BY ${failures.retryAt} LIMIT 1 FOR UPDATE SKIP LOCKED`,
  );
  return row;
}

/**
 * Locks its item. Where that is not due any more, nothing is left to do and the failure is forgotten, as it is with the
 * transaction that succeeds. Where somebody else has it, its turn comes again behind the others'.
 */
export async function claimRetried(tx: Db, kind: Timed, { id }: Retry): Promise<Claimed[]> {
  const due = sql`(${kind.isOpen}) AND ${kind.dueAt} <= now() AND ${eq(kind.id, id)}`;
  const lock = sql`SELECT 1 FROM ${kind.table} WHERE ${due} FOR UPDATE SKIP LOCKED`;
  const own = and(eq(failures.kind, kind.name), eq(failures.itemId, id));
  const isLocked = (await queryRows(tx, lock)).length > 0;
  if (!isLocked && (await queryRows(tx, sql`SELECT 1 FROM ${kind.table} WHERE ${due}`)).length > 0) {
    await tx.update(failures).set({ retryAt: sql`now() + interval '1 second'` }).where(own);
  } else {
    await tx.delete(failures).where(own);
  }
  return isLocked ? [{ id, lateMs: undefined }] : [];
}

/** Those of the items that are due still. */
export async function findStillDue(tx: Db, kind: Timed, ids: readonly string[]): Promise<string[]> {
  const rows = await queryRows<{ id: string }>(
    tx,
    sql`
      SELECT ${kind.id}::text AS id FROM ${kind.table}
      WHERE (${kind.isOpen}) AND ${kind.dueAt} <= now() AND ${inArray(kind.id, [...ids])}`,
  );
  return rows.map(({ id }) => id);
}

/** Backs off: 1 s, 2 s, 4 s … 5 min. Undefined where another instance has just done so, for the same failure. */
export async function recordFailure(
  db: Db,
  kind: Timed,
  itemId: string,
): Promise<{ attempts: number; retryMs: number } | undefined> {
  const [row] = await queryRows<{ attempts: number; retry_ms: number }>(
    db,
    sql`
      INSERT INTO clockwork_failures AS f (kind, item_id, attempts, retry_at)
      VALUES (${kind.name}, ${itemId}, 1, now() + interval '1 second')
      ON CONFLICT (kind, item_id) DO UPDATE SET attempts = f.attempts + 1,
        retry_at = now() + make_interval(secs => least(300, 2 ^ least(f.attempts, 9)))
      WHERE f.retry_at <= now()
      RETURNING attempts, ${msUntil(sql`retry_at`)} AS retry_ms`,
  );
  return row && { attempts: row.attempts, retryMs: row.retry_ms };
}

/** Of kinds that no module has any more: every other retry was due, and done or put off, long before. */
export async function forgetOldFailures(db: Db): Promise<void> {
  await db.delete(failures).where(sql`${failures.retryAt} < now() - interval '1 day'`);
}

/** How long this transaction may wait, each time: for a lock, for a statement, for its own instance. */
export async function limitWaits(tx: Db, lockMs: number): Promise<void> {
  await tx.execute(sql`
    SELECT set_config('lock_timeout', ${String(lockMs)}, true), set_config('statement_timeout', ${String(statementMs)}, true),
      set_config('idle_in_transaction_session_timeout', ${String(idleMs)}, true)`);
}

/** What takes longer is given up before it would be for a command: others of its kind wait behind it. */
const statementMs = 5_000;
/** An instance that stands still keeps what it has claimed from the others no longer than that. */
const idleMs = 1_000;

/** Of the two times, not of their difference: that of `infinity` would be an error. */
const msUntil = (time: PgColumn | SQL): SQL =>
  sql`((extract(epoch FROM ${time})::float8 - extract(epoch FROM clock_timestamp())::float8) * 1000)`;
