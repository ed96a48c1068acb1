// Names in a text.

import { expect, test } from 'bun:test';
import {
  completeMention,
  findMentionAt,
  listMentions,
  splitMentions,
} from '../../src/console/chats/mentions.ts';

const people = [
  { id: '1', name: 'Ann' },
  { id: '2', name: 'Ann Archer' },
  { id: '3', name: 'Zoë' },
];

test.each([
  ['nobody here', []],
  ['@Ann', ['1']],
  ['@Ann Archer and @Ann', ['2', '1']],
  ['@Ann, @Ann!', ['1']],
  ['mail@Ann.example', []],
  ['@Anna and @Zoës', []],
  ['@Zoë?', ['3']],
  ['@@Ann', ['1']],
  ['@', []],
])('%p names %p', (text, ids) => {
  expect(listMentions(text, people)).toEqual(ids);
  const parts = splitMentions(text, people);
  expect(parts.map((part) => part.text).join('')).toBe(text);
  expect(new Set(parts.flatMap(({ person }) => person?.id ?? []))).toEqual(new Set(ids));
});

test('a name is completed where the cursor is, and only there', () => {
  expect(findMentionAt('Hi @An and more', 6)).toBe('An');
  expect(findMentionAt('Hi @An and more', 9)).toBeUndefined();
  expect(findMentionAt('a@b', 3)).toBeUndefined();
  expect(completeMention('Hi @An and more', 6, 'Ann')).toBe('Hi @Ann  and more');
});

test('a name with signs of a pattern in it is a name', () => {
  expect(listMentions('to @A.* (x)', [{ id: '9', name: 'A.* (x)' }])).toEqual(['9']);
});
