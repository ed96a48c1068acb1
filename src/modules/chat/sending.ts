// The hot path: messages of everyone who sends at the same time, in one transaction. Who may send is read behind the lock
// of the chat's topic, so a message and its sender's removal stand in the log in the order in which they counted.

import { type Db, runStatement, toList } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { type GroupItem, grouped } from '../../realtime/index.ts';
import { noSuchChat } from './access.ts';
import { Message, type Metadata, maxMetadataBytes, SendMessage } from './contract.ts';
import { messagesPerMinute } from './limits.ts';
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
    refuses: ['not_found', 'conflict'],
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
        mentions: [...new Set(mentions)],
        ...asWritten(),
      };
    },
    refuse,
    toOutput: (draft, seq) => ({ ...draft, seq }),
    write: (messages) => [insertMessages(messages)],
    onCommitted: (written) => notices.tell(written.map(({ actor, output }) => ({ actor, message: output }))),
  });

/** Looks up what is wrong, which is little: nobody asks twice for the same sender, and the rest answers nothing. */
async function refuse(tx: Db, items: readonly GroupItem<UnsentMessage>[]) {
  const senders = new Map(
    items.map(({ input: { chatId, senderId } }) => [`${chatId} ${senderId}`, { chatId, senderId }]),
  );
  const replies = items.flatMap(({ input: { chatId, replyTo } }) =>
    replyTo === null ? [] : [{ chatId, replyTo }],
  );
  const [strangers, lost] = await Promise.all([
    findStrangers(tx, [...senders.values()]),
    findLost(tx, replies),
  ]);
  if (strangers.size === 0 && lost.size === 0) return [];
  return items.map(({ input: { chatId, senderId, replyTo } }) => {
    if (strangers.has(`${chatId} ${senderId}`)) return noSuchChat();
    return lost.has(`${chatId} ${replyTo}`) ? noSuchOriginal() : undefined;
  });
}

/** Those of the senders who are no members of the chat. */
async function findStrangers(
  tx: Db,
  senders: readonly { readonly chatId: string; readonly senderId: string }[],
): Promise<ReadonlySet<string>> {
  const rows = await runStatement<{ chat: string; sender: string }>(tx, {
    name: 'find_strangers',
    // A scalar subquery looks each one up by primary key. A join or EXISTS, planned once while the tables are small, would
    // go on reading them whole when they have grown.
    text: `
      SELECT chat, sender
      FROM unnest(string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')::uuid[]) AS asked(chat, sender)
      WHERE (SELECT true FROM chat_participants WHERE chat_id = chat AND user_id = sender) IS NULL`,
    values: [toList(senders.map(({ chatId }) => chatId)), toList(senders.map(({ senderId }) => senderId))],
  });
  return new Set(rows.map(({ chat, sender }) => `${chat} ${sender}`));
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

/** It is kept as jsonb, which takes neither NUL nor half a surrogate pair, in keys nor values. */
function checkMetadata(metadata: Metadata): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) > maxMetadataBytes) {
    throw invalidMetadata(`Expected at most ${maxMetadataBytes} bytes as JSON`);
  }
  let isStorable = true;
  JSON.stringify(metadata, (key, value: unknown) => {
    isStorable &&= isText(key) && (typeof value !== 'string' || isText(value));
    return value;
  });
  if (!isStorable) throw invalidMetadata('Expected text without NUL and without halves of surrogate pairs');
}

const isText = (value: string): boolean => !value.includes('\0') && value.isWellFormed();

const invalidMetadata = (message: string) =>
  new AppError('invalid', `The metadata cannot be kept. ${message}.`, {
    fields: [{ path: '/metadata', message }],
  });
