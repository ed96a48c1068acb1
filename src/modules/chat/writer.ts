// How a message comes to be inside of a transaction: its row carries the seq of its own `message.created`.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import type { Emit } from '../../realtime/index.ts';
import type { Message, MessageType, Metadata } from './contract.ts';
import { storeMentions } from './mentions.ts';
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
  await insertMessages(tx, [message]);
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

export async function insertMessages(tx: Db, messages: readonly Message[]): Promise<void> {
  const rows = messages.map((message) => ({
    id: message.id,
    chat_id: message.chatId,
    seq: message.seq,
    sender_id: message.senderId,
    content: message.content,
    message_type: message.messageType,
    metadata: message.metadata,
    reply_to: message.replyTo,
    created_at: message.createdAt,
  }));
  await queryRows(
    tx,
    sql`
      INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, metadata, reply_to, created_at)
      SELECT id, chat_id, seq, sender_id, content, message_type, nullif(metadata, 'null'), reply_to, created_at
      FROM json_to_recordset(${JSON.stringify(rows)}::json) AS m(id uuid, chat_id uuid, seq bigint, sender_id uuid,
        content text, message_type text, metadata jsonb, reply_to uuid, created_at timestamptz)`,
    'insert_messages',
  );
  await storeMentions(tx, messages);
}
