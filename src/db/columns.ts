// The columns that tables have in common.

import { timestamp } from 'drizzle-orm/pg-core';

/** A point in time, to the millisecond: as much as a `Date` holds. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
