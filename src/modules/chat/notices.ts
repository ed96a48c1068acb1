// `message.notified`: tells members who are connected, but do not follow the chat, that something was said there: in a large
// chat those who are mentioned, and of a muted one as its member wants it.
// Ephemeral and beside the road of the messages: it delays no reply, and its failure fails no message. What was written
// together is asked about together.

import { inArray, sql } from 'drizzle-orm';
import { users } from '../../auth/schema.ts';
import { type Db, queryRows } from '../../db/database.ts';
import { type Actor, createBatcher, type ModuleCore } from '../../realtime/index.ts';
import { type Message, maxNotifiedMembers, previewLength } from './contract.ts';
import { presentlyMuted } from './settings.ts';
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

/** Each time costs the database a query: the more there was to tell, the longer what comes next is gathered, up to so long. */
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
    const listeners = await readListeners(db, sent);
    const toldOf = new Map(listeners.map(({ chatId, userId, toldOf }) => [`${chatId} ${userId}`, toldOf]));
    const reachable: Membership[] = [];
    for (const [chatId, inChat] of Map.groupBy(listeners, ({ chatId }) => chatId)) {
      const userIds = inChat.map(({ userId }) => userId);
      for (const userId of await findAway(chat.on(chatId).name, userIds)) reachable.push({ chatId, userId });
    }
    if (reachable.length === 0) return;
    const names = await readNames(db, [...new Set(sent.map(({ actor }) => actor.userId))]);
    // Who left in between is not among these.
    const unreadByChat = Map.groupBy(await countUnread(db, reachable), ({ chatId }) => chatId);
    for (const { actor, message } of sent) {
      for (const { userId, unread } of unreadByChat.get(message.chatId) ?? []) {
        const mention = message.mentions.includes(userId);
        const isMeant = mention || toldOf.get(`${message.chatId} ${userId}`) === 'everything';
        if (userId === actor.userId || !isMeant) continue;
        const payload = {
          chatId: message.chatId,
          messageId: message.id,
          senderName: names.get(actor.userId) ?? '',
          preview: [...(message.content ?? '')].slice(0, previewLength).join(''),
          unreadCount: unread,
          mention,
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
      await Promise.all([told, sent.length > 1 ? Bun.sleep(Math.min(sent.length, gatherMs)) : undefined]);
      return { outcomes: sent.map(() => ({ isDone: true, result: undefined })) };
    },
  });
  return {
    tell(sent) {
      for (const one of sent) add(one).catch((error: unknown) => reporter.report(error, 'message.notified'));
    },
  };
}

interface Listener extends Membership {
  readonly toldOf: 'everything' | 'mentions';
}

/** The members who may be told of some of it: those of large chats only where something mentions them, and no one who muted all. */
async function readListeners(db: Db, sent: readonly Sent[]): Promise<Listener[]> {
  const chatIds = [...new Set(sent.map(({ message }) => message.chatId))];
  const mentioned = [...new Set(sent.flatMap(({ message }) => message.mentions))];
  return await queryRows<Listener>(
    db,
    sql`
      SELECT chat_id AS "chatId", user_id AS "userId",
        CASE WHEN members <= ${maxNotifiedMembers} AND muted = 'none' THEN 'everything' ELSE 'mentions' END AS "toldOf"
      FROM (
        SELECT chat_id, user_id, count(*) OVER (PARTITION BY chat_id) AS members,
          ${presentlyMuted} AS muted
        FROM chat_participants
        WHERE chat_id IN (SELECT json_array_elements_text(${JSON.stringify(chatIds)}::json)::uuid)
      ) AS counted
      WHERE muted <> 'all' AND (
        members <= ${maxNotifiedMembers} AND muted = 'none'
        OR user_id IN (SELECT json_array_elements_text(${JSON.stringify(mentioned)}::json)::uuid)
      )`,
  );
}

async function readNames(db: Db, userIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await db
    .select({ id: users.id, name: users.name })
    .from(users)
    .where(inArray(users.id, [...userIds]));
  return new Map(rows.map(({ id, name }) => [id, name]));
}
