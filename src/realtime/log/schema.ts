// The log's tables. `topics.head` is the only counter of a topic; whoever holds its row writes the next event.

import { sql } from 'drizzle-orm';
import { bigint, customType, index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../../db/columns.ts';

/** JSON kept as it was written: jsonb would reorder keys and refuse \u0000. Read as text: replay never parses it. */
const jsonText = customType<{ data: string }>({ dataType: () => 'json' });

/** One row. A new epoch says that positions from before are void, as after a restored backup. [S4] */
export const eventLog = pgTable('event_log', {
  id: integer('id').primaryKey().default(1),
  epoch: uuid('epoch').notNull().default(sql`gen_random_uuid()`),
  /** Made with the database and kept for ever: tells deployments apart that share a Redis. */
  logId: uuid('log_id').notNull().default(sql`gen_random_uuid()`),
  /** What PostgreSQL last said of its own past, see identity.ts: with another one, the epoch is renewed. */
  history: text('history'),
});

export const topics = pgTable('topics', {
  name: text('name').primaryKey(),
  head: bigint('head', { mode: 'number' }).notNull(),
  /** The seq before the topic's first event: more than 0 where topics were forgotten. [T4] */
  base: bigint('base', { mode: 'number' }).notNull().default(0),
  /** When the topic was first seen without events, or last seen followed then; null where it may have some. */
  idleSince: instant('idle_since'),
});

/** What became of forgotten topics: the highest head of those whose names are in the bucket. [T4] */
export const forgottenTopics = pgTable('forgotten_topics', {
  bucket: integer('bucket').primaryKey(),
  head: bigint('head', { mode: 'number' }).notNull(),
});

export const events = pgTable(
  'events',
  {
    topic: text('topic').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    id: uuid('id').notNull(),
    type: text('type').notNull(),
    at: instant('at').notNull(),
    payload: jsonText('payload').notNull(),
    meta: jsonText('meta').notNull(),
    /** Users who may not follow the topic behind this event. [S7] */
    revokes: text('shuts_out').array(),
    /** Users who had lost the topic before this event, and do not get it. [S7] */
    withheldFrom: text('withheld_from').array(),
    /** Seqs of earlier events on the topic whose payloads this one's transaction replaced: what is gone is gone. [O5] */
    rewrites: bigint('rewrites', { mode: 'number' }).array(),
  },
  (table) => [
    primaryKey({ columns: [table.topic, table.seq] }),
    // For whoever looks into the log by time. BRIN: rows arrive in time order, and a B-tree would cost every insert.
    index('events_at').using('brin', table.at),
  ],
);

/** First results by key, for 24 hours. [K1] */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    userId: uuid('user_id').notNull(),
    operation: text('operation').notNull(),
    key: text('key').notNull(),
    bodyHash: text('body_hash').notNull(),
    /** The first result and its event positions; null only inside the transaction that takes the key. */
    result: jsonText('result'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.operation, table.key] }),
    index('idempotency_keys_created_at').on(table.createdAt),
  ],
);
