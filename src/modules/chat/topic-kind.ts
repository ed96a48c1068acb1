// `chat:<id>` as a topic: who may follow it, and its state for those who begin to.

import { desc, eq } from 'drizzle-orm';
import type { Db } from '../../db/connect.ts';
import type { TopicKind } from '../../realtime/module.ts';
import { findOwnChats, noSuchChat, readChat } from './access.ts';
import { snapshotMessages } from './contract.ts';
import { toMessage } from './rows.ts';
import { messages } from './schema.ts';
import type { ChatState } from './state.ts';

export const chatTopicKind: TopicKind = {
  kind: 'chat',
  hasPresence: true,
  findFollowable: (db, actor, chatIds) => findOwnChats(db, actor.userId, chatIds),
  readSnapshot: (tx, _actor, chatId) => readState(tx, chatId),
};

/** In one snapshot of `tx`, so that the parts belong together. */
export async function readState(tx: Db, chatId: string): Promise<ChatState> {
  const found = await readChat(tx, chatId);
  if (found === undefined) throw noSuchChat();
  const { members, ...chat } = found;
  const newest = await tx
    .select()
    .from(messages)
    .where(eq(messages.chatId, chatId))
    .orderBy(desc(messages.seq))
    .limit(snapshotMessages);
  return {
    chat,
    members: members.map(({ lastReadSeq: _, ...member }) => member),
    messages: newest.map(toMessage).reverse(),
    readPositions: Object.fromEntries(members.map(({ userId, lastReadSeq }) => [userId, lastReadSeq])),
  };
}
