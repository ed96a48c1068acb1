// How long a job waits behind a failed attempt: 1 s × 2^attempt, give or take a fifth, and 5 min at most.

import { sql } from 'drizzle-orm';

/** An interval, for the row whose `attempts` is the attempt that failed. */
export const backoff = sql`
  make_interval(secs => least(300, least(300, power(2, attempts)) * (0.8 + 0.4 * random())))`;
