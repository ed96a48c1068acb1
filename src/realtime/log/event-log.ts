// The log: the truth about every topic. Seqs are 1, 2, 3 … a topic (or begin later [T4]), given out under the lock of the
// topic's row, so their order is the order of commits, and a rollback leaves no gap.
// Over 400 lines: all that writes to and reads from its two tables, so that both sides of a row stand in one place.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows, runStatement, type Statement, toList } from '../../db/database.ts';
import type { EventMeta } from '../../protocol/envelope.ts';
import { baseOf, liftNewTopics } from './forgotten.ts';

/** An event on its way into the log. Several topics: one event, one id, a seq on each. */
export interface NewEvent {
  readonly topic: string | readonly string[];
  readonly type: string;
  /** Any JSON. */
  readonly payload: unknown;
  /** Users who lose the topic with this event. It must be the last event of its transaction on that topic. [S7] */
  readonly revokes?: readonly string[];
  /** Of several topics the one that they lose; left out: all of them. */
  readonly revokesOn?: string;
  /** Users who lost the topic before this event, through another one: they do not get it, nor anything behind it. [S7] */
  readonly withheldFrom?: readonly string[];
  /** What earlier transactions said on the topic, as it is to be read from now on. For an event on one topic. [O5] */
  readonly rewrites?: readonly Rewrite[];
}

/** An event of the log gets another payload. One that was pruned stays away. */
export interface Rewrite<Payload = unknown> {
  readonly seq: number;
  /** Any JSON. */
  readonly payload: Payload;
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
  readonly revokes: readonly string[] | undefined;
  readonly withheldFrom: readonly string[] | undefined;
  /** The seqs of the events that got another payload with this one: whoever has them in memory forgets them. [O5] */
  readonly rewrites: readonly number[] | undefined;
}

/** An event at its place in the log. */
export interface PlacedEvent {
  readonly topic: string;
  readonly seq: number;
  readonly event: Omit<NewEvent, 'topic'>;
  readonly meta: EventMeta;
  /** The same on every topic the event appears on. [E3] */
  readonly id: string;
}

/** As the columns have it. */
interface EventRow {
  topic: string;
  seq: number | string;
  id: string;
  type: string;
  at: string;
  /** JSON text. */
  payload: string;
  /** JSON text. */
  meta: string;
  shuts_out: readonly string[] | null | undefined;
  withheld_from: readonly string[] | null | undefined;
  rewrites: readonly (number | string)[] | null | undefined;
}

/** How many events each topic gets. */
export type Counts = ReadonlyMap<string, number>;

/**
 * Appends the events and answers them with their seqs, in the order given. Call it last before COMMIT: the lock on each
 * topic lasts until then.
 */
export async function appendEvents(tx: Db, caused: readonly CausedEvent[]): Promise<LoggedEvent[]> {
  if (caused.length === 0) return [];
  const single = caused.flatMap(spread);
  const counts = countBy(single.map(({ topic }) => topic));
  const nextSeq = seqsBelow(await raiseHeads(tx, counts), counts);
  return await insertEvents(
    tx,
    single.map((one) => ({ ...one, seq: nextSeq(one.topic) })),
  );
}

/** The event, once for each of its topics. */
export function spread({ event, meta }: CausedEvent): Omit<PlacedEvent, 'seq'>[] {
  const names = typeof event.topic === 'string' ? [event.topic] : event.topic;
  const id = Bun.randomUUIDv7();
  const { revokes, revokesOn, ...plain } = event;
  return names.map((topic) => ({
    topic,
    event: revokes !== undefined && (revokesOn ?? topic) === topic ? { ...plain, revokes } : plain,
    meta,
    id,
  }));
}

/**
 * Makes place for so many events on each topic and answers the new heads. The topics stay locked until COMMIT: what
 * commits on them from now on stands behind. Locked in sorted order, so that two transactions do not wait in a circle.
 */
