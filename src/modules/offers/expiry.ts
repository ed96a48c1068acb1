// Offers whose time is over, by the clock of the database. Their rows are locked when this begins; the topics of their chats
// follow in the order of their ids.

import { asc, inArray, sql } from 'drizzle-orm';
import { timed } from '../../realtime/index.ts';
import { offers } from './schema.ts';
import { expireOffer } from './writer.ts';

export const offerExpiry = timed('offer.expiry', {
  table: offers,
  id: offers.id,
  dueAt: offers.expiresAt,
  isOpen: sql`status = 'pending'`,
  async run({ tx, emit }, ids) {
    const rows = await tx
      .select()
      .from(offers)
      .where(inArray(offers.id, [...ids]))
      .orderBy(asc(offers.chatId), asc(offers.expiresAt), asc(offers.id));
    for (const row of rows) await expireOffer(tx, emit, row);
  },
});
