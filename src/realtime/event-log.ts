// The log: the truth about every topic. Seqs are 1, 2, 3 … a topic, given out under the lock of the topic's row, so
// their order is the order of commits, and a rollback leaves no gap.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/connect.ts';
import type { EventMeta } from '../protocol/envelope.ts';

/** An event on its way into the log. Several topics: one event, one id, a seq on each. */
export interface NewEvent {
  readonly topic: string | readonly string[];
  readonly type: string;
  readonly payload: object;
  /** Users who lose the topic with this event. It must be the last event of its transaction on that topic. [S7] */
  readonly shutsOut?: readonly string[];
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
  payload: string;
  meta: string;
  shutsOut: readonly string[] | undefined;
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
export async function appendEvents(
  tx: Db,
  newEvents: readonly NewEvent[],
  meta: EventMeta,
): Promise<LoggedEvent[]> {
  if (newEvents.length === 0) return [];
  const encoded = encodeEvents(newEvents, meta);
  const input = JSON.stringify(encoded.map(({ payload, meta: metaText, ...event }) => event));
  const payloads = encoded.map((event) => event.payload);
  const metas = encoded.map((event) => event.meta);
  const rows = await queryRows<{ n: number | string; seq: number | string }>(
    tx,
    sql`
      WITH input AS (
        SELECT e.n, e.event->>'topic' AS topic, (e.event->>'id')::uuid AS id, e.event->>'type' AS type,
          (e.event->>'at')::timestamptz AS at, e.event->'shutsOut' AS shuts_out,
          (${sql.param(payloads)}::text[])[e.n] AS payload, (${sql.param(metas)}::text[])[e.n] AS meta,
          row_number() OVER (PARTITION BY e.event->>'topic' ORDER BY e.n) AS place
        FROM jsonb_array_elements(${input}::jsonb) WITH ORDINALITY AS e(event, n)
      ), raised AS (
        INSERT INTO topics AS t (name, head)
        SELECT topic, count(*) FROM input GROUP BY topic ORDER BY topic
        ON CONFLICT (name) DO UPDATE SET head = t.head + excluded.head
        RETURNING t.name, t.head
      ), counted AS (
        SELECT topic, count(*) AS events FROM input GROUP BY topic
      ), placed AS (
        SELECT input.*, raised.head - counted.events + input.place AS seq
        FROM input JOIN raised ON raised.name = input.topic JOIN counted ON counted.topic = input.topic
      ), appended AS (
        INSERT INTO events (topic, seq, id, type, at, payload, meta, shuts_out)
        SELECT topic, seq, id, type, at, payload::json, meta::json,
          CASE WHEN jsonb_typeof(shuts_out) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(shuts_out)) END
        FROM placed
      )
      SELECT n, seq FROM placed ORDER BY n`,
  );
  return rows.map((row) => {
    const event = encoded[Number(row.n) - 1];
    if (event === undefined) throw new Error('The log answered an event that was not appended.');
    return toLoggedEvent(event, Number(row.seq));
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
  return rows.map((row) => toLoggedEvent({ ...row, shutsOut: row.shuts_out ?? undefined }, Number(row.seq)));
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

function encodeEvents(newEvents: readonly NewEvent[], meta: EventMeta): EncodedEvent[] {
  const at = new Date().toISOString();
  const metaText = JSON.stringify(meta);
  return newEvents.flatMap((event) => {
    const id = Bun.randomUUIDv7();
    const payload = JSON.stringify(event.payload);
    const names = typeof event.topic === 'string' ? [event.topic] : event.topic;
    return names.map((topic) => ({
      id,
      type: event.type,
      topic,
      at,
      payload,
      meta: metaText,
      shutsOut: event.shutsOut,
    }));
  });
}

/** Payload and meta are JSON already: concatenation, so that replay costs no parsing. [E3] */
function toLoggedEvent(event: EncodedEvent, seq: number): LoggedEvent {
  const frame = `{"type":"${event.type}","topic":"${event.topic}","seq":${seq},"id":"${event.id}","at":"${event.at}","payload":${event.payload},"meta":${event.meta}}`;
  return { topic: event.topic, seq, type: event.type, frame, shutsOut: event.shutsOut };
}
