// What can be said of an offer without a database.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { defaultMs, longestMs, shortestMs } from '../../../src/modules/offers/contract.ts';
import { currencies } from '../../../src/modules/offers/currencies.ts';
import { endOf, findProblem, formatAmount, lineOf } from '../../../src/modules/offers/rules.ts';

describe('the rules of offers', () => {
  test('currencies are active codes by their decimals, without metals, funds and codes for tests', () => {
    expect(currencies.size).toBeGreaterThan(150);
    expect(['JPY', 'EUR', 'KWD', 'XOF', 'XCG'].map((code) => currencies.get(code))).toEqual([0, 2, 3, 0, 2]);
    for (const code of ['XAU', 'XXX', 'XTS', 'XDR', 'CLF', 'UYW', 'BOV', 'DEM', 'eur', '']) {
      expect([code, currencies.get(code)]).toEqual([code, undefined]);
    }
    for (const [code, decimals] of currencies) {
      expect(code).toMatch(/^[A-Z]{3}$/);
      expect([0, 2, 3]).toContain(decimals);
    }
  });

  test('an amount is above 0, and has no more decimals than its currency', () => {
    const pathOf = (amount: string, currency?: string) => findProblem({ amount, currency })?.path;
    for (const [amount, currency] of [
      ['1', 'EUR'],
      ['0.01', 'EUR'],
      ['12.5', 'EUR'],
      ['999999999999.99', 'EUR'],
      ['0.001', 'KWD'],
      ['1200', 'JPY'],
      ['1.234', undefined],
    ] as const) {
      expect([amount, currency, pathOf(amount, currency)]).toEqual([amount, currency, undefined]);
    }
    for (const [amount, currency] of [
      ['0', 'EUR'],
      ['0.00', 'EUR'],
      ['0.000', undefined],
      ['1.234', 'EUR'],
      ['1.230', 'EUR'],
      ['1.0', 'JPY'],
    ] as const) {
      expect([amount, currency, pathOf(amount, currency)]).toEqual([amount, currency, '/amount']);
    }
    expect(pathOf('1', 'XAU')).toBe('/currency');
    expect(findProblem({ amount: '1', expiresAt: '2026-02-30T00:00:00Z' }, '/counter')?.path).toBe(
      '/counter/expiresAt',
    );
  });

  test('an amount is shown with exactly the decimals of its currency, as written or as stored', () => {
    expect(formatAmount('12.5', 'EUR')).toBe('12.50');
    expect(formatAmount('12.500', 'EUR')).toBe('12.50');
    expect(formatAmount('1200.000', 'JPY')).toBe('1200');
    expect(formatAmount('1', 'KWD')).toBe('1.000');
    fc.assert(
      fc.property(
        fc.constantFrom(...currencies),
        fc.bigInt({ min: 1n, max: 999_999_999_999_999n }),
        ([currency, decimals], units) => {
          const digits = `${units}`.padStart(decimals + 1, '0').slice(-12 - decimals);
          const whole = digits.slice(0, digits.length - decimals).replace(/^0+(?=\d)/, '');
          const shown = decimals === 0 ? whole : `${whole}.${digits.slice(-decimals)}`;
          const asStored = `${shown}${decimals === 0 ? '.' : ''}${'0'.repeat(3 - decimals)}`;
          expect(formatAmount(shown, currency)).toBe(shown);
          expect(formatAmount(asStored, currency)).toBe(shown);
        },
      ),
    );
  });

  test('an offer ends 1 minute to 90 days ahead, and after 7 days where nothing is said', () => {
    const nowMs = Date.parse('2026-11-21T12:00:00.000Z');
    const end = (aheadMs: number) => endOf(nowMs, new Date(nowMs + aheadMs).toISOString());
    expect(endOf(nowMs, undefined)).toBe(nowMs + defaultMs);
    expect([end(shortestMs), end(longestMs)]).toEqual([nowMs + shortestMs, nowMs + longestMs]);
    expect([end(shortestMs - 1), end(longestMs + 1), end(-1)]).toEqual([undefined, undefined, undefined]);
  });

  test('the longest line fits a message', () => {
    const line = lineOf({ title: 'x'.repeat(200), amount: '999999999999.999', currency: 'KWD' });
    expect(line.length).toBeLessThan(10_000);
    expect(lineOf({ title: 'A bicycle', amount: '12.50', currency: 'EUR' })).toBe('A bicycle: 12.50 EUR');
  });
});
