// Chats as a whole: create, look at, rename.

import { and, eq, ne } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import type { Db } from '../../db/database.ts';
import { AppError, type FieldError } from '../../protocol/errors.ts';
import { command, type Emit, query } from '../../realtime/index.ts';
import { directKeyOf, findActiveUsers, lockGroupAsAdmin, noSuchChat, readChat } from './access.ts';
import { lockBlocks } from './blocks.ts';
import { Chat, CreateChat, GetChat, RenameChat } from './contract.ts';
import { chatsPerHour, messagesPerMinute } from './limits.ts';
import { chatParticipants, chats } from './schema.ts';
import { chat, user } from './topics.ts';
import { addMessage, systemMessage } from './writer.ts';

const tag = 'Chats';

export const createChat = command('chat.create', {
  summary: 'Create a group or a direct chat',
  description:
    'The creator is a member, and the admin of a group. A direct chat exists once for two users: creating it again, at ' +
    'once or later, answers the same chat.',
  tag,
  http: 'POST /chats',
  takesKey: true,
  limit: chatsPerHour,
  isFree: ({ actor, db }, input) => isThere(db, actor.userId, input),
  input: CreateChat,
  output: Chat,
  refuses: ['forbidden'],
  run: ({ actor, tx, emit }, input) =>
    input.type === 'group'
      ? createGroup(tx, emit, actor.userId, input)
      : createDirect(tx, emit, actor.userId, input),
});

export const getChat = query('chat.get', {
  summary: 'A chat and its members',
  tag,
  http: 'GET /chats/:chatId',
  input: GetChat,
  output: Chat,
  refuses: ['not_found'],
  async run({ actor, db }, { chatId }) {
    const found = await readChat(db, chatId);
    if (!found?.members.some(({ userId }) => userId === actor.userId)) throw noSuchChat();
    return found;
  },
});

export const renameChat = command('chat.rename', {
  summary: 'Rename a group, as its admin',
  tag,
  http: 'PATCH /chats/:chatId',
  limit: messagesPerMinute,
  input: RenameChat,
  output: Chat,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit }, { chatId, name }) {
    const { chat: face } = await lockGroupAsAdmin(tx, chatId, actor.userId);
    if (name !== face.name) {
      const updatedAt = new Date();
      await tx.update(chats).set({ name, updatedAt }).where(eq(chats.id, chatId));
      const content = `The group is now called “${name}”.`;
      await addMessage(
        tx,
        emit,
        chatId,
        systemMessage(actor.userId, content, { event: 'chat.renamed', name }),
      );
      emit(chat.on(chatId), 'chat.updated', { ...face, name, updatedAt: updatedAt.toISOString() });
    }
    return await readExisting(tx, chatId);
  },
});

/** A direct chat that is there already is not a new one. */
async function isThere(db: Db, creatorId: string, input: CreateChat): Promise<boolean> {
  if (input.type === 'group') return false;
  const directKey = directKeyOf(creatorId, input.participantIds[0] ?? '');
  const found = await db.select({ id: chats.id }).from(chats).where(eq(chats.directKey, directKey));
  return found.length > 0;
}

type Create<ChatType> = Extract<CreateChat, { type: ChatType }>;
type ChatRow = typeof chats.$inferSelect;

async function createGroup(tx: Db, emit: Emit, creatorId: string, input: Create<'group'>): Promise<Chat> {
  const { name, participantIds } = input;
  await requireUsers(tx, participantIds);
  const row = newChat(creatorId, { type: 'group', name, directKey: null });
  await tx.insert(chats).values(row);
  const memberIds = [...new Set([creatorId, ...participantIds])];
  await addFirstMembers(tx, emit, row, memberIds);
  emit(memberIds.map(user.on), 'chat.added', { chatId: row.id, type: 'group', name });
  return await readExisting(tx, row.id);
}

