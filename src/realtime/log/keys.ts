// Idempotency keys: the same user, operation and key again within a day is the same request, wherever it arrives. [K1]

import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { type Db, queryRows, runStatement, type Statement, toList } from '../../db/database.ts';
import { isWithoutValue } from '../../db/errors.ts';
import type { EventPosition } from '../../protocol/envelope.ts';
import { AppError } from '../../protocol/errors.ts';
import { toOrderedJson } from '../../protocol/json.ts';

/** What makes a request the same one again. `body` is what the client asked for, as parsed. */
export interface KeyedRequest {
  readonly userId: string;
  readonly operation: string;
  readonly key: string;
  readonly body: unknown;
}

/** What was answered to the first request with a key. */
export interface FirstResult<Value> {
  readonly value: Value;
  readonly events: EventPosition[];
}

/** Same key and operation within this time: the same request. [K1] */
export const keyLifetimeHours = 24;

/**
 * Takes the keys for this transaction; answers, for each request, whether it got its key. A key that another transaction
 * holds is waited for, until that one commits (and has the first result) or rolls back (and leaves the key). No key may
 * be given twice.
 */
export async function takeKeys(tx: Db, requests: readonly KeyedRequest[]): Promise<boolean[]> {
  if (requests.length === 0) return [];
  const input = requests.map((request) => ({
    user_id: request.userId,
    operation: request.operation,
    key: request.key,
    body_hash: hashBody(request.body),
  }));
  const taken = await queryRows<{ user_id: string; operation: string; key: string }>(
    tx,
    // Sorted, so that two transactions that want the same keys wait for each other, and not in a circle.
    sql`
      INSERT INTO idempotency_keys AS k (user_id, operation, key, body_hash)
      SELECT user_id, operation, key, body_hash
      FROM json_to_recordset(${JSON.stringify(input)}::json)
        AS r(user_id uuid, operation text, key text, body_hash text)
      ORDER BY user_id, operation, key
      ON CONFLICT (user_id, operation, key) DO UPDATE
        SET body_hash = excluded.body_hash, result = NULL, created_at = now()
        WHERE k.created_at < now() - make_interval(hours => ${keyLifetimeHours})
      RETURNING user_id, operation, key`,
  );
  const names = new Set(taken.map((row) => nameOf(row.user_id, row.operation, row.key)));
  return requests.map(({ userId, operation, key }) => names.has(nameOf(userId, operation, key)));
}

/** Keeps what is answered to requests whose keys this transaction took. */
export async function keepResults(
  tx: Db,
  results: readonly (Omit<KeyedRequest, 'body'> & FirstResult<unknown>)[],
): Promise<void> {
  if (results.length === 0) return;
  const input = results.map(({ userId, operation, key, value, events }) => ({
    user_id: userId,
    operation,
    key,
    result: JSON.stringify({ value, events }),
  }));
  await tx.execute(sql`
    UPDATE idempotency_keys AS k SET result = r.result::json
    FROM json_to_recordset(${JSON.stringify(input)}::json) AS r(user_id uuid, operation text, key text, result text)
    WHERE k.user_id = r.user_id AND k.operation = r.operation AND k.key = r.key`);
}

/**
 * Gives the kept result that has the value's `id` that value: a repeat is answered with it, and what it said before is gone.
 * [O5] Call it before events take their places: it reads the user's keys of a day. A batch locks topics before keys, but only
 * keys that nobody holds yet or that are a day old; should they meet there, one of the two runs again.
 */
export async function rewriteResult(
  tx: Db,
  { userId, operation }: Pick<KeyedRequest, 'userId' | 'operation'>,
  value: { readonly id: string },
): Promise<void> {
  // Found by its text: a user may have sent tens of thousands within a day, and to parse them all took four times as long.
  const rows = await queryRows<{ key: string; result: string }>(
    tx,
    sql`SELECT key, result::text AS result FROM idempotency_keys
        WHERE user_id = ${userId} AND operation = ${operation}
          AND position(${`"id":${JSON.stringify(value.id)}`} IN result::text) > 0
        ORDER BY key FOR UPDATE`,
  );
  const results = rows.flatMap(({ key, result }) => {
    const first: FirstResult<{ readonly id?: unknown }> = JSON.parse(result);
    return first.value.id === value.id ? [{ userId, operation, key, value, events: first.events }] : [];
  });
  await keepResults(tx, results);
}

