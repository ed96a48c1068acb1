// How a message comes to be inside of a transaction: its row carries the seq of its own `message.created`.

import { type Db, runStatement, type Statement, toList } from '../../db/database.ts';
import type { Emit } from '../../realtime/index.ts';
import type { Message, MessageType, Metadata } from './contract.ts';
import { chat } from './topics.ts';

export interface Draft {
  readonly senderId: string;
  readonly messageType: MessageType;
  readonly content: string;
  readonly metadata?: Metadata | undefined;
}

/** Locks the topic until COMMIT, so that the seq is known: call it late. */
export async function addMessage(tx: Db, emit: Emit, chatId: string, draft: Draft): Promise<Message> {
  const on = chat.on(chatId);
  const message: Message = {
    id: Bun.randomUUIDv7(),
    chatId,
    seq: await emit.seqOf(on),
    metadata: null,
    replyTo: null,
    mentions: [],
    ...draft,
    ...asWritten(),
  };
  await runStatement(tx, insertMessages([message]));
  emit(on, 'message.created', message);
  return message;
}

/** What a message has of its own accord when it is written. */
export const asWritten = () => ({
  replyCount: 0,
  reactions: [],
  createdAt: new Date().toISOString(),
  editedAt: null,
  deletedAt: null,
});

/** What the system says in a chat. `metadata.event` tells clients that rather use words of their own. */
export function systemMessage(senderId: string, content: string, metadata: Metadata): Draft {
  return { senderId, messageType: 'system', content, metadata };
}

/** What writes the rows of messages, many at once. */
export function insertMessages(messages: readonly Message[]): Statement {
  const list = (read: (message: Message) => string | number | null) =>
    toList(messages.map((message) => read(message) ?? ''));
  return {
    name: 'insert_messages',
    text: `
      INSERT INTO messages (
        id, chat_id, seq, sender_id, content, message_type, created_at, reply_to, metadata, mentions
      )
      SELECT id, chat_id, seq, sender_id, content, message_type, created_at,
        nullif(reply_to, '')::uuid, nullif(metadata, '')::jsonb, nullif(mentions, '')::uuid[]
      FROM unnest(
        string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')::uuid[],
        string_to_array($3, E'\\x1f')::bigint[], string_to_array($4, E'\\x1f')::uuid[],
        string_to_array($5, E'\\x1f'), string_to_array($6, E'\\x1f'), string_to_array($7, E'\\x1f')::timestamptz[],
        string_to_array($8, E'\\x1f'), string_to_array($9, E'\\x1f'), string_to_array($10, E'\\x1f')
      ) AS m(id, chat_id, seq, sender_id, content, message_type, created_at, reply_to, metadata, mentions)`,
    values: [
      list(({ id }) => id),
      list(({ chatId }) => chatId),
      list(({ seq }) => seq),
      list(({ senderId }) => senderId),
      list(({ content }) => content),
      list(({ messageType }) => messageType),
      list(({ createdAt }) => createdAt),
      list(({ replyTo }) => replyTo),
      list(({ metadata }) => metadata && JSON.stringify(metadata)),
      list(({ mentions }) => (mentions.length > 0 ? `{${mentions}}` : null)),
    ],
  };
}
