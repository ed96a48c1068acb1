// Who belongs to a group: add, promote, remove, leave. A group with members always has an admin.
// Every change holds the lock of the group, so that two at once cannot break that.

import { and, asc, eq } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { command, type Emit, type OnUserDeleted } from '../../realtime/index.ts';
import { findActiveUsers, isParticipant, lockGroup, lockGroupAsAdmin } from './access.ts';
import {
  AddMember,
  ChangeRole,
  Departure,
  Member,
  type MemberRole,
  maxMembers,
  RemoveMember,
} from './contract.ts';
import { messagesPerMinute } from './limits.ts';
import { toMember } from './rows.ts';
import { chatParticipants, chats } from './schema.ts';
import { chat, user } from './topics.ts';
import { addMessage, systemMessage } from './writer.ts';

const tag = 'Chats';

export const addMember = command('member.add', {
  summary: 'Add a member to a group, as its admin',
  tag,
  http: 'POST /chats/:chatId/members',
  takesKey: true,
  limit: messagesPerMinute,
  input: AddMember,
  output: Member,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit, audit }, { chatId, userId }) {
    const { name } = await lockGroupAsAdmin(tx, chatId, actor.userId);
    await requireRoomFor(tx, chatId, userId);
    const said = await addMessage(
      tx,
      emit,
      chatId,
      systemMessage(actor.userId, 'A member joined.', { event: 'member.joined', userId }),
    );
    // What was said before is not unread for who comes now.
    const joined = { chatId, userId, role: 'member' as const, lastReadSeq: said.seq, joinedAt: new Date() };
    await tx.insert(chatParticipants).values(joined);
    await audit('member_added', { chatId, userId });
    const member = toMember(joined);
    emit(chat.on(chatId), 'member.joined', member);
    emit(user.on(userId), 'chat.added', { chatId, type: 'group', name });
    return member;
  },
});

export const changeRole = command('member.update', {
  summary: 'Make a member an admin, or no longer one',
  tag,
  http: 'PATCH /chats/:chatId/members/:userId',
  limit: messagesPerMinute,
  input: ChangeRole,
  output: Member,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit, audit }, { chatId, userId, role }) {
    await lockGroupAsAdmin(tx, chatId, actor.userId);
    const members = await readMembers(tx, chatId);
    const member = members.find((candidate) => candidate.userId === userId);
    if (member === undefined) throw noSuchMember();
    if (member.role === role) return member;
    if (members.filter(isAdmin).length === 1 && member.role === 'admin') {
      throw new AppError('conflict', 'A group needs an admin. Promote another member first.');
    }
    await setRole(tx, chatId, userId, role);
    await audit('member_updated', { chatId, userId, role });
    emit(chat.on(chatId), 'member.updated', { userId, role });
    return { ...member, role };
  },
});

/** The member hears nothing of the chat behind this. [S7] */
export const removeMember = command('member.remove', {
  summary: 'Remove a member as an admin, or leave',
  description: 'When the last admin leaves, the member who joined first becomes one.',
  tag,
  http: 'DELETE /chats/:chatId/members/:userId',
  limit: messagesPerMinute,
  // Whoever wants to leave may: to leave again takes someone who brings them back.
  isFree: ({ actor }, { userId }) => userId === actor.userId,
  input: RemoveMember,
  output: Departure,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit, audit }, { chatId, userId }) {
    const isLeaving = userId === actor.userId;
    await (isLeaving ? lockGroup(tx, chatId, userId) : lockGroupAsAdmin(tx, chatId, actor.userId));
    if (!(await depart(tx, emit, chatId, userId, actor.userId))) throw noSuchMember();
    await audit('member_removed', { chatId, userId });
    return { chatId, userId };
  },
});

/** A deleted user leaves all groups. Direct chats stay as they are, for the other one to read. */
export const leaveGroups: OnUserDeleted = async ({ actor: { userId }, tx, emit, audit }) => {
  const groups = await tx
    .select({ chatId: chats.id })
    .from(chatParticipants)
    .innerJoin(chats, eq(chats.id, chatParticipants.chatId))
    .where(and(eq(chatParticipants.userId, userId), eq(chats.type, 'group')))
    .orderBy(asc(chats.id)); // the order of their locks
  for (const { chatId } of groups) {
    await tx.select({ id: chats.id }).from(chats).where(eq(chats.id, chatId)).for('no key update');
    if (await depart(tx, emit, chatId, userId, userId)) await audit('member_removed', { chatId, userId });
  }
};

/** Behind the lock of the group; false: there is no such member. */
async function depart(tx: Db, emit: Emit, chatId: string, userId: string, by: string): Promise<boolean> {
  const removed = await tx
    .delete(chatParticipants)
    .where(isParticipant(chatId, userId))
    .returning({ userId: chatParticipants.userId });
  if (removed.length === 0) return false;
  const isLeaving = by === userId;
  const promoted = await keepAnAdmin(tx, chatId);
  const what = isLeaving ? 'A member left.' : 'A member was removed.';
  await addMessage(tx, emit, chatId, systemMessage(by, what, { event: 'member.left', userId }));
  const on = chat.on(chatId);
  if (promoted !== undefined) emit(on, 'member.updated', { userId: promoted, role: 'admin' });
  emit(on, 'member.left', { userId, removedBy: isLeaving ? null : by }, { revokes: [userId] });
  emit(user.on(userId), 'chat.removed', { chatId });
  return true;
}

async function requireRoomFor(tx: Db, chatId: string, userId: string): Promise<void> {
  const active = await findActiveUsers(tx, [userId]);
  if (!active.has(userId)) {
    throw new AppError('invalid', 'A member must be a user of this server.', {
      fields: [{ path: '/userId', message: 'There is no such user' }],
    });
  }
  const members = await readMembers(tx, chatId);
  if (members.some((member) => member.userId === userId)) {
    throw new AppError('conflict', 'This user is a member of the group already.');
  }
  if (members.length >= maxMembers) {
    throw new AppError('conflict', `A group has at most ${maxMembers} members.`);
  }
}

/** Where no admin is left, the member who joined first becomes one, and is answered. */
async function keepAnAdmin(tx: Db, chatId: string): Promise<string | undefined> {
  const members = await readMembers(tx, chatId);
  const [oldest] = members;
  if (oldest === undefined || members.some(isAdmin)) return undefined;
  await setRole(tx, chatId, oldest.userId, 'admin');
  return oldest.userId;
}

async function setRole(tx: Db, chatId: string, userId: string, role: MemberRole): Promise<void> {
  await tx.update(chatParticipants).set({ role }).where(isParticipant(chatId, userId));
}

/** Those who joined first come first. */
async function readMembers(tx: Db, chatId: string): Promise<Member[]> {
  const rows = await tx
    .select()
    .from(chatParticipants)
    .where(eq(chatParticipants.chatId, chatId))
    .orderBy(asc(chatParticipants.joinedAt), asc(chatParticipants.userId));
  return rows.map(toMember);
}

const isAdmin = (member: Member): boolean => member.role === 'admin';

const noSuchMember = () => new AppError('not_found', 'There is no such member in this chat.');
