// A change and the events that announce it, in one transaction; announced only after COMMIT.
// With an idempotency key the same request has one effect and one answer, wherever it is repeated. [K1]

import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/connect.ts';
import { isTransient } from '../db/errors.ts';
import type { EventPosition } from '../protocol/envelope.ts';
import { AppError } from '../protocol/errors.ts';
import { type Actor, metaOf } from './actor.ts';
import { appendEvents, type LoggedEvent, type NewEvent } from './event-log.ts';

/** Queues an event for the log; it gets its seq just before COMMIT, in the order of the calls. */
export type Emit = (event: NewEvent) => void;

export interface Committed<Value> {
  readonly value: Value;
  /** Where the events stand that this commit wrote. [O3] */
  readonly events: EventPosition[];
  /** The key was used before: this is the first result, and nothing happened now. */
  readonly isRepeat: boolean;
}

/** What makes a request the same one again. `body` is what the client asked for, as parsed. */
export interface IdempotencyKey {
  readonly operation: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

/**
 * Runs `work` in a transaction and publishes what it emitted. `work` may run again after a deadlock or serialization
 * failure, so it must have no effect outside `tx`. Without an actor the system acts. Throws what `work` throws, after
 * ROLLBACK.
 */
export type Commit = <Value extends object>(
  actor: Actor | undefined,
  work: (tx: Db, emit: Emit) => Promise<Value>,
  idempotency?: IdempotencyKey,
) => Promise<Committed<Value>>;

/** Same key and operation within this time: the same request. [K1] */
export const keyLifetimeHours = 24;

const maxAttempts = 5;

export function createCommit(db: Db, publish: (events: readonly LoggedEvent[]) => void): Commit {
  return async (actor, work, idempotency) => {
    const key =
      actor && idempotency?.key !== undefined ? { ...idempotency, key: idempotency.key } : undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { committed, events } = await db.transaction((tx) => runOnce(tx, actor, work, key));
        publish(events);
        return committed;
      } catch (error) {
        if (attempt >= maxAttempts || !isTransient(error)) throw error;
      }
    }
  };
}

/** The reply to a command: its result, and where its events stand. [O3] */
export function toReply<Value extends object>(
  committed: Committed<Value>,
): Value & { events: EventPosition[] } {
  return { ...committed.value, events: committed.events };
}

async function runOnce<Value extends object>(
  tx: Db,
  actor: Actor | undefined,
  work: (tx: Db, emit: Emit) => Promise<Value>,
  key: (IdempotencyKey & { key: string }) | undefined,
): Promise<{ committed: Committed<Value>; events: LoggedEvent[] }> {
  if (actor !== undefined && key !== undefined) {
    const first = await takeKey<Value>(tx, actor.userId, key);
    if (first !== undefined) return { committed: { ...first, isRepeat: true }, events: [] };
  }
  const emitted: NewEvent[] = [];
  const value = await work(tx, (event) => void emitted.push(event));
  const events = await appendEvents(tx, emitted, metaOf(actor));
  const positions = events.map(({ topic, seq }) => ({ topic, seq }));
  if (actor !== undefined && key !== undefined) {
    await tx.execute(sql`
      UPDATE idempotency_keys SET result = ${JSON.stringify({ value, events: positions })}
      WHERE user_id = ${actor.userId} AND operation = ${key.operation} AND key = ${key.key}`);
  }
  return { committed: { value, events: positions, isRepeat: false }, events };
}

/**
 * Takes the key for this transaction, or answers the first result. A second request with the key waits on the row until
 * the first one commits (and finds its result) or rolls back (and takes its place).
 */
async function takeKey<Value>(
  tx: Db,
  userId: string,
  key: IdempotencyKey & { key: string },
): Promise<{ value: Value; events: EventPosition[] } | undefined> {
  const bodyHash = createHash('sha256').update(canonicalJson(key.body)).digest('base64url');
  const taken = await queryRows(
    tx,
    sql`
      INSERT INTO idempotency_keys AS k (user_id, operation, key, body_hash)
      VALUES (${userId}, ${key.operation}, ${key.key}, ${bodyHash})
      ON CONFLICT (user_id, operation, key) DO UPDATE
        SET body_hash = excluded.body_hash, result = NULL, created_at = now()
        WHERE k.created_at < now() - make_interval(hours => ${keyLifetimeHours})
      RETURNING key`,
  );
  if (taken.length > 0) return undefined;
  const rows = await queryRows<{ body_hash: string; result: string | null }>(
    tx,
    sql`SELECT body_hash, result::text AS result FROM idempotency_keys
        WHERE user_id = ${userId} AND operation = ${key.operation} AND key = ${key.key}`,
  );
  const first = rows[0];
  if (first?.result == null) throw new Error('A key was taken, but its first result is not there.');
  if (first.body_hash !== bodyHash) {
    throw new AppError(
      'conflict',
      'This key was used before with another body. Use a new key for a new request.',
    );
  }
  return JSON.parse(first.result);
}

/** The same text for the same value, whatever the order of its keys. */
function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_, nested: unknown) =>
      nested !== null && typeof nested === 'object' && !Array.isArray(nested)
        ? Object.fromEntries(Object.entries(nested).sort(([a], [b]) => (a < b ? -1 : 1)))
        : nested,
    ) ?? 'null'
  );
}