async function raiseHeads(tx: Db, counts: Counts): Promise<Map<string, number>> {
  if (counts.size === 0) return new Map();
  const rows = await queryRows<{ name: string; head: number | string }>(
    tx,
    sql`
      INSERT INTO topics AS t (name, head)
      SELECT topic, count FROM json_to_recordset(${toJson(counts)}::json) AS r(topic text, count bigint) ORDER BY topic
      ON CONFLICT (name) DO UPDATE SET head = t.head + excluded.head, idle_since = NULL
      RETURNING t.name, t.head`,
    'raise_heads',
  );
  const heads = new Map(rows.map(({ name, head }) => [name, Number(head)]));
  const created = [...heads].filter(([name, head]) => head === counts.get(name)).map(([name]) => name);
  return new Map([...heads, ...(await liftNewTopics(tx, created))]);
}

/** The newest seq of each topic. */
export type Heads = ReadonlyMap<string, number>;

/**
 * Locks the topics until COMMIT and answers their heads; those that are not in the log are left out. In the order in which
 * `raiseHeads` locks them, each looked up by its name: a join, planned while the table is small, would go on reading it
 * whole when it has grown.
 */
export async function lockTopics(tx: Db, topics: readonly string[]): Promise<Heads> {
  const rows = await runStatement<{ name: string; head: number | string | null }>(tx, {
    name: 'lock_topics',
    text: `
      SELECT name, (SELECT head FROM topics AS t WHERE t.name = asked.name FOR NO KEY UPDATE) AS head
      FROM (SELECT name FROM unnest(string_to_array($1, E'\\x1f')) AS u(name) ORDER BY name) AS asked`,
    values: [toList(topics)],
  });
  return new Map(rows.flatMap(({ name, head }) => (head === null ? [] : [[name, Number(head)] as const])));
}

/** Makes topics that are not in the log yet, locked and without events. */
export async function makeTopics(tx: Db, topics: readonly string[]): Promise<Heads> {
  return await raiseHeads(tx, new Map(topics.map((topic) => [topic, 0])));
}

/** Of topics that this transaction made and does not need: where nothing ever happened, no row is left. */
export function unmakeTopics(topics: readonly string[]): Statement[] {
  if (topics.length === 0) return [];
  const text = `DELETE FROM topics WHERE name = ANY(string_to_array($1, E'\\x1f')) AND head = base`;
  return [{ name: 'unmake_topics', text, values: [toList(topics)] }];
}

/** An event that says nothing of others, and of users only that they lose the topic with it. */
export type PlainEvent = PlacedEvent & { readonly event: Pick<NewEvent, 'type' | 'payload' | 'revokes'> };

/** What writes events to their places, on topics that are locked and have these heads then; and the events in their wire form. */
export function appendTo(
  heads: Heads,
  placed: readonly PlainEvent[],
): { readonly events: LoggedEvent[]; readonly statements: Statement[] } {
  if (placed.length === 0) return { events: [], statements: [] };
  const rows = toRows(placed);
  const raise = {
    name: 'set_heads',
    text: `
      INSERT INTO topics (name, head)
      SELECT * FROM unnest(string_to_array($1, E'\\x1f'), string_to_array($2, E'\\x1f')::bigint[])
      ON CONFLICT (name) DO UPDATE SET head = excluded.head, idle_since = NULL`,
    values: [toList([...heads.keys()]), toList([...heads.values()])],
  };
  const revoking = rows.filter(({ shuts_out }) => shuts_out !== undefined);
  const inserts =
    revoking.length === 0
      ? [insertStatement(rows)]
      : [insertStatement(rows.filter(({ shuts_out }) => shuts_out === undefined)), insertRevoking(revoking)];
  return { events: rows.map(toLoggedEvent), statements: [raise, ...inserts] };
}

function toRows(placed: readonly PlacedEvent[]): EventRow[] {
  const at = new Date().toISOString();
  const toPayload = rememberLast(JSON.stringify); // on several topics it is the same one, side by side
  const toMeta = rememberLast(JSON.stringify);
  return placed.map(({ topic, seq, event, meta, id }) => ({
    topic,
    seq,
    id,
    type: event.type,
    at,
    // Both travel as text: so the database reads \u0000 in them as text, not as a character.
    payload: toPayload(event.payload),
    meta: toMeta(meta),
    shuts_out: event.revokes,
    withheld_from: event.withheldFrom,
    rewrites: event.rewrites?.map(({ seq }) => seq),
  }));
}

