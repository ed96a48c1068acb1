// The log: the truth about every topic. Seqs are 1, 2, 3 … a topic, given out under the lock of the topic's row, so
// their order is the order of commits, and a rollback leaves no gap.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/connect.ts';
import type { EventMeta } from '../protocol/envelope.ts';

/** An event on its way into the log. Several topics: one event, one id, a seq on each. */
export interface NewEvent {
  readonly topic: string | readonly string[];
  readonly type: string;
  /** Any JSON. */
  readonly payload: unknown;
  /** The payload, an object with fields, gets the event's own seq as its first one. */
  readonly isNumbered?: boolean;
  /** Users who lose the topic with this event. It must be the last event of its transaction on that topic. [S7] */
  readonly shutsOut?: readonly string[];
}

/** A new event, and who caused it. */
export interface CausedEvent {
  readonly event: NewEvent;
  readonly meta: EventMeta;
}

/** An event of the log in its wire form, encoded once. */
export interface LoggedEvent {
  readonly topic: string;
  readonly seq: number;
  readonly type: string;
  readonly frame: string;
  readonly shutsOut: readonly string[] | undefined;
}

interface EncodedEvent {
  id: string;
  type: string;
  topic: string;
  at: string;
  /** JSON text. */
  payload: string;
  /** JSON text. */
  meta: string;
  numbered: boolean;
  shuts_out: readonly string[] | null;
}

/** An event among those of one append: `back` more follow it on its topic. */
interface PlacedEvent extends EncodedEvent {
  back: number;
}

interface EventRow {
  topic: string;
  seq: number | string;
  id: string;
  type: string;
  at: string;
  payload: string;
  meta: string;
  shuts_out: string[] | null;
}

/**
 * Appends the events and answers them with their seqs, in the order given. Call it as the last statement before COMMIT:
 * the lock on each topic lasts until then. Topics are locked in sorted order, so two appends cannot deadlock.
 */
export async function appendEvents(tx: Db, caused: readonly CausedEvent[]): Promise<LoggedEvent[]> {
  if (caused.length === 0) return [];
  const counts = new Map<string, number>();
  const encoded = encodeEvents(caused);
  // From behind: how many of its topic follow each event is all that its seq depends on, beside the topic's new head.
  const placed: PlacedEvent[] = encoded
    .toReversed()
    .map((event) => {
      const back = counts.get(event.topic) ?? 0;
      counts.set(event.topic, back + 1);
      return { ...event, back };
    })
    .reverse();
  const raise = JSON.stringify([...counts].map(([topic, count]) => ({ topic, count })));
  // Payloads travel as strings inside of the parameter: so the database reads \u0000 in them as text, not as a character.
  const rows = await queryRows<{ name: string; head: number | string }>(
    tx,
    sql`
      WITH raised AS (
        INSERT INTO topics AS t (name, head)
        SELECT topic, count FROM json_to_recordset(${raise}::json) AS r(topic text, count bigint) ORDER BY topic
        ON CONFLICT (name) DO UPDATE SET head = t.head + excluded.head
        RETURNING t.name, t.head
      ), appended AS (
        INSERT INTO events (topic, seq, id, type, at, payload, meta, shuts_out)
        SELECT e.topic, raised.head - e.back, e.id, e.type, e.at,
          CASE WHEN e.numbered THEN '{"seq":' || raised.head - e.back || ',' || substr(e.payload, 2)
            ELSE e.payload END::json,
          e.meta::json, e.shuts_out
        FROM json_to_recordset(${JSON.stringify(placed)}::json) AS e(topic text, back bigint, id uuid, type text,
          at timestamptz, payload text, meta text, numbered boolean, shuts_out text[])
        JOIN raised ON raised.name = e.topic
      )
      SELECT name, head FROM raised`,
  );
  const heads = new Map(rows.map(({ name, head }) => [name, Number(head)]));
  return placed.map(({ back, ...event }) => {
    const head = heads.get(event.topic);
    if (head === undefined) throw new Error(`The log did not answer the head of ${event.topic}.`);
    return toLoggedEvent(event, head - back);
  });
}

