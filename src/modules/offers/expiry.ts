// Offers whose time is over, by the clock of the database: whichever instance comes first ends them.
// Nobody calls `wakeIn`: an offer is open for a minute at least, and the clockwork looks at least once a second.

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
