// Forgetting topics that are nothing but their events: once those are pruned, and nobody has followed the topic for a day, its
// row goes. Its numbers are never given out again: the highest head of the forgotten topics is kept for each bucket of names,
// and a topic that begins begins behind it, so that a position from before is a reset and no false continuation. [T4]
//
// Rejected: one number for all names. It would lift every new topic, and be raised by topics that have nothing to do with it.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { forgettablePrefix, isForgettable } from '../../protocol/topics.ts';
import { keyLifetimeHours } from './keys.ts';

/** So long a topic stays without events and followers. First results of keys name positions on it until then. [K1] */
const idleHours = keyLifetimeHours;
/** Followed topics are noted anew when the note is this old: long before they could be forgotten, and seldom. */
const noteHours = idleHours / 2;

/** Behind which seq the topic of this name begins, if it is not in the log. */
export function baseOf(name: SQL): SQL {
  const forgotten = sql`(SELECT head FROM forgotten_topics WHERE bucket = ${bucketOf(name)})`;
  return sql`CASE WHEN ${name} LIKE ${`${forgettablePrefix}%`} THEN coalesce(${forgotten}, 0) ELSE 0 END`;
}

/**
 * Moves topics that this transaction has just made behind what was forgotten, and answers their new heads. In a statement
 * of its own, which sees what was committed while this transaction waited: a topic being forgotten holds up the one that
 * makes it anew, but would not show it the bucket as it is then.
 */
export async function liftNewTopics(tx: Db, topics: readonly string[]): Promise<Map<string, number>> {
  const names = topics.filter(isForgettable);
  if (names.length === 0) return new Map();
  const rows = await queryRows<{ name: string; head: number | string }>(
    tx,
    sql`
      UPDATE topics AS t SET base = f.head, head = t.head + f.head FROM forgotten_topics AS f
      WHERE t.name = ANY(${sql.param(names)}::text[]) AND t.base = 0 AND f.bucket = ${bucketOf(sql`t.name`)}
      RETURNING t.name, t.head`,
  );
  return new Map(rows.map(({ name, head }) => [name, Number(head)]));
}

/** Notes that these topics are followed. To be called far more often than every half a day. */
export async function keepFollowed(db: Db, topics: readonly string[]): Promise<void> {
  const names = topics.filter(isForgettable);
  for (let start = 0; start < names.length; start += sliceSize) {
    const slice = sql.param(names.slice(start, start + sliceSize));
    // Locked in the order in which those who write lock them.
    await db.execute(sql`
      UPDATE topics SET idle_since = now() WHERE name IN (
        SELECT name FROM topics
        WHERE name = ANY(${slice}::text[]) AND idle_since < now() - make_interval(hours => ${noteHours})
        ORDER BY name FOR UPDATE
      )`);
  }
}

/** Of the topics behind `after` up to `last`: notes those that are without events now, and forgets those that were for a day. */
export async function forgetTopics(tx: Db, after: string, last: string): Promise<void> {
  const isDue = sql`idle_since < now() - make_interval(hours => ${idleHours})`;
  // A scalar subquery looks into the index topic by topic, whatever the planner believes of the table's size.
  const isEmpty = sql`(SELECT true FROM events WHERE topic = name LIMIT 1) IS NULL`;
  const candidates = await queryRows<{ name: string }>(
    tx,
    sql`
      SELECT name FROM topics
      WHERE name > ${after} AND name <= ${last} AND name LIKE ${`${forgettablePrefix}%`}
        AND (idle_since IS NULL OR ${isDue}) AND ${isEmpty}
      ORDER BY name FOR UPDATE SKIP LOCKED`,
  );
  if (candidates.length === 0) return;
  const names = sql.param(candidates.map(({ name }) => name));
  // Asked again behind the locks: what was written while they were waited for is seen, and nothing more can be written.
  await tx.execute(sql`
    WITH empty AS MATERIALIZED (
      SELECT name, idle_since FROM topics WHERE name = ANY(${names}::text[]) AND ${isEmpty}
    ), gone AS (
      DELETE FROM topics WHERE name IN (SELECT name FROM empty WHERE ${isDue}) RETURNING name, head
    ), kept AS (
      INSERT INTO forgotten_topics AS f (bucket, head)
      SELECT ${bucketOf(sql`name`)} AS bucket, max(head) FROM gone GROUP BY 1
      ON CONFLICT (bucket) DO UPDATE SET head = greatest(f.head, excluded.head)
    )
    UPDATE topics SET idle_since = now() WHERE name IN (SELECT name FROM empty WHERE idle_since IS NULL)`);
}

const sliceSize = 1_000;

/** One of 65,536. The same for ever and everywhere: what is kept must be found again. */
const bucketOf = (name: SQL): SQL => {
  const hash = sql`sha256(convert_to(${name}, 'UTF8'))`;
  return sql`(get_byte(${hash}, 0) * 256 + get_byte(${hash}, 1))`;
};
