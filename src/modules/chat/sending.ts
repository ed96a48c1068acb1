// The hot path: messages of everyone who sends at the same time, in one transaction. Who may send is read behind the lock
// of the chat's topic, so a message and its sender's removal stand in the log in the order in which they counted.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
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
    toOutput: (draft, seq) => ({ ...draft, mentions: [...new Set(draft.mentions)], seq }),
    write: insertMessages,
    audit: ({ id, chatId, senderId }) => ({
      event: 'message_sent',
      userId: senderId,
      details: { chatId, messageId: id },
    }),
    onCommitted: (written) => notices.tell(written.map(({ actor, output }) => ({ actor, message: output }))),
  });

async function refuse(tx: Db, items: readonly GroupItem<UnsentMessage>[]) {
  const asked = items.map(({ input }) => ({
    chat: input.chatId,
    sender: input.senderId,
    reply: input.replyTo,
  }));
  const rows = await queryRows<{ is_blocked: boolean | null; has_original: boolean }>(
    tx,
    // Scalar subqueries look each one up by primary key. A join or EXISTS, planned once while the tables are small, would
    // go on reading them whole when they have grown.
    sql`
      SELECT
        (SELECT is_blocked FROM chat_participants WHERE chat_id = a.chat AND user_id = a.sender) AS is_blocked,
        a.reply IS NULL
          OR (SELECT true FROM messages WHERE id = a.reply AND chat_id = a.chat) IS TRUE AS has_original
      FROM ROWS FROM (json_to_recordset(${JSON.stringify(asked)}::json) AS (chat uuid, sender uuid, reply uuid))
        WITH ORDINALITY AS a(chat, sender, reply, n)
      ORDER BY a.n`,
    'find_senders',
  );
  const strangers = await refuseMentions(
    tx,
    items.map(({ input }) => input),
  );
  return items.map((_, index) => {
    const row = rows[index];
    if (row === undefined || row.is_blocked === null) return noSuchChat(); // no member
    if (row.is_blocked) return blocked();
    return row.has_original ? strangers[index] : noSuchOriginal();
  });
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