async function createDirect(tx: Db, emit: Emit, creatorId: string, input: Create<'direct'>): Promise<Chat> {
  const [otherId] = input.participantIds;
  if (otherId === undefined || otherId === creatorId) {
    throw invalidUsers([{ path: '/participantIds/0', message: 'Expected the id of another user' }]);
  }
  const directKey = directKeyOf(creatorId, otherId);
  const row = newChat(creatorId, { type: 'direct', name: null, directKey });
  // Whoever comes second waits here until the first one commits, and then finds that chat.
  const inserted = await tx
    .insert(chats)
    .values(row)
    .onConflictDoNothing({ target: chats.directKey })
    .returning({ id: chats.id });
  if (inserted.length === 0) {
    const [existing] = await tx.select({ id: chats.id }).from(chats).where(eq(chats.directKey, directKey));
    if (existing === undefined) throw new Error('A direct chat is there, but cannot be found by its key.');
    return await readExisting(tx, existing.id);
  }
  await requireUsers(tx, input.participantIds);
  const blocks = await lockBlocks(tx, creatorId, otherId);
  if (blocks.isMine) {
    throw new AppError('forbidden', 'You have blocked this user. Unblock them to talk to them.');
  }
  if (blocks.isTheirs) throw invalidUsers([noSuchUser(0)]); // who is blocked learns nothing of it
  await addFirstMembers(tx, emit, row, [creatorId, otherId]);
  for (const { userId, otherName } of await readPair(tx, row.id)) {
    emit(user.on(userId), 'chat.added', { chatId: row.id, type: 'direct', name: otherName });
  }
  return await readExisting(tx, row.id);
}

function newChat(createdBy: string, what: Pick<ChatRow, 'type' | 'name' | 'directKey'>): ChatRow {
  const now = new Date();
  return { id: Bun.randomUUIDv7(), ...what, createdBy, createdAt: now, updatedAt: now };
}

async function addFirstMembers(tx: Db, emit: Emit, row: ChatRow, userIds: readonly string[]): Promise<void> {
  await tx.insert(chatParticipants).values(
    userIds.map((userId) => ({
      chatId: row.id,
      userId,
      role: row.type === 'group' && userId === row.createdBy ? ('admin' as const) : ('member' as const),
      lastReadSeq: 0,
      joinedAt: row.createdAt,
    })),
  );
  const said = systemMessage(row.createdBy, 'The chat was created.', { event: 'chat.created' });
  await addMessage(tx, emit, row.id, said);
}

/** Each of the two in a direct chat, with the name of the other. */
async function readPair(tx: Db, chatId: string): Promise<{ userId: string; otherName: string }[]> {
  const other = alias(chatParticipants, 'other');
  return await tx
    .select({ userId: chatParticipants.userId, otherName: users.name })
    .from(chatParticipants)
    .innerJoin(
      other,
      and(eq(other.chatId, chatParticipants.chatId), ne(other.userId, chatParticipants.userId)),
    )
    .innerJoin(users, eq(users.id, other.userId))
    .where(eq(chatParticipants.chatId, chatId));
}

async function readExisting(tx: Db, chatId: string): Promise<Chat> {
  const found = await readChat(tx, chatId);
  if (found === undefined) throw new Error(`The chat ${chatId} is there, but has no members.`);
  return found;
}

/** Throws `invalid` unless each can be talked to: is there and not disabled. */
async function requireUsers(tx: Db, userIds: readonly string[]): Promise<void> {
  const active = await findActiveUsers(tx, userIds);
  const problems = userIds.flatMap((id, index) => (active.has(id) ? [] : [noSuchUser(index)]));
  if (problems.length > 0) throw invalidUsers(problems);
}

const noSuchUser = (index: number): FieldError => ({
  path: `/participantIds/${index}`,
  message: 'There is no such user',
});

const invalidUsers = (fields: FieldError[]) =>
  new AppError('invalid', 'Every participant must be another user of this server.', { fields });