/** The names of those requests whose keys are taken, by transactions that are committed; see `nameOf`. */
export async function findKeys(tx: Db, requests: readonly KeyedRequest[]): Promise<ReadonlySet<string>> {
  if (requests.length === 0) return new Set();
  const taken = await runStatement<{ user_id: string; operation: string; key: string }>(tx, {
    name: 'find_keys',
    // Each looked up by the primary key: OFFSET keeps the planner from reading the table whole.
    text: `
      SELECT asked.* FROM ${asked}, LATERAL (
        SELECT 1 FROM idempotency_keys AS k
        WHERE k.user_id = asked.user_id AND k.operation = asked.operation AND k.key = asked.key AND NOT ${isOld}
        OFFSET 0
      ) AS taken`,
    values: toLists(requests),
  });
  return new Set(taken.map((row) => nameOf(row.user_id, row.operation, row.key)));
}

/**
 * What keeps the results of requests whose keys were free a moment ago. It fails where another transaction has taken one
 * since, see `isKeyTaken`: then it did so without the lock of the topic, for another request.
 */
export function keepKeys(results: readonly (KeyedRequest & FirstResult<unknown>)[]): Statement[] {
  if (results.length === 0) return [];
  return [
    {
      name: 'keep_keys',
      // Over a key that is not old it fails, as there is no body_hash without a value.
      text: `
        INSERT INTO idempotency_keys AS k (user_id, operation, key, body_hash, result)
        SELECT user_id, operation, key, body_hash, result::json
        FROM ROWS FROM (
          unnest(string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')), json_array_elements_text($3::json),
          unnest(string_to_array($4, E'\\x1f'), string_to_array($5, E'\\x1f'))
        ) AS asked(user_id, operation, key, body_hash, result)
        ORDER BY user_id, operation, key
        ON CONFLICT (user_id, operation, key) DO UPDATE SET
          body_hash = CASE WHEN ${isOld} THEN excluded.body_hash END, result = excluded.result, created_at = now()`,
      values: [
        ...toLists(results),
        toList(results.map(({ body }) => hashBody(body))),
        toList(results.map(({ value, events }) => JSON.stringify({ value, events }))),
      ],
    },
  ];
}

/** Whether a statement of `keepKeys` failed because a key is taken. */
export const isKeyTaken = (error: unknown): boolean => isWithoutValue(error, 'body_hash');

const isOld = `k.created_at < now() - make_interval(hours => ${keyLifetimeHours})`;

const asked = `ROWS FROM (
  unnest(string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')), json_array_elements_text($3::json)
) AS asked(user_id, operation, key)`;

/** Keys are the clients' own, and may have any characters. */
const toLists = (requests: readonly KeyedRequest[]) => [
  toList(requests.map(({ userId }) => userId)),
  toList(requests.map(({ operation }) => operation)),
  JSON.stringify(requests.map(({ key }) => key)),
];

/**
 * What the first request with this key was answered; undefined when there is none within the lifetime of keys, or none
 * that is committed: behind a refusal of `takeKeys` call it in a transaction that began later. Throws `conflict` when the
 * first one had another body.
 */
export async function readFirstResult<Value>(
  db: Db,
  { userId, operation, key, body }: KeyedRequest,
): Promise<FirstResult<Value> | undefined> {
  const rows = await queryRows<{ body_hash: string; result: string | null }>(
    db,
    sql`SELECT body_hash, result::text AS result FROM idempotency_keys
        WHERE user_id = ${userId} AND operation = ${operation} AND key = ${key}
          AND created_at >= now() - make_interval(hours => ${keyLifetimeHours})`,
  );
  const first = rows[0];
  if (first?.result == null) return undefined;
  if (first.body_hash !== hashBody(body)) {
    throw new AppError(
      'conflict',
      'This key was used before with another body. Use a new key for a new request.',
    );
  }
  return JSON.parse(first.result);
}

/**
 * Takes what a limit allows; undefined: go on. Over the limit, a request that was answered before gets its first result
 * again, and any other the refusal. Looked at only then: asked before every request, it would cost each one a query. [K1]
 */
export async function takeOrRepeat<Value>(
  db: Db,
  request: KeyedRequest | undefined,
  take: () => Promise<void>,
): Promise<FirstResult<Value> | undefined> {
  try {
    await take();
    return undefined;
  } catch (refusal) {
    const first = request && (await readFirstResult<Value>(db, request));
    if (first === undefined) throw refusal;
    return first;
  }
}

/** Tells requests apart that carry the same key. A key and an operation hold no NUL: the schemas see to it. */
export const nameOf = (userId: string, operation: string, key: string): string =>
  `${userId}\0${operation}\0${key}`;

function hashBody(body: unknown): string {
  return createHash('sha256').update(toOrderedJson(body)).digest('base64url');
}
