// Messages once they are there: edit, delete.

import { and, eq } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { command, type Emit } from '../../realtime/index.ts';
import { noSuchMessage } from './access.ts';
import { DeleteMessage, EditMessage, Message } from './contract.ts';
import { forgetResult, rewritesOf } from './forgetting.ts';
import { messagesPerMinute } from './limits.ts';
import { type MessageRow, viewMessages } from './message-rows.ts';
import { chatParticipants, messageReactions, messages } from './schema.ts';
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
  async run({ actor, tx, emit, audit }, { messageId, chatId, content }) {
    const { message } = await lockMessage(tx, actor.userId, messageId, chatId);
    if (message.senderId !== actor.userId || message.messageType !== 'text') {
      throw new AppError('forbidden', 'Only what you wrote yourself can be edited.');
    }
    if (message.deletedAt !== null) {
      throw new AppError('conflict', 'This message was deleted and can no longer be edited.');
    }
    await audit('message_edited', { chatId: message.chatId, messageId });
    return await change(tx, emit, 'message.edited', message, { content, editedAt: new Date() });
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
  async run({ actor, tx, emit, audit }, { messageId, chatId }) {
    const { message, role } = await lockMessage(tx, actor.userId, messageId, chatId);
    if (message.messageType !== 'text') {
      throw new AppError('forbidden', 'What the system said cannot be deleted, and no offer either.');
    }
    if (message.senderId !== actor.userId && role !== 'admin') {
      throw new AppError('forbidden', 'Only its sender or an admin can delete a message.');
    }
    if (message.deletedAt !== null) return await viewOne(tx, message);
    await audit('message_deleted', { chatId: message.chatId, messageId });
    await tx.delete(messageReactions).where(eq(messageReactions.messageId, messageId));
    const nothing = { content: null, metadata: null, deletedAt: new Date() };
    return await change(tx, emit, 'message.deleted', message, nothing);
  },
});

/** Keeps the actor a member and the message as it is until COMMIT. Throws `not_found` where the actor sees none. */
export async function lockMessage(tx: Db, userId: string, messageId: string, chatId: string | undefined) {
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

/** Writes the message, whose row is locked, as it is from now on, and takes what it was out of what is kept. [O5] */
async function change(
  tx: Db,
  emit: Emit,
  type: 'message.edited' | 'message.deleted',
  row: MessageRow,
  values: Partial<MessageRow>,
): Promise<Message> {
  const changed = { ...row, ...values };
  await forgetResult(tx, changed);
  const on = chat.on(row.chatId);
  const seq = await emit.seqOf(on);
  const editSeq = type === 'message.edited' ? seq : row.editSeq;
  await tx
    .update(messages)
    .set({ ...values, editSeq })
    .where(eq(messages.id, row.id));
  await forgetWords(tx, row.id);
  const message = await viewOne(tx, changed); // behind the lock: its replies are counted as they stand at this place
  emit(on, type, message, { rewrites: await rewritesOf(tx, on.name, changed, row.editSeq) });
  return message;
}

async function viewOne(tx: Db, row: MessageRow): Promise<Message> {
  const [message] = await viewMessages(tx, [row]);
  if (message === undefined) throw new Error('A message was read, but not answered.');
  return message;
}