function rememberLast(encode: (value: unknown) => string): (value: unknown) => string {
  let last: { readonly value: unknown; readonly text: string } | undefined;
  return (value) => {
    if (last === undefined || last.value !== value) last = { value, text: encode(value) };
    return last.text;
  };
}

const insertStatement = (rows: readonly EventRow[]): Statement => ({
  name: 'insert_events',
  text: `
    INSERT INTO events (topic, seq, id, type, at, payload, meta)
    SELECT topic, seq, id, type, $5::timestamptz, payload::json, meta::json
    FROM unnest(
      string_to_array($1, E'\\x1f'), string_to_array($2, E'\\x1f')::bigint[], string_to_array($3, E'\\x1f')::uuid[],
      string_to_array($4, E'\\x1f'), string_to_array($6, E'\\x1f'), string_to_array($7, E'\\x1f')
    ) AS e(topic, seq, id, type, payload, meta)`,
  values: toColumns(rows),
});

/** A statement of its own: the many without would pay for the column, and marked afterwards a row would be written twice. */
const insertRevoking = (rows: readonly EventRow[]): Statement => ({
  name: 'insert_revoking_events',
  text: `
    INSERT INTO events (topic, seq, id, type, at, payload, meta, shuts_out)
    SELECT topic, seq, id, type, $5::timestamptz, payload::json, meta::json, string_to_array(shuts_out, ',')
    FROM unnest(
      string_to_array($1, E'\\x1f'), string_to_array($2, E'\\x1f')::bigint[], string_to_array($3, E'\\x1f')::uuid[],
      string_to_array($4, E'\\x1f'), string_to_array($6, E'\\x1f'), string_to_array($7, E'\\x1f'), string_to_array($8, E'\\x1f')
    ) AS e(topic, seq, id, type, payload, meta, shuts_out)`,
  values: [...toColumns(rows), toList(rows.map(({ shuts_out }) => (shuts_out ?? []).join(',')))], // ids, so without a comma
});

const toColumns = (rows: readonly EventRow[]): Statement['values'] => [
  toList(rows.map(({ topic }) => topic)),
  toList(rows.map(({ seq }) => seq)),
  toList(rows.map(({ id }) => id)),
  toList(rows.map(({ type }) => type)),
  rows[0]?.at,
  toList(rows.map(({ payload }) => payload)),
  toList(rows.map(({ meta }) => meta)),
];

/** Gives out, topic by topic, the seqs that these heads were raised by. */
function seqsBelow(heads: ReadonlyMap<string, number>, counts: Counts): (topic: string) => number {
  const last = new Map([...heads].map(([topic, head]) => [topic, head - (counts.get(topic) ?? 0)]));
  return (topic) => {
    const before = last.get(topic);
    if (before === undefined) throw new Error(`The log did not answer the head of ${topic}.`);
    last.set(topic, before + 1);
    return before + 1;
  };
}

function countBy(topics: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const topic of topics) counts.set(topic, (counts.get(topic) ?? 0) + 1);
  return counts;
}

/** Writes events to the places that `raiseHeads` made for them, and answers them in their wire form. */
async function insertEvents(tx: Db, placed: readonly PlacedEvent[]): Promise<LoggedEvent[]> {
  if (placed.length === 0) return [];
  const rows = toRows(placed);
  await runStatement(tx, insertStatement(rows));
  await markEvents(
    tx,
    rows.filter(
      ({ shuts_out, withheld_from, rewrites }) =>
        shuts_out !== undefined || withheld_from !== undefined || rewrites !== undefined,
    ),
  );
  await rewriteEvents(tx, placed);
  return rows.map(toLoggedEvent);
}