/**
 * The seq that the next event on the topic will get. Takes the topic's lock early, for rows that carry the seq of their
 * own event; everything on the topic waits until COMMIT, so call it last, and for one topic a transaction.
 */
export async function reserveSeq(tx: Db, topic: string): Promise<number> {
  const rows = await queryRows<{ head: number | string }>(
    tx,
    sql`INSERT INTO topics AS t (name, head) VALUES (${topic}, 0)
        ON CONFLICT (name) DO UPDATE SET head = t.head RETURNING t.head`,
  );
  return Number(rows[0]?.head ?? 0) + 1;
}

/** Events behind `after`, oldest first, at most `limit`. The first one has a seq above `after + 1` if older ones were pruned. */
export async function readEvents(
  db: Db,
  topic: string,
  after: number,
  limit: number,
): Promise<LoggedEvent[]> {
  const rows = await queryRows<EventRow>(
    db,
    sql`SELECT topic, seq, id, type, payload::text AS payload, meta::text AS meta, shuts_out,
          to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
        FROM events WHERE topic = ${topic} AND seq > ${after} ORDER BY seq LIMIT ${limit}`,
  );
  return rows.map((row) => toLoggedEvent({ ...row, numbered: false }, Number(row.seq)));
}

export interface TopicPosition {
  /** The newest seq; 0 where nothing ever happened. */
  head: number;
  /** The oldest `since` that the log can still answer without a gap. */
  reach: number;
  epoch: string;
}

/** Where a topic stands, in the snapshot of `db`. */
export async function readPosition(db: Db, topic: string): Promise<TopicPosition> {
  const rows = await queryRows<{ epoch: string; head: string | null; oldest: string | null }>(
    db,
    sql`SELECT epoch, (SELECT head FROM topics WHERE name = ${topic}) AS head,
          (SELECT min(seq) FROM events WHERE topic = ${topic}) AS oldest
        FROM event_log`,
  );
  const row = rows[0];
  if (row === undefined) throw new Error('The table event_log is empty: the migrations did not run.');
  const head = Number(row.head ?? 0);
  return { head, reach: row.oldest === null ? head : Number(row.oldest) - 1, epoch: row.epoch };
}

/** The heads of those of the topics on which something ever happened. */
export async function readHeads(db: Db, names: readonly string[]): Promise<Map<string, number>> {
  const rows = await queryRows<{ name: string; head: string | number }>(
    db,
    sql`SELECT name, head FROM topics WHERE name = ANY(${sql.param([...names])}::text[])`,
  );
  return new Map(rows.map((row) => [row.name, Number(row.head)]));
}

function encodeEvents(caused: readonly CausedEvent[]): EncodedEvent[] {
  const at = new Date().toISOString();
  return caused.flatMap(({ event, meta }) => {
    const encoded = {
      id: Bun.randomUUIDv7(),
      type: event.type,
      at,
      payload: JSON.stringify(event.payload),
      meta: JSON.stringify(meta),
      numbered: event.isNumbered ?? false,
      shuts_out: event.shutsOut ?? null,
    };
    const names = typeof event.topic === 'string' ? [event.topic] : event.topic;
    return names.map((topic) => ({ ...encoded, topic }));
  });
}

/** Payload and meta are JSON already: concatenation, so that replay costs no parsing. [E3] */
function toLoggedEvent({ numbered, ...event }: EncodedEvent, seq: number): LoggedEvent {
  const payload = numbered ? `{"seq":${seq},${event.payload.slice(1)}` : event.payload;
  const frame = `{"type":"${event.type}","topic":"${event.topic}","seq":${seq},"id":"${event.id}","at":"${event.at}","payload":${payload},"meta":${event.meta}}`;
  return { topic: event.topic, seq, type: event.type, frame, shutsOut: event.shuts_out ?? undefined };
}
