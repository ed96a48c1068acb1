// How many messages of others a member has not read: what is deleted or said by the system does not count.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import type { UnreadCounts } from './contract.ts';
import { isHidden } from './shown.ts';

export interface Membership {
  readonly chatId: string;
  readonly userId: string;
}

const counts = sql`messages.deleted_at IS NULL AND messages.message_type <> 'system'`;

/** Of one member and one chat, as a table of one row in a statement: `unread`, and `mentions`, how many of these name the member. */
export function unreadOf(member: { chatId: SQL; userId: SQL; lastReadSeq: SQL }): SQL {
  return sql`(
    SELECT count(*)::int AS unread, (count(*) FILTER (WHERE ${member.userId} = ANY(messages.mentions)))::int AS mentions
    FROM messages
    WHERE messages.chat_id = ${member.chatId} AND messages.seq > ${member.lastReadSeq}
      AND messages.sender_id <> ${member.userId} AND ${counts})`;
}

/** How many messages `countAllUnread` looks at: some 100 ms. */
export const maxCounted = 100_000;

/**
 * Of one member over all chats that the list shows. Its work has a bound, whatever was left unread: each chat that has
 * something behind the read position gets an equal part of `most`, and is looked at from its newest message back.
 */
export async function countAllUnread(db: Db, userId: string, most = maxCounted): Promise<UnreadCounts> {
  const isShown = sql`NOT ${isHidden({ type: sql`chats.type`, hiddenAtSeq: sql`mine.hidden_at_seq`, newestSeq: sql`newest.seq` })}`;
  const [counted] = await queryRows<UnreadCounts>(
    db,
    sql`
      WITH behind AS MATERIALIZED (
        SELECT mine.chat_id, mine.last_read_seq
        FROM chat_participants AS mine
        JOIN chats ON chats.id = mine.chat_id
        CROSS JOIN LATERAL (
          SELECT seq FROM messages WHERE messages.chat_id = mine.chat_id ORDER BY messages.seq DESC LIMIT 1
        ) AS newest
        WHERE mine.user_id = ${userId} AND newest.seq > mine.last_read_seq AND ${isShown}
      )
      SELECT (count(*) FILTER (WHERE unread > 0))::int AS chats, coalesce(sum(unread), 0)::int AS messages,
        coalesce(sum(mentions), 0)::int AS mentions
      FROM behind CROSS JOIN LATERAL (
        SELECT count(*) AS unread, count(*) FILTER (WHERE ${userId}::uuid = ANY(messages.mentions)) AS mentions
        FROM (
          SELECT * FROM messages WHERE messages.chat_id = behind.chat_id AND messages.seq > behind.last_read_seq
          ORDER BY messages.seq DESC LIMIT greatest(1, ${most}::int / (SELECT count(*) FROM behind))
        ) AS messages
        WHERE messages.sender_id <> ${userId} AND ${counts}
      ) AS counted`,
  );
  if (counted === undefined) throw new Error('The unread messages were not counted.');
  return counted;
}

/**
 * Of many members at once; who is none is not among the answers. The messages of a chat are read once for all of them, and
 * counted by sender and by the read position that they are behind: 199 members with 100,000 unread messages each took
 * 3 s one by one.
 */
export async function countUnread(
  db: Db,
  members: readonly Membership[],
): Promise<(Membership & { unread: number })[]> {
  return await queryRows(
    db,
    // ORDER BY and OFFSET have the messages read by their index: how few are behind the position, the planner cannot know.
    sql`
      WITH asked AS MATERIALIZED (
        SELECT p.chat_id, p.user_id, p.last_read_seq
        FROM json_to_recordset(${JSON.stringify(members)}::json) AS m("chatId" uuid, "userId" uuid)
        JOIN chat_participants AS p ON p.chat_id = m."chatId" AND p.user_id = m."userId"
      ), positions AS (
        SELECT chat_id, array_agg(DISTINCT last_read_seq ORDER BY last_read_seq) AS seqs FROM asked GROUP BY chat_id
      ), said AS (
        SELECT positions.chat_id, sender_id, seqs[place] AS behind, sent
        FROM positions CROSS JOIN LATERAL (
          SELECT sender_id, width_bucket(seq - 1, seqs) AS place, count(*) AS sent
          FROM (
            SELECT sender_id, seq FROM messages
            WHERE messages.chat_id = positions.chat_id AND messages.seq > seqs[1] AND ${counts}
            ORDER BY seq OFFSET 0
          ) AS unread
          GROUP BY sender_id, place
        ) AS counted
      )
      SELECT chat_id AS "chatId", user_id AS "userId", unread::int FROM (
        SELECT chat_id, user_id, is_member,
          sum(sent) OVER (PARTITION BY chat_id ORDER BY behind DESC)
            - sum(sent) OVER (PARTITION BY chat_id, user_id ORDER BY behind DESC) AS unread
        FROM (
          SELECT chat_id, user_id, last_read_seq AS behind, 0 AS sent, true AS is_member FROM asked
          UNION ALL
          SELECT chat_id, sender_id, behind, sent, false FROM said
        ) AS lines
      ) AS summed
      WHERE is_member`,
  );
}
