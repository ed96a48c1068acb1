// How far others have read, addresses of sections, and times left: what is computed for the eye alone.

import { expect, test } from 'bun:test';
import { listReaders } from '../../src/console/chats/readers.ts';
import { emptyTimeline, withState } from '../../src/console/chats/timeline.ts';
import { clockOf, shortTime } from '../../src/console/parts/time.tsx';
import { parseRoute } from '../../src/console/route.ts';
import type { Message } from '../../src/modules/chat/contract.ts';

test('each of the others stands at the last message that they have read', () => {
  const messages = [2, 5, 9].map((seq) => ({ id: `m${seq}`, seq, reactions: [] }) as unknown as Message); // no more is read
  const timeline = withState(emptyTimeline, messages, 'me');
  const readers = listReaders(timeline.messages, { me: 9, ann: 9, ben: 6, cat: 5, dan: 1 }, 'me');
  expect([...readers]).toEqual([
    [9, ['ann']],
    [5, ['ben', 'cat']],
  ]);
});

test.each([
  ['', []],
  ['#/', []],
  ['#/chats/01a1', ['chats', '01a1']],
  ['#chats', ['chats']],
  ['#/chats/<img>/x', ['chats', 'x']],
])('the address %p is %p', (hash, route) => {
  expect(parseRoute(hash)).toEqual(route);
});

test.each([
  [-5, '0:00'],
  [1, '0:01'],
  [65_000, '1:05'],
  [3_600_000, '1:00:00'],
  [86_400_000, '24:00:00'],
])('%p ms are %p', (ms, text) => {
  expect(clockOf(ms)).toBe(text);
});

test('of today the time is shown, of other days the day, of other years the year, too', () => {
  const now = new Date(2026, 10, 21, 18, 0);
  expect(shortTime(new Date(2026, 10, 21, 9, 5), now)).toMatch(/9[:.]05/);
  expect(shortTime(new Date(2026, 10, 20, 9, 5), now)).toMatch(/20/);
  expect(shortTime(new Date(2025, 10, 20, 9, 5), now)).toMatch(/2025/);
});
