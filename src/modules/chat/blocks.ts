// Blocks: who wants nothing to do with whom. A block holds its user's row, and a new direct chat those of both, so neither
// overlooks the other. Whether the two may speak in a direct chat that is there stands in both its rows, changed behind the
// lock of its topic: a message stands before the block in the log, or is refused. Locks: the user, participants, the topic.

import { and, asc, desc, eq, inArray, or, sql } from 'drizzle-orm';
import { users } from '../../auth/schema.ts';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize, readCursor, TimePosition, toPage } from '../../protocol/paging.ts';
import { command, type Emit, type Hiding, query } from '../../realtime/index.ts';
import { directKeyOf } from './access.ts';
import { Block, BlockPage, BlockUser, ListBlocks, maxBlocks, Unblocked } from './contract.ts';
import { settingsPerMinute } from './limits.ts';
import { chatParticipants, chats, userBlocks } from './schema.ts';
import { chat } from './topics.ts';

const tag = 'Users';

export const blockUser = command('block.add', {
  summary: 'Block a user',
  description:
    'No new direct chat between the two, nothing said in the one that is there, and my presence is hidden from the other. ' +
    'Groups stay as they are. Blocking again answers the block that is there.',
  tag,
  http: 'PUT /users/me/blocks/:userId',
  limit: settingsPerMinute,
  input: BlockUser,
  output: Block,
  refuses: ['not_found', 'conflict'],
  async run({ actor, tx, emit }, { userId: blockedId }) {
    const { userId } = actor;
    if (blockedId === userId) throw new AppError('invalid', 'Only another user can be blocked.');
    await lockUsers(tx, [userId], 'no key update');
    const [known] = await tx.select().from(userBlocks).where(isBlock(userId, blockedId));
    if (known !== undefined) return toBlock(known);
    await requireUser(tx, blockedId);
    await requireRoom(tx, userId);
    const [made] = await tx.insert(userBlocks).values({ userId, blockedId }).returning();
    if (made === undefined) throw new Error('A block was written, but not answered.');
    await settleDirectChat(tx, emit, userId, blockedId);
    return toBlock(made);
  },
});

export const unblockUser = command('block.remove', {
  summary: 'Block a user no longer',
  description:
    'The two can speak again, unless the other one blocks, too. Without a block it changes nothing.',
  tag,
  http: 'DELETE /users/me/blocks/:userId',
  limit: settingsPerMinute,
  input: BlockUser,
  output: Unblocked,
  async run({ actor, tx, emit }, { userId: blockedId }) {
    const { userId } = actor;
    await lockUsers(tx, [userId], 'no key update');
    const removed = await tx.delete(userBlocks).where(isBlock(userId, blockedId)).returning();
    if (removed.length > 0) await settleDirectChat(tx, emit, userId, blockedId);
    return { userId: blockedId };
  },
});

export const listBlocks = query('block.list', {
  summary: 'Whom I block, newest first',
  tag,
  http: 'GET /users/me/blocks',
  input: ListBlocks,
  output: BlockPage,
  async run({ actor, db }, { limit = defaultPageSize, cursor }) {
    const after = readCursor(TimePosition, cursor);
    const isBehind =
      after &&
      sql`(${userBlocks.createdAt}, ${userBlocks.blockedId}) < (${new Date(after[0]).toISOString()}::timestamptz, ${after[1]}::uuid)`;
    const rows = await db
      .select()
      .from(userBlocks)
      .where(and(eq(userBlocks.userId, actor.userId), isBehind))
      .orderBy(desc(userBlocks.createdAt), desc(userBlocks.blockedId))
      .limit(limit + 1);
    return toPage(rows, limit, ({ createdAt, blockedId }) => [createdAt.getTime(), blockedId], toBlock);
  },
});

