// What users may do about offers, at random: for the law, which must hold behind each of them. Every command of the module
// has its place in the table; `../law.test.ts` takes the list from the declarations.

import { expect } from 'bun:test';
import fc from 'fast-check';
import type { Offer } from '../../../src/modules/offers/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { attempt } from '../chat/setup.ts';
import { at, type Party, userCount } from '../chat/steps.ts';

/** Most of it is allowed now and then, all of it may be refused. Numbers choose among what is there. */
export interface OfferStep {
  readonly operation: string;
  readonly by: number;
  readonly on: number;
}

interface Chance extends Party {
  readonly chatId: string;
  readonly user: TestUser;
  readonly on: number;
  /** One that is there or was; undefined where none was ever made. */
  readonly offer: Offer | undefined;
}

type Take = (chance: Chance) => Promise<void>;

const currencyOf = (on: number) => at(['EUR', 'JPY', 'KWD'], on);

const termsOf = (on: number) => ({
  amount: `${1 + on}`,
  ...(on % 2 === 0 && { note: `Note ${on}, ${'€'.repeat(on)}` }),
});

const overHttp =
  (action: 'accept' | 'reject' | 'withdraw' | 'counter'): Take =>
  async ({ server, users, user, on, offer }) => {
    if (offer === undefined) return;
    const body = action === 'counter' ? termsOf(on) : undefined;
    const actor = rightful({ users, user, on }, offer, action);
    const { status } = await attempt(server, actor, 'POST', `/offers/${offer.id}/${action}`, body);
    expect(status).toBeLessThan(500);
  };

const steps: Readonly<Record<string, Take>> = {
  'offer.create': async ({ server, users, clients, chatId, user, on }) => {
    const recipientId = at(users, on).id;
    const body = { recipientId, title: `Offer ${on}`, currency: currencyOf(on), ...termsOf(on) };
    if (on % 3 > 0) {
      const { status } = await attempt(server, user, 'POST', `/chats/${chatId}/offers`, body);
      return expect(status).toBeLessThan(500);
    }
    const reply = await at(clients, users.indexOf(user)).request('offer.create', { chatId, ...body });
    expect(reply.error?.code).not.toBe('internal');
  },
  'offer.accept': overHttp('accept'),
  'offer.reject': overHttp('reject'),
  'offer.withdraw': overHttp('withdraw'),
  'offer.counter': overHttp('counter'),
  'offer.update': async ({ users, clients, user, on, offer }) => {
    if (offer === undefined) return;
    const action = at(['accept', 'reject', 'withdraw', 'counter'] as const, Math.floor(on / 5));
    const actor = rightful({ users, user, on }, offer, action);
    const counter = action === 'counter' ? { ...termsOf(on), currency: currencyOf(on) } : undefined;
    const payload = { offerId: offer.id, action, counter };
    const reply = await at(clients, users.indexOf(actor)).request('offer.update', payload);
    expect(reply.error?.code).not.toBe('internal');
  },
};

export const operations: readonly string[] = Object.keys(steps);

export const anyOfferStep: fc.Arbitrary<OfferStep> = fc.record({
  operation: fc.constantFrom(...operations, 'offer.create', 'offer.create'),
  by: fc.nat(userCount - 1),
  on: fc.nat(1_000),
});

/** Fails where the server does. `known`: the offers to choose from. */
export async function takeOfferStep(
  party: Party,
  chatId: string,
  { operation, by, on }: OfferStep,
  known: readonly Offer[],
): Promise<void> {
  const offer = known.length === 0 ? undefined : at(known, on);
  await steps[operation]?.({ ...party, chatId, user: at(party.users, by), on, offer });
}

/** Mostly the one who may: chance alone would hardly ever meet them. */
function rightful(
  { users, user, on }: Pick<Chance, 'users' | 'user' | 'on'>,
  { createdBy, recipientId }: Offer,
  action: string,
): TestUser {
  if (on % 4 === 0) return user;
  const id = action === 'withdraw' ? createdBy : recipientId;
  return users.find((candidate) => candidate.id === id) ?? user;
}
