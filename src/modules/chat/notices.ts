// `message.notified`: tells members who are connected, but do not follow the chat, that something was said there.
// Ephemeral and beside the road of the message itself: it delays no reply, and its failure fails no message.

import { and, eq, inArray, sql } from 'drizzle-orm';
import { users } from '../../auth/schema.ts';
import type { Db } from '../../db/connect.ts';
import { chatTopic, userTopic } from '../../protocol/topics.ts';
import type { Actor } from '../../realtime/actor.ts';
import type { Announce } from '../../realtime/module.ts';
import { type LiveEvents, type Message, maxNotifiedMembers, previewLength } from './contract.ts';
import { unreadCount } from './rows.ts';
import { chatParticipants } from './schema.ts';

export interface Notices {
  /** Call it once the message is committed. Never waits, never fails. */
  tell(actor: Actor, message: Message): void;
}

export interface NoticesDeps {
  readonly db: Db;
  readonly announce: Announce;
  /** Whether the user has a connection that does not follow the topic. */
  readonly isAwayFrom: (userId: string, topic: string) => boolean;
  readonly onFailure: (error: unknown, what: string) => void;
}

export function createNotices({ db, announce, isAwayFrom, onFailure }: NoticesDeps): Notices {
  async function announceTo(actor: Actor, { id, chatId, content }: Message): Promise<void> {
    const topic = chatTopic(chatId);
    const members = await db
      .select({ userId: chatParticipants.userId })
      .from(chatParticipants)
      .where(eq(chatParticipants.chatId, chatId))
      .limit(maxNotifiedMembers + 1);
    if (members.length > maxNotifiedMembers) return;
    const away = members
      .map(({ userId }) => userId)
      .filter((userId) => userId !== actor.userId && isAwayFrom(userId, topic));
    if (away.length === 0) return;

    for (const { userId, unread, senderName } of await countUnread(db, chatId, actor.userId, away)) {
      const payload: LiveEvents['message.notified'] = {
        chatId,
        messageId: id,
        senderName,
        preview: [...(content ?? '')].slice(0, previewLength).join(''),
        unreadCount: unread,
      };
      announce({
        topic: userTopic(userId),
        type: 'message.notified',
        payload,
        actor,
        exceptFollowersOf: topic,
      });
    }
  }

  return {
    tell(actor, message) {
      announceTo(actor, message).catch((error) => onFailure(error, 'message.notified'));
    },
  };
}

/** One statement for all of them. Who left in between is not among the answers. */
async function countUnread(db: Db, chatId: string, senderId: string, userIds: readonly string[]) {
  const unread = unreadCount({
    chatId: sql`${chatParticipants.chatId}`,
    userId: sql`${chatParticipants.userId}`,
    lastReadSeq: sql`${chatParticipants.lastReadSeq}`,
  });
  return await db
    .select({ userId: chatParticipants.userId, unread: sql<number>`${unread}`, senderName: users.name })
    .from(chatParticipants)
    .innerJoin(users, eq(users.id, senderId))
    .where(and(eq(chatParticipants.chatId, chatId), inArray(chatParticipants.userId, [...userIds])));
}
