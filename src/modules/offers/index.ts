// Offers between two members of a chat: made, countered, and ended once.

import { defineModule } from '../../realtime/index.ts';
import { createNotices } from '../chat/index.ts';
import { acceptOffer, counterOffer, rejectOffer, updateOffer, withdrawOffer } from './changing.ts';
import { events, ListedOffers } from './contract.ts';
import { createOffer } from './creating.ts';
import { offerExpiry } from './expiry.ts';
import { getOffer, listMyOffers, listOffers } from './reading.ts';
import { readListed } from './rows.ts';
import { endOffersOf } from './writer.ts';

export const offersModule = defineModule('offers', {
  needs: ['chat'],
  events,
  tags: { Offers: 'What members of a chat offer each other, and how that ends' },
  snapshotParts: [
    {
      on: 'chat',
      name: 'offers',
      schema: ListedOffers,
      read: (tx, _actor, chatId) => readListed(tx, chatId),
    },
  ],
  onUserDeleted: () => endOffersOf,
  timed: [offerExpiry],
  operations(core) {
    const notices = createNotices(core);
    return [
      createOffer(notices),
      listOffers,
      listMyOffers,
      getOffer,
      acceptOffer,
      rejectOffer,
      withdrawOffer,
      counterOffer(notices),
      updateOffer(notices),
    ];
  },
});
