// Messages: send, edit, delete, list, and how far each member has read.

import { and, asc, desc, eq, gt, lt } from 'drizzle-orm';
import type { RateLimits } from '../../auth/rate-limits.ts';
import type { Db } from '../../db/connect.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize, type Page } from '../../protocol/paging.ts';
import { chatTopic } from '../../protocol/topics.ts';
import type { Actor } from '../../realtime/actor.ts';
import { type Commit, type Committed, keyedBy } from '../../realtime/commit.ts';
import { readHeads } from '../../realtime/event-log.ts';
import { takeOrRepeat } from '../../realtime/keys.ts';
import { isParticipant, requireMember } from './access.ts';
import {
  type DeleteMessage,
  type EditMessage,
  type Message,
  type MessagesQuery,
  type Metadata,
  maxMetadataBytes,
  type ReadMessages,
  type ReadPosition,
  type SendMessage,
} from './contract.ts';
import { toMessage } from './rows.ts';
import { chatParticipants, messages } from './schema.ts';
import type { Sending } from './sending.ts';
import { type ChatWriter, writeTo } from './writer.ts';

export interface Messages {
  /** In a group commit: messages are written in the order in which they `entered` it. */
  send(
    actor: Actor,
    input: SendMessage,
    key: string | undefined,
    entered?: () => void,
  ): Promise<Committed<Message>>;
  /** By the sender. */
  edit(actor: Actor, input: EditMessage): Promise<Committed<Message>>;
  /** By the sender or an admin. The message keeps its place and loses its content; deleted again, it stays as it is. */
  remove(actor: Actor, input: DeleteMessage): Promise<Committed<Message>>;
  /** Only moves forward: a position behind the actor's own changes nothing. */
  read(actor: Actor, input: ReadMessages): Promise<Committed<ReadPosition>>;
  list(actor: Actor, chatId: string, query: MessagesQuery): Promise<Page<Message>>;
}

export interface MessagesDeps {
  readonly db: Db;
  readonly commit: Commit;
  readonly limits: Pick<RateLimits, 'takeMessage' | 'takeRead'>;
  readonly sending: Sending;
}

export function createMessages({ db, commit, limits, sending }: MessagesDeps): Messages {
  return {
    async send(actor, input, key, entered) {
      const { metadata } = input;
      // First of all: behind a key it would be hashed for every request, also for those that the limit does not let pass.
      if (metadata !== undefined) checkMetadata(metadata);
      const request = keyedBy(actor, { operation: 'message.send', key, body: input });
      const first = await takeOrRepeat<Message>(db, request, () => limits.takeMessage(actor.userId));
      if (first !== undefined) return { ...first, isRepeat: true };
      const sent = sending.add(actor, input, request);
      entered?.();
      return await sent;
    },

    async edit(actor, { messageId, chatId, content }) {
      await limits.takeMessage(actor.userId);
      return await commit(actor, async (tx, emit) => {
        const { message } = await lockMessage(tx, actor.userId, messageId, chatId);
        if (message.senderId !== actor.userId || message.messageType !== 'text') {
          throw new AppError('forbidden', 'Only what you wrote yourself can be edited.');
        }
        if (message.deletedAt !== null) {
          throw new AppError('conflict', 'This message was deleted and can no longer be edited.');
        }
        const writer = writeTo(tx, emit, message.chatId);
        return await change(tx, writer, 'message.edited', messageId, { content, editedAt: new Date() });
      });
    },

    async remove(actor, { messageId, chatId }) {
      await limits.takeMessage(actor.userId);
      return await commit(actor, async (tx, emit) => {
        const { message, role } = await lockMessage(tx, actor.userId, messageId, chatId);
        if (message.messageType === 'system') {
          throw new AppError('forbidden', 'What the system said cannot be deleted.');
        }
        if (message.senderId !== actor.userId && role !== 'admin') {
          throw new AppError('forbidden', 'Only its sender or an admin can delete a message.');
        }
        if (message.deletedAt !== null) return toMessage(message);
        const writer = writeTo(tx, emit, message.chatId);
        const nothing = { content: null, metadata: null, deletedAt: new Date() };
        return await change(tx, writer, 'message.deleted', messageId, nothing);
      });
    },

    async read(actor, { chatId, seq }) {
      await limits.takeRead(actor.userId);
      return await commit(actor, async (tx, emit) => {
        const { userId } = actor;
        const { lastReadSeq } = await requireMember(tx, chatId, userId, 'no key update');
        if (seq <= lastReadSeq) return { chatId, userId, lastReadSeq };
        const topic = chatTopic(chatId);
        const head = (await readHeads(tx, [topic])).get(topic) ?? 0;
        if (seq > head) {
          const fields = [{ path: '/seq', message: `Expected at most ${head}` }];
          throw new AppError('invalid', `The newest event of this chat has seq ${head}.`, { fields });
        }
        await tx.update(chatParticipants).set({ lastReadSeq: seq }).where(isParticipant(chatId, userId));
        writeTo(tx, emit, chatId).emit('message.read', { userId, seq });
        return { chatId, userId, lastReadSeq: seq };
      });
    },

    async list(actor, chatId, { before, after, limit = defaultPageSize }) {
      const isForward = after !== undefined;
      const rows = await db
        .select()
        .from(messages)
        .where(
          and(
            eq(messages.chatId, chatId),
            before === undefined ? undefined : lt(messages.seq, before),
            after === undefined ? undefined : gt(messages.seq, after),
          ),
        )
        .orderBy(isForward ? asc(messages.seq) : desc(messages.seq))
        .limit(limit + 1);
      // Behind the reading: asked before it, a member who is removed in between would read what was said later.
      await requireMember(db, chatId, actor.userId);
      const shown = rows.slice(0, limit).map(toMessage);
      const last = shown.at(-1);
      return {
        items: isForward ? shown : shown.reverse(),
        nextCursor: rows.length > limit && last !== undefined ? String(last.seq) : null,
      };
    },
  };
}

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

/** Keeps the actor a member and the message as it is until COMMIT. Throws `not_found` where the actor sees none. */
async function lockMessage(tx: Db, userId: string, messageId: string, chatId: string | undefined) {
  const isIt = and(
    eq(messages.id, messageId),
    chatId === undefined ? undefined : eq(messages.chatId, chatId),
  );
  const [member] = await tx
    .select({ role: chatParticipants.role })
    .from(messages)
    .innerJoin(
      chatParticipants,
      and(eq(chatParticipants.chatId, messages.chatId), eq(chatParticipants.userId, userId)),
    )
    .where(isIt)
    .for('share', { of: chatParticipants });
  if (member === undefined) throw noSuchMessage();
  const [message] = await tx.select().from(messages).where(isIt).for('no key update');
  if (message === undefined) throw noSuchMessage();
  return { message, role: member.role };
}

async function change(
  tx: Db,
  writer: ChatWriter,
  type: 'message.edited' | 'message.deleted',
  messageId: string,
  values: Partial<typeof messages.$inferSelect>,
): Promise<Message> {
  const [row] = await tx.update(messages).set(values).where(eq(messages.id, messageId)).returning();
  if (row === undefined) throw new Error(`The message ${messageId} was locked, but is gone.`);
  const message = toMessage(row);
  writer.emit(type, message);
  return message;
}

const noSuchMessage = () => new AppError('not_found', 'There is no such message in your chats.');
