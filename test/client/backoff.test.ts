import { describe, expect, test } from 'bun:test';
import { Backoff } from '../../src/client/backoff.ts';

const times = { firstMs: 1_000, longestMs: 32_000 };
const list = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.nextMs());

describe('the backoff', () => {
  test('doubles its bound from 1 s to 32 s, and stays there', () => {
    const bounds = list(new Backoff(times, () => 1), 8);
    expect(bounds).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 32_000, 32_000]);
  });

  test('waits anything from nothing up to the bound: full jitter', () => {
    const chances = [0, 0.25, 0.999];
    expect(list(new Backoff(times, () => chances.shift() ?? 0), 3)).toEqual([0, 500, 3_996]);
  });

  test('begins anew after a success', () => {
    const backoff = new Backoff(times, () => 1);
    list(backoff, 4);
    backoff.reset();
    expect(list(backoff, 2)).toEqual([1_000, 2_000]);
  });

  test('never waits longer than the longest, however often it failed', () => {
    expect(list(new Backoff(times, () => 1), 2_000).at(-1)).toBe(32_000);
  });
});
