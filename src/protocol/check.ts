// Whether a value fits its schema, and field by field what does not. The same check for frames, bodies and queries.
// Lengths first: no pattern ever sees a text that is too long anyway. TypeBox runs both for its list of errors, and a
// megabyte takes some patterns 370 ms.

import type { Static, TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { FieldError } from './errors.ts';
import { listFieldErrors } from './field-errors.ts';

export interface Check<Schema extends TSchema> {
  fits(value: unknown): value is Static<Schema>;
  /** Of a value that does not fit; at most 20. `root` comes before each path. */
  listErrors(value: unknown, root: string): FieldError[];
}

export function compileCheck<Schema extends TSchema>(schema: Schema): Check<Schema> {
  const compiled = TypeCompiler.Compile(boundPatterns(schema));
  return {
    fits: (value) => compiled.Check(value),
    listErrors: (value, root) => listFieldErrors(compiled.Errors(value), root),
  };
}

/** The schema, with patterns that give up at once on texts of more than `maxLength` characters. */
function boundPatterns<Part>(part: Part): Part {
  if (part === null || typeof part !== 'object') return part;
  if (Array.isArray(part)) return part.map(boundPatterns) as Part; // the same parts, in the same order
  const copy = { ...part } as Record<string, unknown>; // an object; TypeBox's own marks are symbols, and come along
  for (const name of Object.keys(copy)) copy[name] = boundPatterns(copy[name]);
  const { pattern, maxLength } = copy;
  if (typeof pattern === 'string' && typeof maxLength === 'number') {
    copy.pattern = `^(?![^]{${maxLength + 1}})(?:${pattern})`;
  }
  return copy as Part; // but for the patterns, it is what it was
}
