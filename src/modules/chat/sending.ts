// The hot path: messages of everyone who sends at the same time, in one transaction. Who may send is read behind the lock
// of the chat's topic, so a message and its sender's removal stand in the log in the order in which they counted.

import { sql } from 'drizzle-orm';
import type { Audit } from '../../auth/audit.ts';
import { type Db, queryRows } from '../../db/connect.ts';
import { AppError } from '../../protocol/errors.ts';
import { chatTopic } from '../../protocol/topics.ts';
import type { Actor } from '../../realtime/actor.ts';
import type { Committed } from '../../realtime/log/commit.ts';
import type { CreateGroup, GroupItem } from '../../realtime/log/group-commit.ts';
import type { KeyedRequest } from '../../realtime/log/keys.ts';
import { noSuchChat } from './access.ts';
import type { Message, SendMessage } from './contract.ts';
import type { Notices } from './notices.ts';

export interface Sending {
  /** The order of calls is the order of messages. Throws `not_found` for everyone but members. */
  add(actor: Actor, input: SendMessage, request: KeyedRequest | undefined): Promise<Committed<Message>>;
}

export interface SendingDeps {
  readonly createGroup: CreateGroup;
  readonly audit: Pick<Audit, 'record'>;
  readonly notices: Notices;
}

/** A message but for its seq, which the log gives it. */
type UnsentMessage = Omit<Message, 'seq'>;

export function createSending({ createGroup, audit, notices }: SendingDeps): Sending {
  const add = createGroup<UnsentMessage, Message>({
    refuse,
    toValue: ({ input }, seq) => ({ ...input, seq }),
    toEvent: (_, message) => ({ type: 'message.created', payload: message }),
    async write(tx, messages) {
      const entries = messages.map(({ id, chatId, senderId }) => ({
        event: 'message_sent' as const,
        userId: senderId,
        details: { chatId, messageId: id },
      }));
      await Promise.all([insertMessages(tx, messages), audit.record(tx, ...entries)]);
    },
    onCommitted(written) {
      notices.tell(written.map(({ item, value }) => ({ actor: item.actor, message: value })));
    },
  });

  return {
    add: (actor, input, request) =>
      add({
        actor,
        topic: chatTopic(input.chatId),
        input: {
          id: Bun.randomUUIDv7(),
          chatId: input.chatId,
          senderId: actor.userId,
          content: input.content,
          messageType: 'text',
          metadata: input.metadata ?? null,
          replyTo: input.replyTo ?? null,
          createdAt: new Date().toISOString(),
          editedAt: null,
          deletedAt: null,
        },
        request,
      }),
  };
}

async function refuse(tx: Db, items: readonly GroupItem<UnsentMessage>[]) {
  const asked = items.map(({ input }) => ({
    chat: input.chatId,
    sender: input.senderId,
    reply: input.replyTo,
  }));
  const rows = await queryRows<{ is_member: boolean; has_original: boolean }>(
    tx,
    // Scalar subqueries look each one up by primary key. A join or EXISTS, planned once while the tables are small, would
    // go on reading them whole when they have grown.
    sql`
      SELECT
        (SELECT true FROM chat_participants WHERE chat_id = a.chat AND user_id = a.sender) IS TRUE AS is_member,
        a.reply IS NULL
          OR (SELECT true FROM messages WHERE id = a.reply AND chat_id = a.chat) IS TRUE AS has_original
      FROM ROWS FROM (json_to_recordset(${JSON.stringify(asked)}::json) AS (chat uuid, sender uuid, reply uuid))
        WITH ORDINALITY AS a(chat, sender, reply, n)
      ORDER BY a.n`,
    'find_senders',
  );
  return items.map((_, index) => {
    const row = rows[index];
    if (!row?.is_member) return noSuchChat();
    return row.has_original ? undefined : noSuchOriginal();
  });
}

async function insertMessages(tx: Db, messages: readonly Message[]): Promise<void> {
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
}

const noSuchOriginal = () =>
  new AppError('invalid', 'A reply must name a message of the same chat.', {
    fields: [{ path: '/replyTo', message: 'There is no such message in this chat' }],
  });
