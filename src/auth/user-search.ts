// Users whose names contain a text, by name, at a cost that does not grow with the number of users. What many names contain
// is soon met by walking along them in their order; what few contain, the index of parts of names finds. In between, a page
// is what a long walk met: it may be short, even empty, and have a next one all the same.

import { Type } from '@sinclair/typebox';
import { inArray, type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/database.ts';
import {
  defaultPageSize,
  encodeCursor,
  type Page,
  type PageRequest,
  readCursor,
  toPage,
} from '../protocol/paging.ts';
import { Id } from '../protocol/values.ts';
import { users } from './schema.ts';

type UserRow = typeof users.$inferSelect;

/** Where a user stands in lists: the folded name and the id. */
export const NamePosition = Type.Tuple([Type.String(), Id]);

export interface NameSearch {
  /** What the folded names contain. */
  readonly foldedText: string;
  readonly withDisabled: boolean;
}

/** Names walked along before the index is asked. */
export const shortWalk = 500;
/** Names walked along for a page where the index has more than `maxCandidates`. */
const longWalk = 5_000;
/** Users read by the index for a page. Of 300,000, where there are more, a long walk meets 166 on average. */
const maxCandidates = 10_000;

export async function searchByName<Item>(
  db: Db,
  search: NameSearch,
  { limit = defaultPageSize, cursor }: PageRequest,
  toItem: (row: UserRow) => Item,
): Promise<Page<Item>> {
  const after = readCursor(NamePosition, cursor);
  const page = { ...search, after, wanted: limit + 1 };
  const { met, stoppedAt } = await find(db, page);
  const rows = await readRows(db, met);
  const { items, nextCursor } = toPage(rows, limit, positionOf, toItem);
  return {
    items,
    nextCursor: nextCursor ?? (stoppedAt === undefined ? null : encodeCursor(positionOf(stoppedAt))),
  };
}

/** What one page looks for. */
export interface SearchPage extends NameSearch {
  readonly after: readonly [foldedName: string, id: string] | undefined;
  readonly wanted: number;
}

interface Place {
  readonly id: string;
  readonly foldedName: string;
}

interface Found {
  /** In order, at most as many as wanted. */
  readonly met: readonly Place[];
  /** Where a walk ended that may meet more behind it. */
  readonly stoppedAt: Place | undefined;
}

async function find(db: Db, page: SearchPage): Promise<Found> {
  const nearby = await walk(db, page, shortWalk);
  if (nearby.stoppedAt === undefined || nearby.met.length >= page.wanted) return nearby;
  const rows = await queryRows<{ total: number; id: string | null; folded_name: string }>(db, byIndex(page));
  if ((rows[0]?.total ?? 0) > maxCandidates) return await walk(db, page, longWalk);
  const met = rows.flatMap(({ id, folded_name }) => (id === null ? [] : [{ id, foldedName: folded_name }]));
  return { met, stoppedAt: undefined };
}

async function walk(db: Db, page: SearchPage, length: number): Promise<Found> {
  const rows = await queryRows<{ id: string; folded_name: string; fits: boolean; n: number }>(
    db,
    alongNames(page, length),
  );
  const places = rows.map(({ id, folded_name, ...row }) => ({ ...row, id, foldedName: folded_name }));
  const last = places.at(-1);
  return {
    met: places.filter(({ fits }) => fits).slice(0, page.wanted),
    stoppedAt: last?.n === length ? last : undefined,
  };
}

/** The next names in their order: as many of those that fit as are wanted, and else the last one, too. Stops where it has them. */
export function alongNames(page: SearchPage, length: number): SQL {
  return sql`
    SELECT id, folded_name, fits, n::int AS n FROM (
      SELECT id, folded_name, ${fits(page)} AS fits, row_number() OVER (ORDER BY folded_name, id) AS n
      FROM (
        SELECT id, folded_name, disabled_at FROM users WHERE ${isBehind(page)}
        ORDER BY folded_name, id LIMIT ${length}
      ) AS next
    ) AS walked
    WHERE fits OR n = ${length}
    ORDER BY folded_name, id LIMIT ${page.wanted}`;
}

/** Users by the parts of their names; also how many there are, up to one above `maxCandidates`: then the page is not all of it. */
export function byIndex(page: SearchPage): SQL {
  const parts = sql.param(partsOf(page.foldedText));
  return sql`
    WITH candidates AS MATERIALIZED (
      SELECT id, folded_name, disabled_at FROM users
      WHERE name_parts(folded_name) @> ${parts}::text[] LIMIT ${maxCandidates + 1}
    )
    SELECT total, id, folded_name FROM (SELECT count(*)::int AS total FROM candidates) AS counted
    LEFT JOIN (
      SELECT id, folded_name FROM candidates WHERE ${fits(page)} AND ${isBehind(page)}
      ORDER BY folded_name, id LIMIT ${page.wanted}
    ) AS met ON true
    ORDER BY folded_name, id`;
}

/** What the index knows of a name that contains the text: its parts of three characters, or itself where it is shorter. */
function partsOf(text: string): string[] {
  const characters = [...text];
  const size = Math.min(3, characters.length);
  const starts = Array.from({ length: characters.length - size + 1 }, (_, start) => start);
  return [...new Set(starts.map((start) => characters.slice(start, start + size).join('')))];
}

function fits({ foldedText, withDisabled }: NameSearch): SQL {
  const pattern = `%${foldedText.replace(/[\\%_]/g, '\\$&')}%`;
  return sql`(folded_name LIKE ${pattern} AND (${withDisabled} OR disabled_at IS NULL))`;
}

const isBehind = ({ after }: SearchPage): SQL =>
  after === undefined ? sql`true` : sql`(folded_name, id) > (${after[0]}, ${after[1]}::uuid)`;

async function readRows(db: Db, places: readonly Place[]): Promise<UserRow[]> {
  if (places.length === 0) return [];
  const ids = places.map(({ id }) => id);
  const rows = await db.select().from(users).where(inArray(users.id, ids));
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

const positionOf = ({ foldedName, id }: Place) => [foldedName, id];
