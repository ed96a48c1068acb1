// The chat tables. A message's `seq` is the seq of its `message.created` on `chat:<id>`, so that the log and the table
// tell the same order.

import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  customType,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { instant } from '../../db/columns.ts';
import type { ChatType, MemberRole, MessageType, Metadata, Muted } from './contract.ts';

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
    /** Until `mutedUntil`, for ever where that is null. */
    muted: text('muted').$type<Muted>().notNull().default('none'),
    mutedUntil: instant('muted_until'),
    /** The chat's newest seq when the member hid it; null: it is shown. A direct chat is shown again by a newer message. */
    hiddenAtSeq: seq('hidden_at_seq'),
    /** One of the two in a direct chat has blocked the other, so neither may write: the same in both rows. */
    isBlocked: boolean('is_blocked').notNull().default(false),
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
    /** Null: nobody. */
    mentions: uuid('mentions').array(),
    createdAt: instant('created_at').notNull(),
    editedAt: instant('edited_at'),
    deletedAt: instant('deleted_at'),
    /** Of its newest `message.edited`: the event that holds the present text beside `message.created`. */
    editSeq: seq('edit_seq'),
  },
  (table) => [
    unique('messages_chat_seq').on(table.chatId, table.seq),
    index('messages_replies').on(table.replyTo, table.seq).where(sql`${table.replyTo} IS NOT NULL`),
  ],
);

export const messageReactions = pgTable(
  'message_reactions',
  {
    messageId: uuid('message_id')
      .notNull()
      .references(() => messages.id),
    emoji: text('emoji').notNull(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    /** Of its own `message.reacted`: users are shown in this order. */
    seq: seq('seq').notNull(),
    /** Of the first one with this emoji, the same in all of them: emojis are shown in this order. */
    firstSeq: seq('first_seq').notNull(),
    /** Among the users that a snapshot names: found a place there when it came, and keeps it. */
    isNamed: boolean('is_named').notNull(),
  },
  (table) => [primaryKey({ columns: [table.messageId, table.emoji, table.userId] })],
);

export const userBlocks = pgTable(
  'user_blocks',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    blockedId: uuid('blocked_id')
      .notNull()
      .references(() => users.id),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.blockedId] }),
    index('user_blocks_blocked').on(table.blockedId),
  ],
);

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });

/** What search looks into: filled behind the messages, which pay for no such index on their way. */
export const messageWords = pgTable(
  'message_words',
  {
    messageId: uuid('message_id').primaryKey(),
    /** The words of the message, and its chat as one more. */
    words: tsvector('words').notNull(),
  },
  // What is new in the index stands in a list that every search reads from end to end: at 4 MB, as it would be, that took
  // 5 to 80 ms, at 256 kB 1 ms; filling in takes as long.
  (table) => [index('message_words_words').using('gin', table.words).with({ gin_pending_list_limit: 256 })],
);

/** How far the words of a chat's messages are filled in. */
export const chatWords = pgTable('chat_words', {
  chatId: uuid('chat_id').primaryKey(),
  seq: seq('seq').notNull(),
});