/** What few events have, in a statement of its own: beside all others, those without would pay for it as well. */
async function markEvents(
  tx: Db,
  rows: readonly Pick<EventRow, 'topic' | 'seq' | 'shuts_out' | 'withheld_from' | 'rewrites'>[],
): Promise<void> {
  if (rows.length === 0) return;
  const marks = rows.map(({ topic, seq, shuts_out, withheld_from, rewrites }) => ({
    topic,
    seq,
    shuts_out,
    withheld_from,
    rewrites,
  }));
  await tx.execute(sql`
    UPDATE events AS e SET shuts_out = r.shuts_out, withheld_from = r.withheld_from, rewrites = r.rewrites
    FROM json_to_recordset(${JSON.stringify(marks)}::json)
      AS r(topic text, seq bigint, shuts_out text[], withheld_from text[], rewrites bigint[])
    WHERE e.topic = r.topic AND e.seq = r.seq`);
}

async function rewriteEvents(tx: Db, placed: readonly PlacedEvent[]): Promise<void> {
  const rewritten = placed.flatMap(({ topic, event }) =>
    (event.rewrites ?? []).map(({ seq, payload }) => ({ topic, seq, payload: JSON.stringify(payload) })),
  );
  if (rewritten.length === 0) return;
  await tx.execute(sql`
    UPDATE events AS e SET payload = r.payload::json
    FROM json_to_recordset(${JSON.stringify(rewritten)}::json) AS r(topic text, seq bigint, payload text)
    WHERE e.topic = r.topic AND e.seq = r.seq`);
}

/**
 * The seq that the next event on the topic will get. Takes the topic's lock early, for rows that carry the seq of their
 * own event; everything on the topic waits until COMMIT, so call it last, and for one topic a transaction.
 */
export async function reserveSeq(tx: Db, topic: string): Promise<number> {
  const heads = await raiseHeads(tx, new Map([[topic, 0]]));
  return (heads.get(topic) ?? 0) + 1;
}

/** A page of events ends with the one that brings its payloads to this many characters. */
const pageChars = 1_048_576;

/**
 * Events behind `after`, oldest first: at most `limit`, and fewer where they are large, but one if there is one. The first
 * has a seq above `after + 1` if older ones were pruned.
 */
export async function readEvents(
  db: Db,
  topic: string,
  after: number,
  limit: number,
): Promise<LoggedEvent[]> {
  return await readPage(
    db,
    sql`SELECT * FROM events WHERE topic = ${topic} AND seq > ${after} ORDER BY seq LIMIT ${limit}`,
    sql`seq`,
  );
}

/** The newest events up to the one at `last`, oldest first: at most `limit`, and fewer where they are large. */
export async function readNewestEvents(
  db: Db,
  topic: string,
  last: number,
  limit: number,
): Promise<LoggedEvent[]> {
  const newestFirst = await readPage(
    db,
    sql`SELECT * FROM events WHERE topic = ${topic} AND seq <= ${last} ORDER BY seq DESC LIMIT ${limit}`,
    sql`seq DESC`,
  );
  return newestFirst.reverse();
}

/** Whether `readEvents` found no more than these, when it was asked for `limit`. */
export function isLastPage(page: readonly LoggedEvent[], limit: number): boolean {
  return page.length < limit && page.reduce((sum, { frame }) => sum + frame.length, 0) < pageChars;
}

async function readPage(db: Db, events: SQL, order: SQL): Promise<LoggedEvent[]> {
  const rows = await queryRows<EventRow>(
    db,
    sql`
      SELECT topic, seq, id, type, payload, meta::text AS meta, shuts_out, withheld_from, rewrites,
        to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
      FROM (
        SELECT topic, seq, id, type, at, payload::text AS payload, meta, shuts_out, withheld_from, rewrites,
          sum(length(payload::text)) OVER (ORDER BY ${order}) - length(payload::text) AS chars_before
        FROM (${events}) AS wanted
      ) AS page
      WHERE chars_before < ${pageChars} ORDER BY ${order}`,
  );
  return rows.map(toLoggedEvent);
}

export interface TopicPosition {
  /** The newest seq; where nothing happened, the base. */
  head: number;
  /** The seq before the first event, be it pruned: 0, or what was forgotten. [T4] */
  base: number;
  /** The oldest `since` that the log can still answer without a gap. */
  reach: number;
  epoch: string;
}

/** Where a topic stands, in the snapshot of `db`. */
export async function readPosition(db: Db, topic: string): Promise<TopicPosition> {
  const position = (await readPositions(db, [topic])).get(topic);
  if (position === undefined) throw new Error('The table event_log is empty: the migrations did not run.');
  return position;
}

