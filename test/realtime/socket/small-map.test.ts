// Small or grown, it is a map: whatever is done to it, it says what a `Map` would say.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { SmallMap } from '../../../src/realtime/socket/small-map.ts';

const key = fc.integer({ min: 0, max: 14 }).map(String);
const step = fc.oneof(
  fc.record({ name: fc.constant('set' as const), key, value: fc.integer() }),
  fc.record({ name: fc.constant('delete' as const), key }),
);

test('a random series of changes leaves the same entries in the same order as in a Map', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const [small, map] = [new SmallMap<number>(), new Map<string, number>()];
      for (const change of steps) {
        if (change.name === 'set') {
          small.set(change.key, change.value);
          map.set(change.key, change.value);
        } else expect(small.delete(change.key)).toBe(map.delete(change.key));
        expect([small.size, small.has(change.key), small.get(change.key)]).toEqual([
          map.size,
          map.has(change.key),
          map.get(change.key),
        ]);
        expect([...small.entries()]).toEqual([...map]);
      }
      expect([[...small.keys()], [...small.values()]]).toEqual([[...map.keys()], [...map.values()]]);
    }),
  );
});

test('what is taken out while the keys are gone through moves none of the others', () => {
  const small = new SmallMap<number>();
  for (const name of ['a', 'b', 'c']) small.set(name, 1);
  const seen: string[] = [];
  for (const name of small.keys()) {
    seen.push(name);
    small.delete(name);
  }
  expect(seen).toEqual(['a', 'b', 'c']);
  expect(small.size).toBe(0);
});
