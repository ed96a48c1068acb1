import { describe, expect, test } from 'bun:test';
import { tally } from '../../src/client/tally.ts';

describe('the tally', () => {
  test('finds nothing wrong with a run without gap, repeat or reordering', () => {
    expect(tally([5, 6, 7], 4, 7)).toEqual({ received: 3, lost: 0, repeated: 0, reordered: 0 });
  });

  test('counts what never came, also at both ends', () => {
    expect(tally([6, 8], 4, 9)).toEqual({ received: 2, lost: 3, repeated: 0, reordered: 0 });
    expect(tally([], 4, 9)).toEqual({ received: 0, lost: 5, repeated: 0, reordered: 0 });
  });

  test('counts what came twice, or from before the beginning', () => {
    expect(tally([4, 5, 6, 5, 7], 4, 7)).toEqual({ received: 5, lost: 0, repeated: 2, reordered: 0 });
  });

  test('counts what came behind a later one', () => {
    expect(tally([5, 7, 6, 8], 4, 8)).toEqual({ received: 4, lost: 0, repeated: 0, reordered: 1 });
  });
});
