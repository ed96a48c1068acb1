// My chats, newest activity first, with what a list shows of each; and how much in all of them is unread.

import type { Static } from '@sinclair/typebox';
import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { defaultPageSize, readCursor, TimePosition, toPage } from '../../protocol/paging.ts';
import { query } from '../../realtime/index.ts';
import {
  type ChatListItem,
  ChatPage,
  CountUnread,
  ListChats,
  type MessageType,
  type Muted,
  previewLength,
  UnreadCounts,
} from './contract.ts';
import { isHidden, isMuteOver } from './shown.ts';
import { countAllUnread, maxCounted, unreadOf } from './unread.ts';

const tag = 'Chats';

export const listChats = query('chat.list', {
  summary: 'My chats, newest activity first',
  description:
    'Without those that I have hidden, unless `hidden` asks for them. A hidden direct chat comes back with its next ' +
    'message; a hidden group stays hidden until it is shown again. `muted` is what is so now: a mute whose time is over is `none`.',
  tag,
  http: 'GET /chats',
  input: ListChats,
  output: ChatPage,
  async run({ actor, db }, { limit = defaultPageSize, cursor, hidden }) {
    const after = readCursor(TimePosition, cursor);
    const rows = await readList(db, { userId: actor.userId, limit: limit + 1, after, hidden });
    return toPage(rows, limit, (row) => [Date.parse(row.created_at), row.id], toListItem);
  },
});

export const countUnreadChats = query('chat.unread', {
  summary: 'How much is unread in all my chats',
  description:
    'Over all that the list of chats shows without `hidden`, muted chats too. What I wrote, what is deleted and what the ' +
    `system said does not count. At most ${maxCounted.toLocaleString('en')} messages are looked at, of each chat its newest ` +
    'ones in equal parts: whoever has not read more than that is told of fewer.',
  tag,
  http: 'GET /chats/unread',
  input: CountUnread,
  output: UnreadCounts,
  run: ({ actor, db }) => countAllUnread(db, actor.userId),
});

interface ListRequest {
  readonly userId: string;
  readonly limit: number;
  readonly after: TimePosition | undefined;
  readonly hidden: Static<typeof ListChats>['hidden'];
}

interface ListRow {
  id: string;
  type: ChatListItem['type'];
  name: string | null;
  other_user: ChatListItem['otherUser'];
  last_read_seq: number | string;
  unread: number;
  mentions: number;
  member_count: number;
  muted: Muted;
  muted_until: string | null;
  message_id: string;
  seq: number | string;
  sender_id: string;
  sender_name: string;
  message_type: MessageType;
  preview: string | null;
  created_at: string;
}

/** One statement: the page is found first, by the newest message of each chat, and only its chats are counted. */
async function readList(db: Db, { userId, limit, after, hidden }: ListRequest): Promise<ListRow[]> {
  const isBehind =
    after === undefined
      ? sql`true`
      : sql`(newest.created_at, chats.id) < (${new Date(after[0]).toISOString()}::timestamptz, ${after[1]}::uuid)`;
  return await queryRows<ListRow>(
    db,
    sql`
      WITH page AS (
        SELECT chats.id, chats.type, chats.name, mine.last_read_seq, mine.muted, mine.muted_until,
          ${isMuteOver(sql`mine.muted_until`)} AS is_mute_over, newest.id AS message_id, newest.seq,
          newest.sender_id, newest.message_type, left(newest.content, ${previewLength}) AS preview, newest.created_at
        FROM chat_participants AS mine
        JOIN chats ON chats.id = mine.chat_id
        JOIN LATERAL (
          SELECT * FROM messages WHERE messages.chat_id = chats.id ORDER BY messages.seq DESC LIMIT 1
        ) AS newest ON true -- every chat begins with a message
        WHERE mine.user_id = ${userId} AND ${isBehind} AND ${isWanted(hidden)}
        ORDER BY newest.created_at DESC, chats.id DESC
        LIMIT ${limit}
      )
      SELECT page.id, page.type, page.message_id, page.seq, page.sender_id, page.message_type, page.preview,
        ${instant(sql`page.created_at`)} AS created_at, page.last_read_seq, unread.unread, unread.mentions,
        CASE WHEN is_mute_over THEN 'none' ELSE page.muted END AS muted,
        CASE WHEN is_mute_over THEN NULL ELSE ${instant(sql`page.muted_until`)} END AS muted_until,
        CASE page.type WHEN 'group' THEN page.name ELSE other.name END AS name,
        CASE WHEN other.id IS NOT NULL
          THEN json_build_object('id', other.id, 'name', other.name, 'avatarUrl', other.avatar_url) END AS other_user,
        (SELECT users.name FROM users WHERE users.id = page.sender_id) AS sender_name,
        (SELECT count(*)::int FROM chat_participants WHERE chat_id = page.id) AS member_count
      FROM page
      LEFT JOIN LATERAL (
        SELECT users.id, users.name, users.avatar_url
        FROM chat_participants AS others JOIN users ON users.id = others.user_id
        WHERE page.type = 'direct' AND others.chat_id = page.id AND others.user_id <> ${userId}
      ) AS other ON true
      CROSS JOIN LATERAL ${unreadOf({ chatId: sql`page.id`, userId: sql`${userId}::uuid`, lastReadSeq: sql`page.last_read_seq` })} AS unread
      ORDER BY page.created_at DESC, page.id DESC`,
  );
}

function isWanted(hidden: ListRequest['hidden']): SQL {
  if (hidden === 'too') return sql`true`;
  const isIt = isHidden({
    type: sql`chats.type`,
    hiddenAtSeq: sql`mine.hidden_at_seq`,
    newestSeq: sql`newest.seq`,
  });
  return hidden === 'only' ? isIt : sql`NOT ${isIt}`;
}

/** As it goes over the wire. */
const instant = (at: SQL): SQL => sql`to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

function toListItem(row: ListRow): ChatListItem {
  return {
    id: row.id,
    type: row.type,
    name: row.name,
    otherUser: row.other_user,
    lastMessage: {
      id: row.message_id,
      seq: Number(row.seq),
      senderId: row.sender_id,
      senderName: row.sender_name,
      messageType: row.message_type,
      preview: row.preview,
      createdAt: row.created_at,
    },
    lastReadSeq: Number(row.last_read_seq),
    unreadCount: row.unread,
    mentions: row.mentions,
    memberCount: row.member_count,
    muted: row.muted,
    mutedUntil: row.muted_until,
  };
}
