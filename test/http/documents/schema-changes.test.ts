// What breaks a client, rule by rule: a schema before and after, as something that is sent and as something that is answered.

import { describe, expect, test } from 'bun:test';
import { compareSchemas, type Schemas } from '../../../src/http/documents/schema-changes.ts';

type Schema = Schemas[string];

const compare = (
  direction: 'input' | 'output',
  before: Schema,
  after: Schema,
  shapes: readonly [Schemas, Schemas] = [{}, {}],
) =>
  compareSchemas(
    { direction, before: shapes[0], after: shapes[1], seen: new Set() },
    before,
    after,
    'GET /a, part',
  ).map(({ level, where, what }) => `${level}: ${where}: ${what}`);

const text: Schema = { type: 'string' };
const object = (properties: Schemas, required: string[] = [], more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  required,
  ...more,
});
const oneOf = (...values: string[]): Schema => ({ type: 'string', enum: values });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
const nothing: string[] = [];

interface Case {
  readonly title: string;
  readonly before: Schema;
  readonly after: Schema;
  readonly sent: string[];
  readonly answered: string[];
}

const breaking = (what: string, path = '') => [`breaking: GET /a, part${path && ` ${path}`}: ${what}`];
const warning = (what: string, path = '') => [`warning: GET /a, part${path && ` ${path}`}: ${what}`];

const cases: readonly Case[] = [
  {
    title: 'nothing',
    before: object({ a: text }),
    after: object({ a: text }),
    sent: nothing,
    answered: nothing,
  },
  {
    title: 'a field is gone',
    before: object({ a: text, b: text }),
    after: object({ b: text }),
    sent: breaking('is gone', '/a'),
    answered: breaking('is gone', '/a'),
  },
  {
    title: 'an optional field is new',
    before: object({}),
    after: object({ a: text }),
    sent: nothing,
    answered: nothing,
  },
  {
    title: 'a required field is new',
    before: object({}),
    after: object({ a: text }, ['a']),
    sent: breaking('is new, and required', '/a'),
    answered: nothing,
  },
  {
    title: 'a field is required now',
    before: object({ a: text }),
    after: object({ a: text }, ['a']),
    sent: breaking('is required now', '/a'),
    answered: nothing,
  },
  {
    title: 'a field is no longer required',
    before: object({ a: text }, ['a']),
    after: object({ a: text }),
    sent: nothing,
    answered: breaking('may be missing now', '/a'),
  },
  {
    title: 'other fields are refused now',
    before: object({}),
    after: object({}, [], { additionalProperties: false }),
    sent: breaking('takes no other fields now'),
    answered: nothing,
  },
  {
    title: 'a type is another one',
    before: object({ a: text }),
    after: object({ a: { type: 'integer' } }),
    sent: breaking('its type was string, and is integer now', '/a'),
    answered: breaking('its type was string, and is integer now', '/a'),
  },
  {
    title: 'a whole number may be any',
    before: { type: 'integer' },
    after: { type: 'number' },
    sent: nothing,
    answered: breaking('its type was integer, and is number now'),
  },
  {
    title: 'any number must be whole',
    before: { type: 'number' },
    after: { type: 'integer' },
    sent: breaking('its type was number, and is integer now'),
    answered: nothing,
  },
  {
    title: 'a value may be null',
    before: text,
    after: nullable(text),
    sent: nothing,
    answered: breaking('its type was string, and is string or null now'),
  },
  {
    title: 'a value may not be null any more',
    before: nullable(text),
    after: text,
    sent: breaking('its type was string or null, and is string now'),
    answered: nothing,
  },
  {
    title: 'anything is a text now',
    before: {},
    after: text,
    sent: breaking('its type was any, and is string now'),
    answered: nothing,
  },
  {
    title: 'a word is gone',
    before: oneOf('a', 'b'),
    after: oneOf('a'),
    sent: breaking('takes "b" no longer'),
    answered: nothing,
  },
  {
    title: 'a word is new',
    before: oneOf('a'),
    after: oneOf('a', 'b'),
    sent: nothing,
    answered: warning('may be "b" now'),
  },
  {
    title: 'a text is one of some words now',
    before: text,
    after: oneOf('a'),
    sent: breaking('takes only "a" now'),
    answered: nothing,
  },
  {
    title: 'one of some words is any text now',
    before: { type: 'string', const: 'a' },
    after: text,
    sent: nothing,
    answered: warning('may have any value now'),
  },
  ...(['maxLength', 'maximum', 'maxItems', 'maxProperties'] as const).map((keyword) => ({
    title: `${keyword} is lower`,
    before: { type: 'x', [keyword]: 5 },
    after: { type: 'x', [keyword]: 4 },
    sent: breaking(`its ${keyword} was 5, and is 4 now`),
    answered: nothing,
  })),
  ...(['minLength', 'minimum', 'minItems', 'minProperties'] as const).map((keyword) => ({
    title: `${keyword} is new`,
    before: { type: 'x' },
    after: { type: 'x', [keyword]: 4 },
    sent: breaking(`its ${keyword} was not there, and is 4 now`),
    answered: nothing,
  })),
  {
    title: 'bounds are wider, or say nothing',
    before: { type: 'string', maxLength: 5, minLength: 2, pattern: 'a' },
    after: { type: 'string', maxLength: 6, minLength: 1 },
    sent: nothing,
    answered: nothing,
  },
  {
    title: 'a length of at least 0 is no bound',
    before: text,
    after: { type: 'string', minLength: 0 },
    sent: nothing,
    answered: nothing,
  },
  {
    title: 'a pattern is another one',
    before: { type: 'string', pattern: 'a' },
    after: { type: 'string', pattern: 'b' },
    sent: breaking('its pattern is another one'),
    answered: nothing,
  },
  {
    title: 'no item may come twice now',
    before: { type: 'array', items: text },
    after: { type: 'array', items: text, uniqueItems: true },
    sent: breaking('takes no item twice now'),
    answered: nothing,
  },
  {
    title: 'the items of a list changed',
    before: object({ a: { type: 'array', items: object({ b: text }, ['b']) } }),
    after: object({ a: { type: 'array', items: object({}) } }),
    sent: breaking('is gone', '/a[]/b'),
    answered: breaking('is gone', '/a[]/b'),
  },
  {
    title: 'the values of a map changed',
    before: { type: 'object', additionalProperties: text },
    after: { type: 'object', additionalProperties: { type: 'integer' } },
    sent: breaking('its type was string, and is integer now', '/*'),
    answered: breaking('its type was string, and is integer now', '/*'),
  },
  {
    title: 'one of two forms is gone',
    before: { anyOf: [object({ a: text }), object({ b: text })] },
    after: { anyOf: [object({ b: text })] },
    sent: breaking('one of its forms is gone'),
    answered: nothing,
  },
  {
    title: 'a second form is there',
    before: object({ a: text }),
    after: { oneOf: [object({ b: text }), object({ a: text })] },
    sent: nothing,
    answered: warning('it has a new form'),
  },
  {
    title: 'a form of two has a field less',
    before: { anyOf: [object({ a: text, c: text }), object({ b: text })] },
    after: { anyOf: [object({ a: text }), object({ b: text })] },
    sent: breaking('is gone', '/c'),
    answered: breaking('is gone', '/c'),
  },
  {
    title: 'fields move between the parts of an object',
    before: { type: 'object', allOf: [object({ a: text }, ['a']), object({ b: text })] },
    after: { type: 'object', allOf: [object({ b: text, a: text }, ['a'])] },
    sent: nothing,
    answered: nothing,
  },
];

