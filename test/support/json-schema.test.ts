// What the reader of schemas finds in a value that the documents do not say.

import { expect, test } from 'bun:test';
import { listUndocumented } from './json-schema.ts';

const text = { type: 'string' };
const components = { A: { type: 'object', properties: { a: text } } };
const find = (schema: object, value: unknown) => listUndocumented([{ ...schema }], value, components);

test('a field that no schema names is found, wherever it is', () => {
  const schema = {
    allOf: [
      { $ref: '#/components/schemas/A' },
      { type: 'object', properties: { list: { type: 'array', items: { $ref: '#/components/schemas/A' } } } },
    ],
  };
  expect(find(schema, { a: 'x', list: [{ a: 'y' }] })).toEqual([]);
  expect(find(schema, { a: 'x', b: 1, list: [{ a: 'y' }, { c: 2 }] })).toEqual(['/b', '/list/1/c']);
});

test('what a choice, a map or any JSON lets in is documented', () => {
  const choice = { anyOf: [{ $ref: '#/components/schemas/A' }, { type: 'object', properties: { b: text } }] };
  expect(find(choice, { b: 'x' })).toEqual([]);
  expect(find(choice, { c: 'x' })).toEqual(['/c']);
  expect(find({ type: 'object', additionalProperties: components.A }, { any: { a: 'x', b: 'y' } })).toEqual([
    '/any/b',
  ]);
  expect(find({}, { deep: { down: 1 } })).toEqual([]);
});
