// The part `offers` of a chat's state, where it is full: a place is granted when an offer comes, and kept.

import { describe, expect, test } from 'bun:test';
import { maxListed, maxListedBytes, type Offer } from '../../../src/modules/offers/contract.ts';
import { applyOffers, hasRoom } from '../../../src/modules/offers/state.ts';

const make = (n: number, note: string | null = null): Offer => ({
  id: `00000000-0000-7000-8000-${`${n}`.padStart(12, '0')}`,
  chatId: '00000000-0000-7000-8000-000000000000',
  createdBy: '00000000-0000-7000-8000-000000000001',
  recipientId: '00000000-0000-7000-8000-000000000002',
  title: 'A bicycle',
  amount: '12.50',
  currency: 'EUR',
  note,
  status: 'pending',
  parentId: null,
  expiresAt: '2026-11-28T12:00:00.000Z',
  version: 1,
  createdAt: '2026-11-21T12:00:00.000Z',
  updatedAt: '2026-11-21T12:00:00.000Z',
});
const created = (offer: Offer) => ({ type: 'offer.created', payload: { offer } });
const ended = (offer: Offer) => ({
  type: 'offer.updated',
  payload: { offer: { ...offer, status: 'accepted' }, change: 'accepted', by: offer.recipientId },
});
const bytesOf = (part: readonly Offer[]) => Buffer.byteLength(JSON.stringify(part));

describe('the part of a chat', () => {
  test(`takes ${maxListed} offers, and one that came too late gets no place when another goes`, () => {
    const offers = Array.from({ length: maxListed + 1 }, (_, n) => make(n));
    const full = offers.map(created).reduce(applyOffers, []);
    expect(full).toEqual(offers.slice(0, maxListed));
    const [first, ...rest] = full;
    const last = offers.at(-1);
    if (first === undefined || last === undefined) throw new Error('There are offers.');
    expect(applyOffers(full, ended(first))).toEqual(rest);
    expect(applyOffers(full, ended(last))).toEqual(full);
    const next = make(1_000);
    expect(applyOffers(rest, created(next))).toEqual([...rest, next]);
  });

  test(`has at most ${maxListedBytes} bytes as JSON in UTF-8, to the byte`, () => {
    const large = Array.from({ length: 60 }, (_, n) => make(n, '€'.repeat(1_000)));
    const part = large.map(created).reduce(applyOffers, []);
    expect(part.length).toBeLessThan(60);
    const left = maxListedBytes - bytesOf(part);
    expect(left).toBeLessThan(4_000);
    expect(left).toBeGreaterThan(bytesOf([make(99, '')]));
    const fitting = left + 2 - 1 - bytesOf([make(99, '')]); // without its brackets, with a comma
    const [exact, over] = ['x'.repeat(fitting), 'x'.repeat(fitting + 1)].map((note) => make(99, note));
    if (exact === undefined || over === undefined) throw new Error('Two were made.');
    expect([hasRoom(part, exact), hasRoom(part, over)]).toEqual([true, false]);
    expect(bytesOf(applyOffers(part, created(exact)))).toBe(maxListedBytes);
    expect(applyOffers(part, created(over))).toEqual(part);
  });

  test('is left as it is by what happens to anything else in the chat', () => {
    const part = [make(1)];
    expect(applyOffers(part, { type: 'message.created', payload: {} })).toBe(part);
  });
});
