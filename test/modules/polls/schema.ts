// The tables of polls.

import { integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';

export const polls = pgTable('polls', {
  id: uuid('id').primaryKey(),
  question: text('question').notNull(),
  options: text('options').array().notNull(),
  createdBy: uuid('created_by').notNull(),
});

export const pollVotes = pgTable(
  'poll_votes',
  {
    pollId: uuid('poll_id').notNull(),
    userId: uuid('user_id').notNull(),
    /** Counted from 0. */
    option: integer('option').notNull(),
  },
  (table) => [primaryKey({ columns: [table.pollId, table.userId] })],
);
