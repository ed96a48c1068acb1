// What goes over the wire: inputs, outputs, the table of events and the part of a chat's state. Browser-safe.

import { type Static, Type } from '@sinclair/typebox';
import { type DurableEvent, durable } from '../../protocol/events.ts';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import {
  exampleId,
  Id,
  Instant,
  instantPattern,
  line,
  nullable,
  prosePattern,
} from '../../protocol/values.ts';
import { maxListed, maxListedBytes } from './bounds.ts';

export * from './bounds.ts';

const strict = { additionalProperties: false };

/** How many pending offers a member may have in one chat. */
export const maxPending = 20;
/** How many counters may follow an offer, each to the one before. */
export const maxCounters = 50;
/** How far ahead an offer ends. */
export const shortestMs = 60_000;
export const longestMs = 90 * 86_400_000;
export const defaultMs = 7 * 86_400_000;

export const OfferStatus = Type.Union([
  Type.Literal('pending'),
  Type.Literal('accepted'),
  Type.Literal('rejected'),
  Type.Literal('withdrawn'),
  Type.Literal('countered'),
  Type.Literal('expired'),
]);
export type OfferStatus = Static<typeof OfferStatus>;

/** How an offer ends: what it is afterwards. */
export const OfferChange = Type.Union([
  Type.Literal('accepted'),
  Type.Literal('rejected'),
  Type.Literal('withdrawn'),
  Type.Literal('countered'),
  Type.Literal('expired'),
]);
export type OfferChange = Static<typeof OfferChange>;

const Title = Type.String({ minLength: 1, maxLength: 200, ...line, examples: ['A bicycle, blue'] });
const Note = Type.String({
  maxLength: 2_000,
  pattern: prosePattern,
  description:
    'Text, never HTML, kept as written. Of the control characters only tab, line feed and carriage return.',
  examples: ['Lights and lock included.'],
});
const Amount = Type.String({
  maxLength: 16,
  pattern: '^(?:0|[1-9][0-9]{0,11})(?:\\.[0-9]{1,3})?$',
  description:
    'Above 0, in decimals, as text: up to 12 digits, and behind a point no more than the currency has decimals',
  examples: ['12.50'],
});
const Currency = Type.String({
  pattern: '^[A-Z]{3}$',
  description: 'An active ISO 4217 code; no metals, funds or units of account',
  examples: ['EUR'],
});
const End = Type.String({
  pattern: instantPattern,
  description:
    'When it expires: ISO 8601 in UTC, 1 minute to 90 days ahead by the clock of the database. Left out: 7 days',
  examples: ['2026-11-28T09:30:00.000Z'],
});

// Outputs

/** Made by one member of a chat to another. Only its status ever changes, once, from `pending`. */
export const Offer = Type.Object(
  {
    id: Id,
    chatId: Id,
    createdBy: Id,
    recipientId: Id,
    title: Type.String(),
    amount: Type.String({
      description: 'With exactly the decimals of the currency: `12.50` EUR, `1200` JPY',
    }),
    currency: Type.String({ description: 'ISO 4217' }),
    note: nullable(Type.String()),
    status: OfferStatus,
    parentId: nullable(Type.String({ ...Id, description: 'The offer that this one counters' })),
    expiresAt: Instant,
    version: Type.Integer({ minimum: 1, description: '1, and one more with each change' }),
    createdAt: Instant,
    updatedAt: Instant,
  },
  { title: 'Offer' },
);
export type Offer = Static<typeof Offer>;

export const OfferPage = pageOf(Offer, 'OfferPage');

// Inputs

const terms = {
  title: Title,
  amount: Amount,
  currency: Currency,
  note: Type.Optional(Note),
  expiresAt: Type.Optional(End),
};
const counterTerms = { ...terms, title: Type.Optional(Title), currency: Type.Optional(Currency) };
export const CounterTerms = Type.Object(counterTerms, {
  ...strict,
  description: 'Title and currency are those of the offer that is countered, where they are left out',
});
export type CounterTerms = Static<typeof CounterTerms>;

export const CreateOffer = Type.Object(
  {
    chatId: Id,
    recipientId: Type.Optional(
      Type.String({
        ...Id,
        description: 'Another member; in a direct chat the other one, where it is left out',
      }),
    ),
    ...terms,
  },
  {
    ...strict,
    examples: [
      {
        chatId: exampleId,
        recipientId: exampleId,
        title: 'A bicycle, blue',
        amount: '12.50',
        currency: 'EUR',
      },
    ],
  },
);
export type CreateOffer = Static<typeof CreateOffer>;

export const ChangeOffer = Type.Object({ offerId: Id }, strict);
export const CounterOffer = Type.Object({ offerId: Id, ...counterTerms }, strict);

export const OfferAction = Type.Union([
  Type.Literal('accept'),
  Type.Literal('reject'),
  Type.Literal('withdraw'),
  Type.Literal('counter'),
]);
export type OfferAction = Static<typeof OfferAction>;

export const UpdateOffer = Type.Object(
  {
    offerId: Id,
    action: OfferAction,
    counter: Type.Optional(CounterTerms),
  },
  { ...strict, examples: [{ offerId: exampleId, action: 'accept' }] },
);
export type UpdateOffer = Static<typeof UpdateOffer>;

export const GetOffer = Type.Object({ offerId: Id }, strict);
export const ListOffers = Type.Object({ chatId: Id, ...pageQuery }, strict);
export const ListMyOffers = Type.Object(
  {
    status: Type.Optional(Type.Union(OfferStatus.anyOf, { description: 'Only those of this status' })),
    role: Type.Optional(
      Type.Union([Type.Literal('creator'), Type.Literal('recipient')], {
        description: 'Only those that I made, or only those that were made to me',
      }),
    ),
    ...pageQuery,
  },
  strict,
);
export type ListMyOffers = Static<typeof ListMyOffers>;

// Events

const Concerning = Type.Object({ offer: Offer, chatId: Id });

export const events = {
  'offer.created': durable(['chat'], Type.Object({ offer: Offer })),
  /** Exactly one for each change. */
  'offer.updated': durable(
    ['chat'],
    Type.Object({
      offer: Offer,
      change: OfferChange,
      by: nullable(Type.String({ ...Id, description: 'Who did it; null where it expired' })),
    }),
  ),
  'offer.received': durable(['user'], Concerning),
  'offer.accepted': durable(['user'], Concerning),
  'offer.rejected': durable(['user'], Concerning),
  'offer.withdrawn': durable(['user'], Concerning),
  'offer.countered': durable(['user'], Concerning),
  /** One event for both sides. */
  'offer.expired': durable(['user'], Concerning),
};
export type OfferEvent = DurableEvent<typeof events, 'chat'>;

/** The part `offers` of a chat's state. */
export const ListedOffers = Type.Array(Offer, {
  maxItems: maxListed,
  description:
    `The pending ones, as they came: at most ${maxListed}, and of ${maxListedBytes / 1_024} KiB together. One that finds no ` +
    'room when it comes stays outside, and is in the lists over HTTP.',
});
export type ListedOffers = Static<typeof ListedOffers>;
