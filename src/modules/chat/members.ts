// Who belongs to a group: add, promote, remove, leave. A group with members always has an admin.
// Every change holds the lock of the group, so that two at once cannot break that.

import { asc, eq } from 'drizzle-orm';
import type { RateLimits } from '../../auth/rate-limits.ts';
import type { Db } from '../../db/connect.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Actor } from '../../realtime/actor.ts';
import { type Commit, type Emit, keyedBy } from '../../realtime/commit.ts';
import { takeOrRepeat } from '../../realtime/keys.ts';
import { findActiveUsers, isParticipant, lockGroup, lockGroupAsAdmin } from './access.ts';
import { type Departure, type Member, type MemberRole, maxMembers } from './contract.ts';
import { toMember } from './rows.ts';
import { chatParticipants } from './schema.ts';
import { emitToUsers, systemMessage, writeTo } from './writer.ts';

export interface Members {
  add(actor: Actor, chatId: string, userId: string, key: string | undefined): Promise<Member>;
  changeRole(actor: Actor, chatId: string, userId: string, role: MemberRole): Promise<Member>;
  /** An admin removes someone, or a member leaves. The member hears nothing of the chat behind this. [S7] */
  remove(actor: Actor, chatId: string, userId: string): Promise<Departure>;
}

export interface MembersDeps {
  readonly db: Db;
  readonly commit: Commit;
  readonly limits: Pick<RateLimits, 'takeMessage'>;
}

export function createMembers({ db, commit, limits }: MembersDeps): Members {
  return {
    async add(actor, chatId, userId, key) {
      const idempotency = { operation: 'member.add', key, body: { chatId, userId } };
      const first = await takeOrRepeat<Member>(db, keyedBy(actor, idempotency), () =>
        limits.takeMessage(actor.userId),
      );
      if (first !== undefined) return first.value;
      const work = async (tx: Db, emit: Emit): Promise<Member> => {
        const { name } = await lockGroupAsAdmin(tx, chatId, actor.userId);
        await requireRoomFor(tx, chatId, userId);
        const writer = writeTo(tx, emit, chatId);
        const said = await writer.addMessage(
          systemMessage(actor.userId, 'A member joined.', { event: 'member.joined', userId }),
        );
        // What was said before is not unread for who comes now.
        const joined = {
          chatId,
          userId,
          role: 'member' as const,
          lastReadSeq: said.seq,
          joinedAt: new Date(),
        };
        await tx.insert(chatParticipants).values(joined);
        const member = toMember(joined);
        writer.emit('member.joined', member);
        emitToUsers(emit, [userId], 'chat.added', { chatId, type: 'group', name });
        return member;
      };
      const { value } = await commit(actor, work, idempotency);
      return value;
    },

    async changeRole(actor, chatId, userId, role) {
      await limits.takeMessage(actor.userId);
      const { value } = await commit(actor, async (tx, emit) => {
        await lockGroupAsAdmin(tx, chatId, actor.userId);
        const members = await readMembers(tx, chatId);
        const member = members.find((candidate) => candidate.userId === userId);
        if (member === undefined) throw noSuchMember();
        if (member.role === role) return member;
        if (members.filter(isAdmin).length === 1 && member.role === 'admin') {
          throw new AppError('conflict', 'A group needs an admin. Promote another member first.');
        }
        await setRole(tx, chatId, userId, role);
        writeTo(tx, emit, chatId).emit('member.updated', { userId, role });
        return { ...member, role };
      });
      return value;
    },

    async remove(actor, chatId, userId) {
      const isLeaving = userId === actor.userId;
      // Whoever wants to leave may: to leave again takes someone who brings them back.
      if (!isLeaving) await limits.takeMessage(actor.userId);
      const { value } = await commit(actor, async (tx, emit) => {
        await (isLeaving ? lockGroup(tx, chatId, userId) : lockGroupAsAdmin(tx, chatId, actor.userId));
        const removed = await tx
          .delete(chatParticipants)
          .where(isParticipant(chatId, userId))
          .returning({ userId: chatParticipants.userId });
        if (removed.length === 0) throw noSuchMember();
        const promoted = await keepAnAdmin(tx, chatId);
        const writer = writeTo(tx, emit, chatId);
        await writer.addMessage(
          systemMessage(actor.userId, isLeaving ? 'A member left.' : 'A member was removed.', {
            event: 'member.left',
            userId,
          }),
        );
        if (promoted !== undefined) writer.emit('member.updated', { userId: promoted, role: 'admin' });
        writer.emit('member.left', { userId, removedBy: isLeaving ? null : actor.userId }, userId);
        emitToUsers(emit, [userId], 'chat.removed', { chatId });
        return { chatId, userId };
      });
      return value;
    },
  };
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
