// The only table of the clockwork: what failed, and when it is tried again. Everything else that is due stands in the tables
// of the modules.

import { index, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

export const clockworkFailures = pgTable(
  'clockwork_failures',
  {
    kind: text('kind').notNull(),
    /** As text, whatever type the module's ids have. */
    itemId: text('item_id').notNull(),
    /** How often it failed in a row. */
    attempts: integer('attempts').notNull(),
    retryAt: timestamp('retry_at', { withTimezone: true, precision: 3, mode: 'date' }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.itemId] }),
    index('clockwork_failures_retry_at').on(table.kind, table.retryAt),
  ],
);
