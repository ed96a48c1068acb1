// From rows of messages to what goes over the wire: with the emojis on them and the number of their replies.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import type { ListedMessage, Message } from './contract.ts';
import type { messages } from './schema.ts';

export type MessageRow = typeof messages.$inferSelect;

/** As everyone sees them. */
export async function viewMessages(db: Db, rows: readonly MessageRow[]): Promise<Message[]> {
  const { repliesTo, reactionsTo } = await readAround(db, rows);
  return rows.map((row) => ({
    ...toFields(row),
    replyCount: repliesTo.get(row.id) ?? 0,
    reactions: (reactionsTo.get(row.id) ?? []).map(({ emoji, count, userIds }) => ({
      emoji,
      count,
      userIds,
    })),
  }));
}

/** As the user sees them. */
export async function viewMessagesFor(
  db: Db,
  userId: string,
  rows: readonly MessageRow[],
): Promise<ListedMessage[]> {
  const { repliesTo, reactionsTo } = await readAround(db, rows, userId);
  return rows.map((row) => ({
    ...toFields(row),
    replyCount: repliesTo.get(row.id) ?? 0,
    reactions: (reactionsTo.get(row.id) ?? []).map(({ emoji, count, mine }) => ({ emoji, count, mine })),
  }));
}

/** As its `message.created` has it: nobody had replied or reacted. */
export const viewAsCreated = (row: MessageRow): Message => ({
  ...toFields(row),
  replyCount: 0,
  reactions: [],
});

function toFields({ editSeq: _, ...row }: MessageRow) {
  return {
    ...row,
    mentions: row.mentions ?? [],
    createdAt: row.createdAt.toISOString(),
    editedAt: row.editedAt?.toISOString() ?? null,
    deletedAt: row.deletedAt?.toISOString() ?? null,
  };
}

interface ReactionRow {
  message_id: string;
  emoji: string;
  count: number;
  userIds: string[];
  mine: boolean;
}

async function readAround(db: Db, rows: readonly MessageRow[], userId: string | null = null) {
  const ids = sql.param(rows.map(({ id }) => id));
  const replies = await queryRows<{ reply_to: string; count: number }>(
    db,
    sql`SELECT reply_to, count(*)::int AS count FROM messages WHERE reply_to = ANY(${ids}::uuid[]) GROUP BY reply_to`,
  );
  const reactions = await queryRows<ReactionRow>(
    db,
    sql`
      SELECT message_id, emoji, count(*)::int AS count, coalesce(bool_or(user_id = ${userId}::uuid), false) AS mine,
        coalesce(array_agg(user_id ORDER BY seq) FILTER (WHERE is_named), '{}') AS "userIds"
      FROM message_reactions WHERE message_id = ANY(${ids}::uuid[])
      GROUP BY message_id, emoji
      ORDER BY message_id, min(first_seq)`,
  );
  return {
    repliesTo: new Map(replies.map(({ reply_to, count }) => [reply_to, count])),
    reactionsTo: Map.groupBy(reactions, ({ message_id }) => message_id),
  };
}
