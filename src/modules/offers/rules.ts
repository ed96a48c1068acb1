// What can be said of an offer without a database: its amount, its end, and the line by which it shows in the chat.
// Pure and browser-safe.

import type { FieldError } from '../../protocol/errors.ts';
import { readInstant } from '../../protocol/values.ts';
import { defaultMs, longestMs, type Offer, shortestMs } from './contract.ts';
import { currencies } from './currencies.ts';

/** What a client asks for, as far as it does. */
interface Terms {
  readonly amount: string;
  readonly currency?: string | undefined;
  readonly expiresAt?: string | undefined;
}

/** What is wrong in terms that fit their schema; `path` is where they stand in the request. */
export function findProblem({ amount, currency, expiresAt }: Terms, path = ''): FieldError | undefined {
  const decimals = currency === undefined ? Number.POSITIVE_INFINITY : currencies.get(currency);
  if (decimals === undefined) {
    return { path: `${path}/currency`, message: 'Expected an active ISO 4217 code, such as EUR' };
  }
  if (!/[1-9]/.test(amount)) return { path: `${path}/amount`, message: 'Expected more than 0' };
  if ((amount.split('.')[1] ?? '').length > decimals) {
    const most = decimals === 0 ? 'no decimals' : `at most ${decimals} decimals`;
    return { path: `${path}/amount`, message: `Expected ${most}: ${currency} has no more` };
  }
  if (expiresAt !== undefined && readInstant(expiresAt) === undefined) {
    return { path: `${path}/expiresAt`, message: 'Expected a date that exists, in the years 0001 to 9999' };
  }
  return undefined;
}

/** With the decimals of its currency, whatever it was written with. */
export function formatAmount(amount: string, currency: string): string {
  const [whole = '0', fraction = ''] = amount.split('.');
  const decimals = currencies.get(currency) ?? fraction.length; // a code that was taken from the list since
  return decimals === 0 ? whole : `${whole}.${fraction.padEnd(decimals, '0').slice(0, decimals)}`;
}

/** When the offer ends, in ms; undefined where that is too soon or too far ahead. */
export function endOf(nowMs: number, expiresAt: string | undefined): number | undefined {
  const endMs = expiresAt === undefined ? nowMs + defaultMs : (readInstant(expiresAt)?.getTime() ?? 0);
  const aheadMs = endMs - nowMs;
  return aheadMs >= shortestMs && aheadMs <= longestMs ? endMs : undefined;
}

/** What the message in the chat says. */
export const lineOf = ({ title, amount, currency }: Pick<Offer, 'title' | 'amount' | 'currency'>): string =>
  `${title}: ${amount} ${currency}`;
