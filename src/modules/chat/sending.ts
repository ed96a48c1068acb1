// The hot path: messages of everyone who sends at the same time, in one transaction. Who may send is read behind the lock
// of the chat's topic, so a message and its sender's removal stand in the log in the order in which they counted.

import { type Db, runStatement, toList } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { isStorable } from '../../protocol/json.ts';
import { type GroupItem, grouped } from '../../realtime/index.ts';
import { blocked, noSuchChat } from './access.ts';
import { Message, type Metadata, maxMetadataBytes, SendMessage } from './contract.ts';
import { messagesPerMinute } from './limits.ts';
import { refuseMentions } from './mentions.ts';
import type { Notices } from './notices.ts';
import { chat } from './topics.ts';
import { asWritten, insertMessages } from './writer.ts';

/** A message but for its seq, which the log gives it. */
type UnsentMessage = Omit<Message, 'seq'>;

export const sendMessage = (notices: Notices) =>
  grouped('message.send', {
    summary: 'Send a message',
    tag: 'Messages',
    http: 'POST /chats/:chatId/messages',
    takesKey: true,
    limit: messagesPerMinute,
    input: SendMessage,
    output: Message,
    refuses: ['forbidden', 'not_found', 'conflict'],
    isMessage: true,
    check: ({ metadata }) => metadata && checkMetadata(metadata),
    event: 'message.created',
    topic: ({ chatId }) => chat.on(chatId),
    draft(actor, { chatId, content, metadata, mentions = [], replyTo = null }): UnsentMessage {
      return {
        id: Bun.randomUUIDv7(),
        chatId,
        senderId: actor.userId,
        content,
        messageType: 'text',
        metadata: metadata ?? null,
        replyTo,
        mentions, // as they came: a refusal says which one
        ...asWritten(),
      };
    },
    refuse,
    toOutput: (draft, seq) => ({ ...draft, mentions: once(draft.mentions), seq }),
    write: (messages) => [insertMessages(messages)],
    onCommitted: (written) => notices.tell(written.map(({ actor, output }) => ({ actor, message: output }))),
  });

const once = (userIds: string[]): string[] => (userIds.length > 1 ? [...new Set(userIds)] : userIds);

/** Looks up what is wrong, which is little: nobody asks twice for the same sender, and the rest answers nothing. */
async function refuse(tx: Db, items: readonly GroupItem<UnsentMessage>[]) {
  const senders = new Map(
    items.map(({ input: { chatId, senderId } }) => [`${chatId} ${senderId}`, { chatId, senderId }]),
  );
  const replies = items.flatMap(({ input: { chatId, replyTo } }) =>
    replyTo === null ? [] : [{ chatId, replyTo }],
  );
  const [silenced, lost, mentions] = await Promise.all([
    findSilenced(tx, [...senders.values()]),
    findLost(tx, replies),
    refuseMentions(
      tx,
      items.map(({ input }) => input),
    ),
  ]);
  if (silenced.size === 0 && lost.size === 0) return mentions;
  return items.map(({ input: { chatId, senderId, replyTo } }, index) => {
    const isBlocked = silenced.get(`${chatId} ${senderId}`);
    if (isBlocked !== undefined) return isBlocked ? blocked() : noSuchChat();
    return lost.has(`${chatId} ${replyTo}`) ? noSuchOriginal() : mentions[index];
  });
}

/** Those of the senders who may not write there: whether they are blocked in a direct chat, or else no members. */
async function findSilenced(
  tx: Db,
  senders: readonly { readonly chatId: string; readonly senderId: string }[],
): Promise<ReadonlyMap<string, boolean>> {
  const rows = await runStatement<{ chat: string; sender: string; is_blocked: boolean | null }>(tx, {
    name: 'find_silenced',
    // A scalar subquery looks each one up by primary key. A join or EXISTS, planned once while the tables are small, would
    // go on reading them whole when they have grown.
    text: `
      SELECT * FROM (
        SELECT chat, sender, (SELECT is_blocked FROM chat_participants WHERE chat_id = chat AND user_id = sender) AS is_blocked
        FROM unnest(string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')::uuid[]) AS asked(chat, sender)
      ) AS senders
      WHERE is_blocked IS NOT FALSE`,
    values: [toList(senders.map(({ chatId }) => chatId)), toList(senders.map(({ senderId }) => senderId))],
  });
  return new Map(rows.map(({ chat, sender, is_blocked }) => [`${chat} ${sender}`, is_blocked === true]));
}

/** Those of the originals that are not in the chat. */
async function findLost(
  tx: Db,
  replies: readonly { readonly chatId: string; readonly replyTo: string }[],
): Promise<ReadonlySet<string>> {
  if (replies.length === 0) return new Set();
  const rows = await runStatement<{ chat: string; original: string }>(tx, {
    name: 'find_lost',
    text: `
      SELECT chat, original
      FROM unnest(string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')::uuid[]) AS asked(chat, original)
      WHERE (SELECT true FROM messages WHERE id = original AND chat_id = chat) IS NULL`,
    values: [toList(replies.map(({ chatId }) => chatId)), toList(replies.map(({ replyTo }) => replyTo))],
  });
  return new Set(rows.map(({ chat, original }) => `${chat} ${original}`));
}

const noSuchOriginal = () =>
  new AppError('invalid', 'A reply must name a message of the same chat.', {
    fields: [{ path: '/replyTo', message: 'There is no such message in this chat' }],
  });

function checkMetadata(metadata: Metadata): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) > maxMetadataBytes) {
    throw invalidMetadata(`Expected at most ${maxMetadataBytes} bytes as JSON`);
  }
  if (!isStorable(metadata)) {
    throw invalidMetadata('Expected text without NUL and without halves of surrogate pairs');
  }
}

const invalidMetadata = (message: string) =>
  new AppError('invalid', `The metadata cannot be kept. ${message}.`, {
    fields: [{ path: '/metadata', message }],
  });
