// How often a user may change campaigns.

import type { RateLimit } from '../../realtime/index.ts';

/** Whatever a campaign keeps, ten times as often as a message: a world is built in many small steps. */
export const changesPerMinute: RateLimit = {
  name: 'campaign changes',
  points: ({ messagesPerMinute }) => 10 * messagesPerMinute,
  seconds: 60,
};