/** Whoever blocks a user hides from them. [P4] */
export const hiding: Hiding = {
  async findHidden(db, viewerId, userIds) {
    const rows = await db
      .select({ userId: userBlocks.userId })
      .from(userBlocks)
      .where(and(isOneOf(userIds), eq(userBlocks.blockedId, viewerId)));
    return new Set(rows.map(({ userId }) => userId));
  },
  async findUnseeing(db, userIds) {
    const rows = await db.select().from(userBlocks).where(isOneOf(userIds));
    const byUser = Map.groupBy(rows, ({ userId }) => userId);
    return new Map([...byUser].map(([userId, blocks]) => [userId, blocks.map(({ blockedId }) => blockedId)]));
  },
};

/** Of a topic that thousands follow there are too many for a parameter each. */
const isOneOf = (userIds: readonly string[]) =>
  sql`${userBlocks.userId} = ANY(${sql.param([...userIds])}::uuid[])`;

/**
 * Whether the user blocks the other, and is blocked by them; so until COMMIT, and no new direct chat or block of the two comes
 * in between.
 */
export async function lockBlocks(
  tx: Db,
  userId: string,
  otherId: string,
): Promise<{ isMine: boolean; isTheirs: boolean }> {
  await lockUsers(tx, [userId, otherId], 'share');
  const rows = await readBlocksOf(tx, userId, otherId);
  return {
    isMine: rows.some((block) => block.userId === userId),
    isTheirs: rows.some((block) => block.userId === otherId),
  };
}

/** Lets the two speak in their direct chat, if there is one, or no longer. */
async function settleDirectChat(tx: Db, emit: Emit, userId: string, otherId: string): Promise<void> {
  const [direct] = await tx
    .select({ id: chats.id })
    .from(chats)
    .where(eq(chats.directKey, directKeyOf(userId, otherId)));
  if (direct === undefined) return;
  const inChat = eq(chatParticipants.chatId, direct.id);
  await tx
    .select({ userId: chatParticipants.userId })
    .from(chatParticipants)
    .where(inChat)
    .orderBy(asc(chatParticipants.userId))
    .for('no key update');
  await emit.seqOf(chat.on(direct.id)); // behind every message that is there, before every one to come
  // Asked behind the locks: the other one may have blocked, or unblocked, at the same time.
  const isBlocked = (await readBlocksOf(tx, userId, otherId)).length > 0;
  await tx.update(chatParticipants).set({ isBlocked }).where(inChat);
}

async function lockUsers(
  tx: Db,
  userIds: readonly string[],
  strength: 'share' | 'no key update',
): Promise<void> {
  await tx
    .select({ id: users.id })
    .from(users)
    .where(inArray(users.id, [...userIds]))
    .orderBy(asc(users.id))
    .for(strength);
}

/** Throws `not_found` as other routes do for who is not there. */
async function requireUser(tx: Db, userId: string): Promise<void> {
  const found = await tx.select({ id: users.id }).from(users).where(eq(users.id, userId));
  if (found.length === 0) throw new AppError('not_found', 'There is no such user.');
}

/** Behind the lock of the user. */
async function requireRoom(tx: Db, userId: string): Promise<void> {
  const there = await tx.$count(userBlocks, eq(userBlocks.userId, userId));
  if (there >= maxBlocks) {
    throw new AppError('conflict', `A user blocks at most ${maxBlocks} others. Unblock one first.`);
  }
}

/** One of the other, in either direction. */
const readBlocksOf = (tx: Db, userId: string, otherId: string): Promise<BlockRow[]> =>
  tx
    .select()
    .from(userBlocks)
    .where(or(isBlock(userId, otherId), isBlock(otherId, userId)));

type BlockRow = typeof userBlocks.$inferSelect;

const isBlock = (userId: string, blockedId: string) =>
  and(eq(userBlocks.userId, userId), eq(userBlocks.blockedId, blockedId));

const toBlock = ({ blockedId, createdAt }: BlockRow): Block => ({
  userId: blockedId,
  createdAt: createdAt.toISOString(),
});
