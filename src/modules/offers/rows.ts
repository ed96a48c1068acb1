// From rows of offers to what goes over the wire.

import { and, asc, eq, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { type ListedOffers, maxListed, type Offer } from './contract.ts';
import { formatAmount } from './rules.ts';
import { offers } from './schema.ts';

export type OfferRow = typeof offers.$inferSelect;

export function toOffer(row: OfferRow): Offer {
  return {
    id: row.id,
    chatId: row.chatId,
    createdBy: row.createdBy,
    recipientId: row.recipientId,
    title: row.title,
    amount: formatAmount(row.amount, row.currency),
    currency: row.currency,
    note: row.note,
    status: row.status,
    parentId: row.parentId,
    expiresAt: row.expiresAt.toISOString(),
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** The part `offers` of the chat's state, as it stands for `tx`. */
export async function readListed(tx: Db, chatId: string): Promise<ListedOffers> {
  return (await selectListed(tx, chatId)).map(toOffer);
}

export const selectListed = (tx: Db, chatId: string) =>
  tx
    .select()
    .from(offers)
    // In words that the partial index has, too: a parameter could be any status.
    .where(and(eq(offers.chatId, chatId), sql`${offers.status} = 'pending' AND ${offers.isListed}`))
    .orderBy(asc(offers.seq))
    .limit(maxListed); // there are no more; the planner, who cannot know, takes the index for it
