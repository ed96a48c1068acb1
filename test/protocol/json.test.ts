// How deep JSON nests, read off its text. [E1]

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { cutNested, isTooDeep, maxLevels } from '../../src/protocol/json.ts';

const nested = (levels: number, open = '[', close = ']') => open.repeat(levels) + close.repeat(levels);

describe('the depth of a text', () => {
  test.each([
    ['64 levels', nested(64), false],
    ['65 levels', nested(65), true],
    ['64 levels of objects', nested(63, '{"a":', '}').replace('}', '{}}'), false],
    ['65 levels of objects', nested(64, '{"a":', '}').replace('}', '{}}'), true],
    ['many side by side', `[${'[],'.repeat(10_000)}[]]`, false],
    ['brackets in a text', JSON.stringify(nested(1_000)), false],
    ['brackets in a name', `{"${'['.repeat(1_000)}":1}`, false],
    ['brackets behind escaped quotes', JSON.stringify(`"\\"${nested(1_000)}\\`), false],
    ['brackets behind a text that ends with a backslash', `["\\\\",${nested(64)}]`, true],
    ['a deep value under a name that comes again', `{"a":${nested(64)},"a":1}`, true],
    ['brackets that never close', '['.repeat(129), true],
    ['a text that never ends', `"${'['.repeat(1_000)}`, false],
  ])('%s', (_, text, isDeep) => {
    expect(isTooDeep(text)).toBe(isDeep);
  });

  test('is that of the value, for any JSON', () => {
    const levelsOf = (value: unknown): number =>
      value !== null && typeof value === 'object'
        ? 1 + Math.max(0, ...Object.values(value).map(levelsOf))
        : 0;
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.integer({ min: 50, max: 70 }), (json, more) => {
        const text = '['.repeat(more) + json + ']'.repeat(more);
        expect(isTooDeep(text)).toBe(more + levelsOf(JSON.parse(json)) > maxLevels);
      }),
    );
  });
});

test('without what is nested, an envelope keeps its own fields', () => {
  for (const [text, expected] of [
    [
      '{"id":"a","type":"x","payload":{"id":"b","c":[{}]},"key":"k"}',
      { id: 'a', type: 'x', payload: null, key: 'k' },
    ],
    [
      `{"id":"}","payload":[${nested(1_000)}],"payload":"]","type":"y"}`,
      { id: '}', payload: ']', type: 'y' },
    ],
    ['[[1],{"a":[]},2]', [null, null, 2]],
    ['"{"', '{'],
  ] as const) {
    expect(JSON.parse(cutNested(text))).toEqual(expected);
  }
  expect(() => JSON.parse(cutNested(`{"id":"a","payload":${'['.repeat(1_000)}`))).toThrow();
});
