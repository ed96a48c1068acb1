// The table of offers. `seq` is that of the message that came with the offer, so that they stand in one order.

import { sql } from 'drizzle-orm';
import {
  type AnyPgColumn,
  bigint,
  boolean,
  index,
  integer,
  numeric,
  pgTable,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { instant } from '../../db/columns.ts';
import type { OfferStatus } from './contract.ts';

export const offers = pgTable(
  'offers',
  {
    id: uuid('id').primaryKey(),
    // No foreign key: the table is another module's. Chats are never deleted, and the two were found among their members.
    chatId: uuid('chat_id').notNull(),
    /** In its chat: of the message that it came with. */
    seq: bigint('seq', { mode: 'number' }).notNull(),
    createdBy: uuid('created_by')
      .notNull()
      .references(() => users.id),
    recipientId: uuid('recipient_id')
      .notNull()
      .references(() => users.id),
    title: text('title').notNull(),
    amount: numeric('amount', { precision: 15, scale: 3 }).notNull(),
    currency: text('currency').notNull(),
    note: text('note'),
    status: text('status').$type<OfferStatus>().notNull(),
    parentId: uuid('parent_id').references((): AnyPgColumn => offers.id),
    /** How many counters led to it: 0 for a first offer. */
    round: integer('round').notNull(),
    /** Found room in the snapshot of its chat when it came, and keeps it while it is pending. */
    isListed: boolean('is_listed').notNull(),
    expiresAt: instant('expires_at').notNull(),
    version: integer('version').notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    unique('offers_chat_seq').on(table.chatId, table.seq),
    // With the status within: my list of one status, or of several merged, reads no more than it shows.
    index('offers_creator').on(table.createdBy, table.status, table.createdAt, table.id),
    index('offers_recipient').on(table.recipientId, table.status, table.createdAt, table.id),
    index('offers_pending').on(table.chatId, table.createdBy).where(sql`status = 'pending'`),
    index('offers_listed').on(table.chatId, table.seq).where(sql`status = 'pending' AND is_listed`),
    index('offers_due').on(table.expiresAt).where(sql`status = 'pending'`),
  ],
);
