// The part `offers` of a chat's state, and how each event changes it. Pure and browser-safe.
// The law: applyOffers over the events between two snapshots turns the part in the first into the part in the second.

import type { EventFrame } from '../../protocol/envelope.ts';
import { maxListed, maxListedBytes } from './bounds.ts';
import type { ListedOffers, Offer, OfferEvent } from './contract.ts';

export type { ListedOffers };

/** The part behind the event; the given one is left as it is. Other events on the topic change nothing here. */
export function applyOffers(part: ListedOffers, frame: Pick<EventFrame, 'type' | 'payload'>): ListedOffers {
  const event = frame as OfferEvent; // the server's contract; whatever else comes falls through the switch
  switch (event.type) {
    case 'offer.created': {
      const { offer } = event.payload;
      return hasRoom(part, offer) ? [...part, offer] : part;
    }
    // Every change is an end: nothing else of an offer ever changes.
    case 'offer.updated':
      return part.filter(({ id }) => id !== event.payload.offer.id);
    default:
      return part;
  }
}

/**
 * Whether the part takes the offer when it comes. The server asks the same, and keeps the answer: an offer without a place
 * gets none when others go.
 */
export function hasRoom(part: ListedOffers, offer: Offer): boolean {
  return part.length < maxListed && bytesOf([...part, offer]) <= maxListedBytes;
}

const bytesOf = (value: object): number => new TextEncoder().encode(JSON.stringify(value)).length;
