// Offers whose time is over, by the clock of the database: whichever instance comes first ends them.

import { sql } from 'drizzle-orm';
import { timed } from '../../realtime/index.ts';
import { offers } from './schema.ts';
import { expireOffers } from './writer.ts';

export const offerExpiry = timed('offer.expiry', {
  table: offers,
  id: offers.id,
  dueAt: offers.expiresAt,
  isOpen: sql`status = 'pending'`,
  run: ({ tx, emit }, ids) => expireOffers(tx, emit, ids),
});