describe('a change of a schema', () => {
  test.each(cases)('$title', ({ before, after, sent, answered }) => {
    expect(compare('input', before, after)).toEqual(sent);
    expect(compare('output', before, after)).toEqual(answered);
  });

  test('in a shape is told once, with a place where it is', () => {
    const shapes = [{ A: object({ x: text }, ['x']) }, { A: object({ x: text }) }] as const;
    const uses = object({ first: ref('A'), second: { type: 'array', items: ref('A') } });
    expect(compare('output', uses, uses, shapes)).toEqual([
      'breaking: A (as in GET /a, part /first) /x: may be missing now',
    ]);
  });

  test('in a shape that may be null or is one of several is told once, too', () => {
    const before = { A: object({ x: text }, ['x']), B: object({ y: text }) };
    const shapes = [before, { ...before, A: object({ x: text }) }] as const;
    const uses = object({
      first: nullable(ref('A')),
      second: { oneOf: [ref('B'), ref('A')] },
      third: { type: 'object', allOf: [ref('A'), object({ z: text })] },
    });
    expect(compare('output', uses, uses, shapes)).toEqual([
      'breaking: A (as in GET /a, part /first) /x: may be missing now',
    ]);
  });

  test('is found behind a name that is another one, and not where the name alone is', () => {
    const shapes = [{ A: object({ x: text }) }, { B: object({ x: text }), C: object({}) }] as const;
    expect(compare('input', ref('A'), ref('B'), shapes)).toEqual([]);
    expect(compare('input', ref('A'), ref('C'), shapes)).toEqual(breaking('is gone', '/x'));
  });

  test('of a shape that holds itself comes to an end', () => {
    const trees = { type: 'array', items: ref('Tree') };
    const tree = (leaf: Schema) => ({ Tree: object({ leaf, trees, first: nullable(ref('Tree')) }) });
    expect(compare('input', ref('Tree'), ref('Tree'), [tree(text), tree({ type: 'null' })])).toEqual([
      'breaking: Tree (as in GET /a, part) /leaf: its type was string, and is null now',
    ]);
  });
});
