// Who may do what in a chat, decided inside the transaction that does it. For someone who is no member, a chat that exists
// and one that does not are the same: `not_found`.
//
// Locks are taken in this order, so that transactions wait for each other and never in a circle: the chat's row (changes
// of name and members), participants, messages, the chat's topic. The chat's row is locked FOR NO KEY UPDATE: the stronger
// lock would collide with the foreign keys of messages being sent.

import { and, asc, eq, inArray, isNull } from 'drizzle-orm';
import { users } from '../../auth/schema.ts';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Chat, ChatFace, MemberRole } from './contract.ts';
import { toFace, toMember } from './rows.ts';
import { chatParticipants, chats } from './schema.ts';

export interface Membership {
  readonly chat: ChatFace;
  readonly role: MemberRole;
}

/** Throws `not_found` for everyone but members. */
export async function requireMember(db: Db, chatId: string, userId: string): Promise<Membership> {
  const [row] = await db
    .select({ chat: chats, role: chatParticipants.role })
    .from(chatParticipants)
    .innerJoin(chats, eq(chats.id, chatParticipants.chatId))
    .where(isParticipant(chatId, userId));
  if (row === undefined) throw noSuchChat();
  return { ...row, chat: toFace(row.chat) };
}

export interface GroupMembership extends Membership {
  readonly name: string;
}

/** Locks the group, so that its name and its members change one after another. Throws `conflict` for a direct chat. */
export async function lockGroup(tx: Db, chatId: string, userId: string): Promise<GroupMembership> {
  await tx.select({ id: chats.id }).from(chats).where(eq(chats.id, chatId)).for('no key update');
  // Asked behind the lock: this sees what its last holder did.
  const membership = await requireMember(tx, chatId, userId);
  const { name } = membership.chat;
  if (name === null) {
    throw new AppError(
      'conflict',
      'A direct chat keeps its two members and has no name of its own. Create a group.',
    );
  }
  return { ...membership, name };
}

export async function lockGroupAsAdmin(tx: Db, chatId: string, userId: string): Promise<GroupMembership> {
  const membership = await lockGroup(tx, chatId, userId);
  if (membership.role !== 'admin') throw new AppError('forbidden', 'Only an admin of the group may do this.');
  return membership;
}

/** Those of the chats in which the user is a member. */
export async function findOwnChats(
  db: Db,
  userId: string,
  chatIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ chatId: chatParticipants.chatId })
    .from(chatParticipants)
    .where(and(eq(chatParticipants.userId, userId), inArray(chatParticipants.chatId, [...chatIds])));
  return new Set(rows.map(({ chatId }) => chatId));
}

export const isMember = async (db: Db, chatId: string, userId: string): Promise<boolean> =>
  (await findOwnChats(db, userId, [chatId])).has(chatId);

/**
 * Throws `not_found` for everyone but members, and `forbidden` in a direct chat where one has blocked the other. What it
 * found holds until COMMIT where the member is locked.
 */
export async function requireVoice(db: Db, chatId: string, userId: string): Promise<void> {
  const [member] = await db
    .select({ isBlocked: chatParticipants.isBlocked })
    .from(chatParticipants)
    .where(isParticipant(chatId, userId));
  if (member === undefined) throw noSuchChat();
  if (member.isBlocked) throw blocked();
}

/**
 * Locks those of the users who are members, so that they stay members until COMMIT, and as free to speak as they are: by user,
 * whether one of the two in a direct chat has blocked the other.
 */
export async function keepMembers(
  tx: Db,
  chatId: string,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, { readonly isBlocked: boolean }>> {
  const rows = await tx
    .select({ userId: chatParticipants.userId, isBlocked: chatParticipants.isBlocked })
    .from(chatParticipants)
    .where(and(eq(chatParticipants.chatId, chatId), inArray(chatParticipants.userId, [...userIds])))
    .orderBy(asc(chatParticipants.userId))
    .for('share');
  return new Map(rows.map(({ userId, isBlocked }) => [userId, { isBlocked }]));
}

/** The chat with its members, in the order of their joining; undefined where there is no such chat, or nobody in it. */
export async function readChat(db: Db, chatId: string): Promise<Chat | undefined> {
  const rows = await db
    .select({ chat: chats, member: chatParticipants })
    .from(chats)
    .innerJoin(chatParticipants, eq(chatParticipants.chatId, chats.id))
    .where(eq(chats.id, chatId))
    .orderBy(asc(chatParticipants.joinedAt), asc(chatParticipants.userId));
  const [first] = rows;
  return first && { ...toFace(first.chat), members: rows.map(({ member }) => toMember(member)) };
}

/** Those of the users who are there and not disabled: the ones who can be brought into a chat. */
export async function findActiveUsers(db: Db, userIds: readonly string[]): Promise<Set<string>> {
  const rows = await db
    .select({ id: users.id })
    .from(users)
    .where(and(inArray(users.id, [...userIds]), isNull(users.disabledAt)));
  return new Set(rows.map(({ id }) => id));
}

/** What a direct chat of the two is found by, whoever asks. */
export const directKeyOf = (userId: string, otherId: string): string => [userId, otherId].sort().join(' ');

export const isParticipant = (chatId: string, userId: string) =>
  and(eq(chatParticipants.chatId, chatId), eq(chatParticipants.userId, userId));

/** To both of the two: who blocked whom is nobody's business. */
export const blocked = () =>
  new AppError('forbidden', 'One of you two has blocked the other: nothing can be said in this chat.');

export const noSuchChat = () => new AppError('not_found', 'There is no such chat among yours.');

export const noSuchMessage = () => new AppError('not_found', 'There is no such message in your chats.');
