// A module with timed things: bells that ring when they are due, unless they are broken, and then forget what they were told.

import { Type } from '@sinclair/typebox';
import { inArray, type SQL, sql } from 'drizzle-orm';
import { index, integer, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { type Db, queryRows } from '../../../src/db/database.ts';
import { durable } from '../../../src/protocol/events.ts';
import { Id } from '../../../src/protocol/values.ts';
import { command, defineModule, type TimedContext, timed, topicKind } from '../../../src/realtime/index.ts';

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
const isSet = sql`state = 'set'`;

export const bells = pgTable(
  'bells',
  {
    id: uuid('id').primaryKey(),
    dueAt: instant('due_at'),
    state: text('state').notNull(),
    /** `broken`: it cannot be rung. `stays`: it is left as it is. */
    mood: text('mood').notNull(),
    /** Whoever rings it needs the tower, where it has one. */
    tower: uuid('tower'),
    rungAt: instant('rung_at'),
    /** How many were rung with it, it too. */
    together: integer('together'),
  },
  (table) => [index('bells_due').on(table.dueAt).where(isSet)],
);

/** A server applies migrations; the tables of a fixture are made by hand. */
export async function createBells(db: Db): Promise<void> {
  await db.execute(sql`CREATE TABLE towers (id uuid PRIMARY KEY)`);
  await db.execute(sql`
    CREATE TABLE bells (
      id uuid PRIMARY KEY, due_at timestamptz(3), state text NOT NULL DEFAULT 'set', mood text NOT NULL DEFAULT 'fine',
      tower uuid, rung_at timestamptz(3), together integer
    )`);
  await db.execute(sql`CREATE INDEX bells_due ON bells (due_at) WHERE state = 'set'`);
}

const events = { 'bell.rung': durable(['bell'], Type.Object({ id: Id })) };
export const bell = topicKind('bell', { events, mayFollow: async () => true });

export const declared = { table: bells, id: bells.id, dueAt: bells.dueAt, isOpen: isSet };

export async function ring({ tx, emit }: TimedContext, ids: readonly string[]): Promise<void> {
  const wanted = await tx
    .select()
    .from(bells)
    .where(inArray(bells.id, [...ids]));
  const broken = wanted.find(({ mood }) => mood === 'broken');
  if (broken !== undefined) throw new Error(`The bell ${broken.id} is broken.`);
  await queryRows(
    tx,
    sql`SELECT 1 FROM towers WHERE id IN (SELECT tower FROM bells WHERE ${inArray(bells.id, [...ids])}) FOR UPDATE`,
  );
  const rung = ids.filter((id) => wanted.some((one) => one.id === id && one.mood !== 'stays'));
  if (rung.length === 0) return;
  await tx
    .update(bells)
    .set({ state: 'rung', rungAt: sql`clock_timestamp()`, together: ids.length })
    .where(inArray(bells.id, rung));
  for (const id of rung) emit(bell.on(id), 'bell.rung', { id });
}

export const ringing = timed('bell.ring', { ...declared, run: ring });

const setBell = command('bell.set', {
  summary: 'Let a bell ring in so many ms',
  http: 'POST /bells',
  input: Type.Object({ inMs: Type.Integer() }, { additionalProperties: false }),
  output: Type.Object({ id: Id }),
  async run({ tx, wakeIn }, { inMs }) {
    const id = Bun.randomUUIDv7();
    await tx.insert(bells).values({ id, dueAt: inFuture(inMs), state: 'set', mood: 'fine' });
    wakeIn(inMs);
    return { id };
  },
});

const inFuture = (ms: number): SQL<Date> => sql`now() + make_interval(secs => ${ms}::float8 / 1000)`;

export const bellsModule = defineModule('bells', {
  topicKinds: [bell],
  events,
  timed: [ringing],
  operations: [setBell],
});

/**
 * Behind the module's back, so that no instance is told; a millisecond after one another. Answers their ids, the one that is
 * due first in front.
 */
export async function putBells(
  db: Db,
  count: number,
  { inMs = -1_000, mood = 'fine', tower }: { inMs?: number; mood?: string; tower?: string } = {},
): Promise<string[]> {
  const rows = Array.from({ length: count }, (_, n) => ({
    id: Bun.randomUUIDv7(),
    dueAt: inFuture(inMs + n),
    state: 'set',
    mood,
    tower,
  }));
  await db.insert(bells).values(rows.toReversed()); // so that their places in the table say nothing
  return rows.map(({ id }) => id);
}

/** How many of them have not been rung. */
export async function countSet(db: Db, ids: readonly string[]): Promise<number> {
  const open = await db
    .select({ state: bells.state })
    .from(bells)
    .where(inArray(bells.id, [...ids]));
  return open.filter(({ state }) => state === 'set').length;
}

/** How often each of them has rung, by the log. */
export async function countRings(db: Db, ids: readonly string[]): Promise<Map<string, number>> {
  const rows = await queryRows<{ topic: string; rings: number }>(
    db,
    sql`SELECT topic, count(*)::integer AS rings FROM events WHERE type = 'bell.rung' GROUP BY topic`,
  );
  const byTopic = new Map(rows.map(({ topic, rings }) => [topic, rings]));
  return new Map(ids.map((id) => [id, byTopic.get(bell.on(id).name) ?? 0]));
}

/** Between its due time and its ring, by the database's clock. */
export async function readLateMs(db: Db, ids: readonly string[]): Promise<number[]> {
  const rows = await db
    .select()
    .from(bells)
    .where(inArray(bells.id, [...ids]));
  return rows
    .map(({ rungAt, dueAt }) => (rungAt?.getTime() ?? Number.NaN) - (dueAt?.getTime() ?? Number.NaN))
    .sort((a, b) => a - b);
}
