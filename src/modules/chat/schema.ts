// The chat tables. A message's `seq` is the seq of its `message.created` on `chat:<id>`, so that the log and the table
// tell the same order.

import {
  bigint,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import type { ChatType, MemberRole, MessageType, Metadata } from './contract.ts';

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
const seq = (name: string) => bigint(name, { mode: 'number' });

export const chats = pgTable('chats', {
  id: uuid('id').primaryKey(),
  type: text('type').$type<ChatType>().notNull(),
  /** Null for a direct chat: each of the two sees the other's name. */
  name: text('name'),
  /** The two user ids in order, joined: one direct chat a pair, whoever creates it. Null for a group. */
  directKey: text('direct_key').unique(),
  createdBy: uuid('created_by')
    .notNull()
    .references(() => users.id),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
});

export const chatParticipants = pgTable(
  'chat_participants',
  {
    chatId: uuid('chat_id')
      .notNull()
      .references(() => chats.id),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    role: text('role').$type<MemberRole>().notNull(),
    lastReadSeq: seq('last_read_seq').notNull(),
    joinedAt: instant('joined_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.chatId, table.userId] }),
    index('chat_participants_user').on(table.userId),
  ],
);

export const messages = pgTable(
  'messages',
  {
    id: uuid('id').primaryKey(),
    // No foreign keys: each would cost every message a query of its own. Chats and messages are never deleted, and who
    // sends was found among the participants.
    chatId: uuid('chat_id').notNull(),
    seq: seq('seq').notNull(),
    senderId: uuid('sender_id').notNull(),
    /** Null once deleted. */
    content: text('content'),
    messageType: text('message_type').$type<MessageType>().notNull(),
    metadata: jsonb('metadata').$type<Metadata>(),
    replyTo: uuid('reply_to'),
    createdAt: instant('created_at').notNull(),
    editedAt: instant('edited_at'),
    deletedAt: instant('deleted_at'),
  },
  (table) => [unique('messages_chat_seq').on(table.chatId, table.seq)],
);
