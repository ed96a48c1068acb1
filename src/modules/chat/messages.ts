// Messages once they are there: edit, delete, and how far each member has read.

import { and, eq } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { command, type Emit, readHeads } from '../../realtime/index.ts';
import { isParticipant, noSuchMessage, requireMember } from './access.ts';
import { DeleteMessage, EditMessage, Message, ReadMessages, ReadPosition } from './contract.ts';
import { messagesPerMinute, readsPerMinute } from './limits.ts';
import { type MessageRow, viewMessages } from './message-rows.ts';
import { chatParticipants, messages } from './schema.ts';
import { chat } from './topics.ts';
import { forgetWords } from './words.ts';

const tag = 'Messages';

export const editMessage = command('message.edit', {
  summary: 'Edit a message, as its sender',
  tag,
  http: 'PATCH /chats/:chatId/messages/:messageId',
  limit: messagesPerMinute,
  input: EditMessage,
  output: Message,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit }, { messageId, chatId, content }) {
    const { message } = await lockMessage(tx, actor.userId, messageId, chatId);
    if (message.senderId !== actor.userId || message.messageType !== 'text') {
      throw new AppError('forbidden', 'Only what you wrote yourself can be edited.');
    }
    if (message.deletedAt !== null) {
      throw new AppError('conflict', 'This message was deleted and can no longer be edited.');
    }
    return await change(tx, emit, 'message.edited', messageId, { content, editedAt: new Date() });
  },
});

export const deleteMessage = command('message.delete', {
  summary: 'Delete a message, as its sender or an admin',
  description: 'It keeps its place and loses its content. Deleting it again changes nothing.',
  tag,
  http: 'DELETE /chats/:chatId/messages/:messageId',
  limit: messagesPerMinute,
  input: DeleteMessage,
  output: Message,
  refuses: ['forbidden', 'not_found'],
  async run({ actor, tx, emit }, { messageId, chatId }) {
    const { message, role } = await lockMessage(tx, actor.userId, messageId, chatId);
    if (message.messageType === 'system') {
      throw new AppError('forbidden', 'What the system said cannot be deleted.');
    }
    if (message.senderId !== actor.userId && role !== 'admin') {
      throw new AppError('forbidden', 'Only its sender or an admin can delete a message.');
    }
    if (message.deletedAt !== null) return await viewOne(tx, message);
    const nothing = { content: null, metadata: null, deletedAt: new Date() };
    return await change(tx, emit, 'message.deleted', messageId, nothing);
  },
});

export const readMessages = command('message.read', {
  summary: 'Move my read position forward',
  description: 'A position behind the present one changes nothing.',
  tag,
  http: 'POST /chats/:chatId/read',
  limit: readsPerMinute,
  input: ReadMessages,
  output: ReadPosition,
  refuses: ['not_found'],
  async run({ actor, tx, emit }, { chatId, seq }) {
    const { userId } = actor;
    const { lastReadSeq } = await requireMember(tx, chatId, userId, 'no key update');
    if (seq <= lastReadSeq) return { chatId, userId, lastReadSeq };
    const on = chat.on(chatId);
    const head = (await readHeads(tx, [on.name])).get(on.name) ?? 0;
    if (seq > head) {
      const fields = [{ path: '/seq', message: `Expected at most ${head}` }];
      throw new AppError('invalid', `The newest event of this chat has seq ${head}.`, { fields });
    }
    await tx.update(chatParticipants).set({ lastReadSeq: seq }).where(isParticipant(chatId, userId));
    emit(on, 'message.read', { positions: { [userId]: seq } });
    return { chatId, userId, lastReadSeq: seq };
  },
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
  emit: Emit,
  type: 'message.edited' | 'message.deleted',
  messageId: string,
  values: Partial<typeof messages.$inferSelect>,
): Promise<Message> {
  const [row] = await tx.update(messages).set(values).where(eq(messages.id, messageId)).returning();
  if (row === undefined) throw new Error(`The message ${messageId} was locked, but is gone.`);
  await forgetWords(tx, messageId);
  const on = chat.on(row.chatId);
  await emit.seqOf(on); // behind the lock: its replies are counted as they stand at this place
  const message = await viewOne(tx, row);
  emit(on, type, message);
  return message;
}

async function viewOne(tx: Db, row: MessageRow): Promise<Message> {
  const [message] = await viewMessages(tx, [row]);
  if (message === undefined) throw new Error('A message was read, but not answered.');
  return message;
}
