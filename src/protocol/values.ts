// Schemas of the values that every contract uses. Patterns are linear in their input: no string can stall them.

import { type TSchema, Type } from '@sinclair/typebox';
import { uuidPattern } from './topics.ts';

/** Of a user, in examples. */
export const exampleId = '01a1fed0-de9e-7326-9a60-1c10e2dc0664';

// `x-format`: what the documents say as `format`, which validators here would have to be taught.
export const Id = Type.String({
  pattern: uuidPattern,
  description: 'A UUID in lower case',
  'x-format': 'uuid',
});

/** A point in time as the server writes it. */
export const Instant = Type.String({
  description: 'ISO 8601, UTC, milliseconds',
  'x-format': 'date-time',
  examples: ['2026-11-21T09:30:00.000Z'],
});

/** The pattern of a point in time as clients may write it, for `readInstant`. */
export const instantPattern = '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,3})?Z$';

/**
 * Undefined for what is no instant: `Date` makes the 2nd of March of a 30th of February, and PostgreSQL knows no year 0.
 */
export function readInstant(text: string): Date | undefined {
  const date = new Date(text);
  const isWhole = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text.slice(0, 19));
  return isWhole && date.getUTCFullYear() > 0 ? date : undefined;
}

export const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

/** How a user looks to others. */
export const Profile = Type.Object(
  { id: Id, name: Type.String(), avatarUrl: nullable(Type.String()) },
  { title: 'Profile' },
);

/**
 * The pattern of a text without the characters of `excluded` (the inside of a character class) and without halves of
 * surrogate pairs, which UTF-8 cannot say. Spelled so that it means the same with and without the `u` flag, since
 * validators differ on it; as runs with pairs between them, a thousand times as fast as a choice for each character.
 */
const textWithout = (excluded: string): string => {
  const run = `[^${excluded}\\ud800-\\udfff]*`;
  return `${run}(?:[\\ud800-\\udbff][\\udc00-\\udfff]${run})*$`;
};

/** Any text that PostgreSQL can keep. */
export const text = {
  pattern: `^${textWithout('\\u0000')}`,
  description: 'Any text without NUL and without half a surrogate pair',
};

/** One line of visible text: no control characters, no line separators, at least one character that is not a space. */
export const line = {
  pattern: `^(?=.*\\S)${textWithout('\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029')}`,
  description: 'One line of text: not only spaces, and no control characters',
};

/** Text of several lines: of the control characters only tab, line feed and carriage return. */
export const prosePattern = `^${textWithout('\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f')}`;
