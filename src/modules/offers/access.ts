// Who may do what to an offer, decided inside the transaction that does it. For someone who is neither one of its two sides
// nor a member of its chat, an offer that exists and one that does not are the same: `not_found`.
//
// Locks are taken in this order, so that transactions wait for each other and never in a circle: members of the chat
// (`keepMembers`), the offer, the chat's topic, and at COMMIT the topics of users. Where offers expire, no members are
// locked, but up to 100 offers; nobody else locks more than one, so there is no circle among them, and then the topics of
// their chats, in the order of their ids.

import { eq, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { keepMembers } from '../chat/index.ts';
import type { OfferAction } from './contract.ts';
import { type OfferRow, toOffer } from './rows.ts';
import { offers } from './schema.ts';

export interface OpenOffer {
  readonly row: OfferRow;
  /** In its direct chat one of the two has blocked the other. */
  readonly isBlocked: boolean;
}

/**
 * The offer as it is until COMMIT, which the actor may end in this way; who is a member stays one until then. Throws
 * `not_found`, `forbidden`, and `conflict` with the offer where it is open no more.
 */
export async function lockOffer(
  tx: Db,
  actorId: string,
  offerId: string,
  action: OfferAction,
): Promise<OpenOffer> {
  const [sides] = await tx
    .select({ chatId: offers.chatId, createdBy: offers.createdBy, recipientId: offers.recipientId })
    .from(offers)
    .where(eq(offers.id, offerId));
  if (sides === undefined) throw noSuchOffer();
  const { chatId, createdBy, recipientId } = sides;
  const members = await keepMembers(tx, chatId, [...new Set([createdBy, recipientId, actorId])]);
  if (actorId !== createdBy && !members.has(actorId)) throw noSuchOffer();
  requireSide(actorId, sides, action);
  // Asked in a statement of its own, behind the lock: this sees what its last holder did, and what time it is by then.
  await tx.select({ id: offers.id }).from(offers).where(eq(offers.id, offerId)).for('no key update');
  const [found] = await tx
    .select({ row: offers, isDue: sql<boolean>`${offers.expiresAt} <= clock_timestamp()` })
    .from(offers)
    .where(eq(offers.id, offerId));
  if (found === undefined) throw new Error('An offer was locked, but not answered.');
  const { row, isDue } = found;
  const details = toOffer(row);
  if (isDue || row.status === 'expired')
    throw new AppError('conflict', 'This offer has expired.', { details });
  if (row.status !== 'pending') {
    throw new AppError('conflict', `This offer was ${row.status} already.`, { details });
  }
  if (action !== 'withdraw' && !members.has(createdBy)) {
    const message = 'Who made this offer has left the chat: it can only be withdrawn, or expire.';
    throw new AppError('conflict', message, { details });
  }
  return { row, isBlocked: members.get(actorId)?.isBlocked ?? false };
}

/** Throws `forbidden`. */
function requireSide(
  actorId: string,
  { createdBy, recipientId }: Pick<OfferRow, 'createdBy' | 'recipientId'>,
  action: OfferAction,
): void {
  if (action === 'withdraw') {
    if (actorId !== createdBy) throw new AppError('forbidden', 'Only who made an offer can withdraw it.');
    return;
  }
  if (actorId !== recipientId) {
    throw new AppError('forbidden', 'Only who is offered it can accept, reject or counter an offer.');
  }
}

export const noSuchOffer = () => new AppError('not_found', 'There is no such offer in your chats.');
