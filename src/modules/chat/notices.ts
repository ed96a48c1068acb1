// `message.notified`: tells members who are connected, but do not follow the chat, that something was said there.
// Ephemeral and beside the road of the messages: it delays no reply, and its failure fails no message. What was written
// together is asked about together.

import { inArray, sql } from 'drizzle-orm';
import { users } from '../../auth/schema.ts';
import { type Db, queryRows } from '../../db/connect.ts';
import { chatTopic, userTopic } from '../../protocol/topics.ts';
import type { Actor } from '../../realtime/actor.ts';
import { createBatcher } from '../../realtime/log/batcher.ts';
import type { Announce } from '../../realtime/module.ts';
import { type LiveEvents, type Message, maxNotifiedMembers, previewLength } from './contract.ts';
import { countUnread, type Membership } from './unread.ts';

export interface Sent {
  readonly actor: Actor;
  readonly message: Message;
}

export interface Notices {
  /** Call it once the messages are committed. Never waits, never fails. */
  tell(sent: readonly Sent[]): void;
}

export interface NoticesDeps {
  readonly db: Db;
  readonly announce: Announce;
  /** Those of the users who have a connection, on any instance, that does not follow the topic. */
  readonly findAway: (topic: string, userIds: readonly string[]) => Promise<readonly string[]>;
  readonly onFailure: (error: unknown, what: string) => void;
}

/** More than this may not wait: what a flood drops, the unread counts of the next notice tell. */
const maxWaiting = 10_000;

export function createNotices({ db, announce, findAway, onFailure }: NoticesDeps): Notices {
  async function announceAll(sent: readonly Sent[]): Promise<void> {
    const chatIds = [...new Set(sent.map(({ message }) => message.chatId))];
    const members = Map.groupBy(await readMembers(db, chatIds), ({ chatId }) => chatId);
    const reachable: Membership[] = [];
    for (const [chatId, inChat] of members) {
      const userIds = inChat.map(({ userId }) => userId);
      for (const userId of await findAway(chatTopic(chatId), userIds)) reachable.push({ chatId, userId });
    }
    if (reachable.length === 0) return;
    const names = await readNames(db, [...new Set(sent.map(({ actor }) => actor.userId))]);
    // Who left in between is not among these.
    const unreadByChat = Map.groupBy(await countUnread(db, reachable), ({ chatId }) => chatId);
    for (const { actor, message } of sent) {
      for (const { userId, unread } of unreadByChat.get(message.chatId) ?? []) {
        if (userId === actor.userId) continue;
        const payload: LiveEvents['message.notified'] = {
          chatId: message.chatId,
          messageId: message.id,
          senderName: names.get(actor.userId) ?? '',
          preview: [...(message.content ?? '')].slice(0, previewLength).join(''),
          unreadCount: unread,
        };
        announce({
          topic: userTopic(userId),
          type: 'message.notified',
          payload,
          actor,
          exceptHearersOf: { topic: chatTopic(message.chatId), seq: message.seq },
        });
      }
    }
  }
  // One batch after another: notices keep the order of the messages.
  const add = createBatcher<Sent, void>({
    maxBatch: 1_000,
    maxWaiting,
    onFailure: (error) => onFailure(error, 'message.notified'),
    async run(sent) {
      await announceAll(sent).catch((error: unknown) => onFailure(error, 'message.notified'));
      return { outcomes: sent.map(() => ({ isDone: true, result: undefined })) };
    },
  });
  return {
    tell(sent) {
      for (const one of sent) add(one).catch((error: unknown) => onFailure(error, 'message.notified'));
    },
  };
}

/** Of chats that are not too large to notify everyone. */
async function readMembers(db: Db, chatIds: readonly string[]): Promise<Membership[]> {
  return await queryRows<Membership>(
    db,
    sql`
      SELECT chat_id AS "chatId", user_id AS "userId" FROM (
        SELECT chat_id, user_id, count(*) OVER (PARTITION BY chat_id) AS members
        FROM chat_participants
        WHERE chat_id IN (SELECT json_array_elements_text(${JSON.stringify(chatIds)}::json)::uuid)
      ) AS counted
      WHERE members <= ${maxNotifiedMembers}`,
  );
}

async function readNames(db: Db, userIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await db
    .select({ id: users.id, name: users.name })
    .from(users)
    .where(inArray(users.id, [...userIds]));
  return new Map(rows.map(({ id, name }) => [id, name]));
}
