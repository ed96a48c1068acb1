// The topics of a chat: `chat:<id>` and its members' own. Who may follow it, and its state for those who begin to.

import { desc, eq, sql } from 'drizzle-orm';
import { userTopics } from '../../auth/topics.ts';
import { type Db, queryRows } from '../../db/database.ts';
import { maxSnapshotBytes } from '../../protocol/envelope.ts';
import { type TopicsAround, topicKind } from '../../realtime/index.ts';
import { findOwnChats, noSuchChat, readChat } from './access.ts';
import { ChatState, events, type Message, snapshotMessages } from './contract.ts';
import { viewMessages } from './message-rows.ts';
import { messages } from './schema.ts';

export const chat = topicKind('chat', {
  events,
  hasPresence: true,
  findFollowable: (db, actor, chatIds) => findOwnChats(db, actor.userId, chatIds),
  snapshot: {
    schema: ChatState,
    read: (tx, _actor, chatId, maxBytes) => readState(tx, chatId, maxBytes),
  },
});

/** Members on their own topics. */
export const user = userTopics.carrying(events);

/** A new name is announced in so many chats of a user, those with the newest activity: more would hold up everything in them. */
export const maxChatsAround = 1_000;

/** The chats whose members know the user. Unlocked: who leaves meanwhile may still be called by the new name there. */
export const chatsAround: TopicsAround = async (tx, userId) => {
  const rows = await queryRows<{ chat_id: string }>(
    tx,
    sql`
      SELECT mine.chat_id FROM chat_participants AS mine
      CROSS JOIN LATERAL (
        SELECT created_at FROM messages WHERE messages.chat_id = mine.chat_id ORDER BY messages.seq DESC LIMIT 1
      ) AS newest
      WHERE mine.user_id = ${userId}
      ORDER BY newest.created_at DESC, mine.chat_id DESC LIMIT ${maxChatsAround}`,
  );
  return rows.map(({ chat_id }) => chat.on(chat_id));
};

/** In one snapshot of `tx`, so that the parts belong together. */
export async function readState(tx: Db, chatId: string, maxBytes = maxSnapshotBytes): Promise<ChatState> {
  const found = await readChat(tx, chatId);
  if (found === undefined) throw noSuchChat();
  const { members, ...chat } = found;
  const newest = await tx
    .select()
    .from(messages)
    .where(eq(messages.chatId, chatId))
    .orderBy(desc(messages.seq))
    .limit(snapshotMessages);
  const state: ChatState = {
    chat,
    members: members.map(({ lastReadSeq: _, ...member }) => member),
    messages: [],
    readPositions: Object.fromEntries(members.map(({ userId, lastReadSeq }) => [userId, lastReadSeq])),
  };
  return {
    ...state,
    messages: newestThatFit(await viewMessages(tx, newest), maxBytes - bytesOf(state)),
  };
}

/** Ascending. Those that are kept with `apply` may be more, behind long messages, or fewer, behind deletions of long ones. */
function newestThatFit(newestFirst: readonly Message[], bytes: number): Message[] {
  let left = bytes;
  const fitting = newestFirst.findIndex((message) => {
    left -= bytesOf(message) + 1; // and a comma
    return left < 0;
  });
  return newestFirst.slice(0, fitting === -1 ? undefined : fitting).reverse();
}

const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value));
