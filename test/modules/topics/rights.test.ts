// Which names a pattern of the claim `topics` grants.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { matches } from '../../../src/modules/topics/rights.ts';

test.each([
  ['lobby', 'lobby'],
  ['*', 'lobby'],
  ['game.*', 'game.42'],
  ['game.*', 'game.42.moves'],
  ['game.*', 'game.'],
  ['*.moves', 'game.42.moves'],
  ['game.*.moves', 'game.42.moves'],
  ['g*e.*o*s', 'game.42.moves'],
  ['**', 'lobby'],
  ['a*a', 'aa'],
])('[T2] %s grants %s', (pattern, name) => {
  expect(matches(pattern, name)).toBe(true);
});

test.each([
  ['lobby', 'lobby2'],
  ['lobby', 'my-lobby'],
  ['game.*', 'game'],
  ['game.*', 'a-game.42'],
  ['*.moves', 'game.42.moves.old'],
  ['game.*.moves', 'game.moves'],
  ['a*a', 'a'],
  ['a*b*a', 'aba-'],
  ['a*ab*ba', 'aba'],
  ['game.+', 'game.42'],
  ['....', 'game'],
])('[T2] %s does not grant %s', (pattern, name) => {
  expect(matches(pattern, name)).toBe(false);
});

test('[T2] a pattern grants what the same regular expression would', () => {
  const text = (characters: string) => fc.string({ unit: fc.constantFrom(...characters), maxLength: 8 });
  fc.assert(
    fc.property(text('ab*'), text('ab'), (pattern, name) => {
      expect(matches(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name));
    }),
    { numRuns: 2_000 },
  );
});

test('[T2] no pattern takes long, however many stars it has', () => {
  const startedAt = performance.now();
  for (let round = 0; round < 1_000; round += 1) matches(`${'a*'.repeat(49)}b`, 'a'.repeat(100));
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});
