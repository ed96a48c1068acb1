// `message.notified`: tells members who are connected, but do not follow the chat, that something was said there.
// Ephemeral and beside the road of the messages: it delays no reply, and its failure fails no message. What was written
// together is asked about together.

import { inArray, sql } from 'drizzle-orm';
import { users } from '../../auth/schema.ts';
import { type Db, queryRows } from '../../db/database.ts';
import { type Actor, createBatcher, type ModuleCore } from '../../realtime/index.ts';
import { type Message, maxNotifiedMembers, previewLength } from './contract.ts';
import { chat, user } from './topics.ts';
import { countUnread, type Membership } from './unread.ts';

export interface Sent {
  readonly actor: Actor;
  readonly message: Message;
}

export interface Notices {
  /** Call it once the messages are committed. Never waits, never fails. */
  tell(sent: readonly Sent[]): void;
}

export type NoticesDeps = Pick<ModuleCore, 'db' | 'announce' | 'presence' | 'reporter'>;

/** So long at least what is told is gathered, once something was told: each time costs the database a query. */
const gatherMs = 50;
/** More than this may not wait: what a flood drops, the unread counts of the next notice tell. */
const maxWaiting = 10_000;

export function createNotices({ db, announce, presence, reporter }: NoticesDeps): Notices {
  /** Those of the users who have a connection, on any instance, that does not follow the topic. */
  async function findAway(topic: string, userIds: readonly string[]): Promise<string[]> {
    const [devices, following] = await Promise.all([presence.devicesOf(userIds), presence.list(topic)]);
    return userIds.filter((userId) => (devices.get(userId) ?? 0) > (following.get(userId) ?? 0));
  }

  async function announceAll(sent: readonly Sent[]): Promise<void> {
    const chatIds = [...new Set(sent.map(({ message }) => message.chatId))];
    const members = Map.groupBy(await readMembers(db, chatIds), ({ chatId }) => chatId);
    const reachable: Membership[] = [];
    for (const [chatId, inChat] of members) {
      const userIds = inChat.map(({ userId }) => userId);
      for (const userId of await findAway(chat.on(chatId).name, userIds)) reachable.push({ chatId, userId });
    }
    if (reachable.length === 0) return;
    const names = await readNames(db, [...new Set(sent.map(({ actor }) => actor.userId))]);
    // Who left in between is not among these.
    const unreadByChat = Map.groupBy(await countUnread(db, reachable), ({ chatId }) => chatId);
    for (const { actor, message } of sent) {
      for (const { userId, unread } of unreadByChat.get(message.chatId) ?? []) {
        if (userId === actor.userId) continue;
        const payload = {
          chatId: message.chatId,
          messageId: message.id,
          senderName: names.get(actor.userId) ?? '',
          preview: [...(message.content ?? '')].slice(0, previewLength).join(''),
          unreadCount: unread,
          mention: message.mentions.includes(userId),
        };
        const exceptHearersOf = { topic: chat.on(message.chatId).name, seq: message.seq };
        announce(user.on(userId), 'message.notified', payload, { actor, exceptHearersOf });
      }
    }
  }
  // One batch after another: notices keep the order of the messages.
  const add = createBatcher<Sent, void>({
    maxBatch: 1_000,
    maxWaiting,
    onFailure: (error) => reporter.report(error, 'message.notified'),
    async run(sent) {
      const told = announceAll(sent).catch((error: unknown) => reporter.report(error, 'message.notified'));
      await Promise.all([told, Bun.sleep(gatherMs)]);
      return { outcomes: sent.map(() => ({ isDone: true, result: undefined })) };
    },
  });
  return {
    tell(sent) {
      for (const one of sent) add(one).catch((error: unknown) => reporter.report(error, 'message.notified'));
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
