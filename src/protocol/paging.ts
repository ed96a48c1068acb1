// Lists in pages: `?limit=&cursor=` in, `{ items, nextCursor }` out. A cursor is the position of the last item of a page,
// opaque to clients; it is checked like any input when it comes back.

import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { AppError } from './errors.ts';
import { Id } from './values.ts';

export const defaultPageSize = 50;

/** To spread into a route's query schema. */
export const pageQuery = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100, default: defaultPageSize, description: 'How many at most' }),
  ),
  cursor: Type.Optional(Type.String({ maxLength: 2_000, description: 'nextCursor of the page before' })),
};

export interface PageRequest {
  limit?: number;
  cursor?: string;
}

export interface Page<Item> {
  items: Item[];
  /** Null at the end of the list. */
  nextCursor: string | null;
}

/** The position of what a list orders by a time, in milliseconds since 1970 and up to the year 9999, and then by its id. */
export const TimePosition = Type.Tuple([Type.Integer({ minimum: 0, maximum: 253_402_300_799_999 }), Id]);
export type TimePosition = Static<typeof TimePosition>;

/** `title`: of the page, in documents. */
export const pageOf = <Item extends TSchema>(
  item: Item,
  title = item.title === undefined ? undefined : `${item.title}Page`,
) =>
  Type.Object(
    { items: Type.Array(item), nextCursor: Type.Union([Type.String(), Type.Null()]) },
    title === undefined ? {} : { title },
  );

/** A page of `rows`, which must have been read with a limit one above the page's: one more row says that more follow. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => readonly unknown[],
  toItem: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null;
  return { items: shown.map(toItem), nextCursor };
}

/** The position behind which the page begins; undefined: at the start. Throws `invalid` for what is no such position. */
export function readCursor<Position extends TSchema>(
  schema: Position,
  cursor: string | undefined,
): Static<Position> | undefined {
  if (cursor === undefined) return undefined;
  const position = parseCursor(cursor);
  if (Value.Check(schema, position)) return position;
  throw new AppError('invalid', 'The cursor must be the nextCursor of an earlier page of the same list.');
}

/** What `readCursor` reads. */
export function encodeCursor(position: readonly unknown[]): string {
  return new TextEncoder()
    .encode(JSON.stringify(position))
    .toBase64({ alphabet: 'base64url', omitPadding: true });
}

function parseCursor(cursor: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(cursor, { alphabet: 'base64url' })));
  } catch {
    return undefined;
  }
}