/** Where each of the topics stands. */
export async function readPositions(db: Db, names: readonly string[]): Promise<Map<string, TopicPosition>> {
  if (names.length === 0) return new Map();
  const rows = await queryRows<{
    name: string;
    epoch: string;
    head: string;
    base: string;
    oldest: string | null;
  }>(
    db,
    sql`SELECT asked.name, epoch, coalesce(t.head, ${baseOf(sql`asked.name`)}) AS head,
          coalesce(t.base, ${baseOf(sql`asked.name`)}) AS base,
          (SELECT min(seq) FROM events WHERE topic = asked.name) AS oldest
        FROM event_log CROSS JOIN unnest(${sql.param([...names])}::text[]) AS asked(name)
          LEFT JOIN topics AS t ON t.name = asked.name`,
  );
  return new Map(
    rows.map(({ name, epoch, ...row }) => {
      const [head, base] = [Number(row.head), Number(row.base)];
      return [name, { head, base, reach: row.oldest === null ? head : Number(row.oldest) - 1, epoch }];
    }),
  );
}

/** The end of a topic: where it stands, and the id of the event there, null where that was pruned. */
export interface LogHead {
  readonly head: number;
  readonly id: string | null;
}

/** Where each topic ends; one that is not in the log, where it begins. */
export async function readStarts(db: Db, names: readonly string[]): Promise<Map<string, LogHead>> {
  const rows = await queryRows<{ name: string; head: string | number; id: string | null }>(
    db,
    sql`SELECT asked.name, coalesce(t.head, ${baseOf(sql`asked.name`)}) AS head, events.id
        FROM unnest(${sql.param([...names])}::text[]) AS asked(name)
          LEFT JOIN topics AS t ON t.name = asked.name
          LEFT JOIN events ON events.topic = t.name AND events.seq = t.head`,
  );
  return new Map(rows.map(({ name, head, id }) => [name, { head: Number(head), id }]));
}

/** The heads of those of the topics that are in the log. */
export async function readHeads(db: Db, names: readonly string[]): Promise<Map<string, number>> {
  const rows = await queryRows<{ name: string; head: string | number }>(
    db,
    sql`SELECT name, head FROM topics WHERE name = ANY(${sql.param([...names])}::text[])`,
  );
  return new Map(rows.map((row) => [row.name, Number(row.head)]));
}

/**
 * The id of an event, from its wire form: kept beside it, it would be bytes for each event in memory. A copy: a slice holds
 * on to the whole frame, be it rewritten since. [O5]
 */
export function idOf({ topic, seq, type, frame }: LoggedEvent): string {
  const start = beginOf(topic, seq, type).length;
  return Buffer.from(frame.slice(start, frame.indexOf('"', start)), 'latin1').toString('latin1');
}

/** When the event was written, in ms since 1970, from its wire form: ISO 8601 behind the first `at`. */
export function atOf({ frame }: LoggedEvent): number {
  const start = frame.indexOf(beforeAt) + beforeAt.length;
  return Date.parse(frame.slice(start, start + '2026-01-01T00:00:00.000Z'.length));
}

const beforeAt = '","at":"';

const beginOf = (topic: string, seq: number, type: string): string =>
  `{"type":"${type}","topic":"${topic}","seq":${seq},"id":"`;

/** Payload and meta are JSON already: concatenation, so that replay costs no parsing. [E3] */
function toLoggedEvent(row: EventRow): LoggedEvent {
  const { topic, type } = row;
  const seq = Number(row.seq);
  const frame = `${beginOf(topic, seq, type)}${row.id}","at":"${row.at}","payload":${row.payload},"meta":${row.meta}}`;
  return {
    topic,
    seq,
    type,
    frame,
    revokes: row.shuts_out ?? undefined,
    withheldFrom: row.withheld_from ?? undefined,
    rewrites: row.rewrites?.map(Number),
  };
}

const toJson = (counts: Counts): string =>
  JSON.stringify([...counts].map(([topic, count]) => ({ topic, count })));
