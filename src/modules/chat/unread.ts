// How many messages of others a member has not read: what is deleted or said by the system does not count.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';

export interface Membership {
  readonly chatId: string;
  readonly userId: string;
}

const counts = sql`messages.deleted_at IS NULL AND messages.message_type <> 'system'`;

/** Of one member, as part of a statement. */
export function unreadCount(member: { chatId: SQL; userId: SQL; lastReadSeq: SQL }): SQL {
  return sql`(
    SELECT count(*)::int FROM messages
    WHERE messages.chat_id = ${member.chatId} AND messages.seq > ${member.lastReadSeq}
      AND messages.sender_id <> ${member.userId} AND ${counts})`;
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
