// How often a user may change campaigns.

import type { RateLimit } from '../../realtime/index.ts';

/**
 * Whatever changes or goes, ten times as often as a message: a world is built in many small steps. What is created is not
 * counted, so that a world can be brought in at once: of that there is only so much (`room.ts`), and making place counts.
 */
export const changesPerMinute: RateLimit = {
  name: 'campaign changes',
  points: ({ messagesPerMinute }) => 10 * messagesPerMinute,
  seconds: 60,
};
