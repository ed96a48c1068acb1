// Writes to the topic of one chat within one transaction. Everything on `chat:<id>` goes through here, because a message's
// row carries the seq of its own event: the writer counts what it emitted before.

import type { Db } from '../../db/connect.ts';
import { chatTopic, userTopic } from '../../protocol/topics.ts';
import type { Emit } from '../../realtime/log/commit.ts';
import { reserveSeq } from '../../realtime/log/event-log.ts';
import type { ChatEvents, Message, MessageType, Metadata, UserEvents } from './contract.ts';
import { toMessage } from './rows.ts';
import { messages } from './schema.ts';

export interface Draft {
  readonly id?: string;
  readonly senderId: string;
  readonly messageType: MessageType;
  readonly content: string;
  readonly metadata?: Metadata | undefined;
  readonly replyTo?: string | undefined;
}

export interface ChatWriter {
  /** `shutsOut` loses the topic behind this event, which must be the last one. [S7] */
  emit<Type extends keyof ChatEvents>(type: Type, payload: ChatEvents[Type], shutsOut?: string): void;
  /** Locks the topic until COMMIT, so that the next message's seq is known: call it late. */
  addMessage(draft: Draft): Promise<Message>;
}

/** One writer a transaction and chat: two would give the same seq twice, which the table refuses. */
export function writeTo(tx: Db, emit: Emit, chatId: string): ChatWriter {
  const topic = chatTopic(chatId);
  let emitted = 0;

  const writer: ChatWriter = {
    emit(type, payload, shutsOut) {
      emitted += 1;
      emit({ topic, type, payload, ...(shutsOut !== undefined && { shutsOut: [shutsOut] }) });
    },

    async addMessage({ id = Bun.randomUUIDv7(), metadata = null, replyTo = null, ...draft }) {
      const row: typeof messages.$inferSelect = {
        id,
        chatId,
        // Events get their seqs at COMMIT: until then the topic's head stays where it was.
        seq: (await reserveSeq(tx, topic)) + emitted,
        ...draft,
        metadata,
        replyTo,
        createdAt: new Date(),
        editedAt: null,
        deletedAt: null,
      };
      await tx.insert(messages).values(row);
      const message = toMessage(row);
      writer.emit('message.created', message);
      return message;
    },
  };
  return writer;
}

/** Tells users, on topics of their own, that they came into a chat or out of it. */
export function emitToUsers<Type extends keyof UserEvents>(
  emit: Emit,
  userIds: readonly string[],
  type: Type,
  payload: UserEvents[Type],
): void {
  emit({ topic: userIds.map(userTopic), type, payload });
}

/** What the system says in a chat. `metadata.event` tells clients that rather use words of their own. */
export function systemMessage(senderId: string, content: string, metadata: Metadata): Draft {
  return { senderId, messageType: 'system', content, metadata };
}
