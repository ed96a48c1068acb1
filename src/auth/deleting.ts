// The end of an account. Everything that says who it was goes; the row stays, under another name, for what refers to it:
// messages are still written by somebody. Each module gives up what the user has there, in the same transaction.

import { and, eq, isNull, or, sql } from 'drizzle-orm';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import {
  type Actor,
  action,
  type CommandContext,
  createAfterCommit,
  type OnUserDeleted,
  type TopicsAround,
} from '../realtime/index.ts';
import { withdrawMails } from './account-mails.ts';
import type { Accounts } from './accounts.ts';
import * as contract from './contract.ts';
import { unusableHash } from './passwords.ts';
import { accountTokens, auditLog, userSessions, users } from './schema.ts';
import { revokeAll } from './sessions.ts';
import { lockStanding, type Standings } from './standings.ts';
import { userTopics } from './topics.ts';
import { foldName, found, type UserRow } from './user-rows.ts';

const deletedName = 'deleted user';

export function deleteOwn(services: {
  accounts: Pick<Accounts, 'checkPassword'>;
  standings: Pick<Standings, 'forgetUser'>;
  topicsAround: TopicsAround;
  /** Of all modules, those that stand on others first. */
  onUserDeleted: OnUserDeleted;
}) {
  const { accounts, standings, topicsAround, onUserDeleted } = services;
  return action('user.delete', {
    summary: 'Delete my account',
    description:
      'Name, e-mail and avatar go, all sessions end; messages stay, as written by "deleted user". I leave groups and campaigns; ' +
      'a campaign of mine passes to its oldest editor, else viewer, else it is deleted. Pending offers end, jobs are cancelled, ' +
      'hacks aborted. The only admin must make another user one first.',
    tag: 'Users',
    http: 'DELETE /users/me',
    socket: false,
    writes: true,
    input: contract.DeletionInput,
    output: contract.DeletedUser,
    refuses: ['forbidden', 'conflict', 'rate_limited', 'unavailable'],
    start:
      ({ commit, audit: record, reporter }) =>
      async ({ actor }, { password }) => {
        const before = await accounts.checkPassword(actor, password);
        const after = createAfterCommit(reporter);
        const { value, events } = await commit(actor, async (tx, emit) => {
          after.begin();
          const audit: CommandContext['audit'] = (event, details, userId = actor.userId) =>
            record(tx, { event, userId, details }); // the id alone: who it was is to be forgotten
          await lockWithAdmins(tx, actor, await listAdmins(tx));
          const [user] = await tx
            .select()
            .from(users)
            .where(and(eq(users.id, actor.userId), eq(users.passwordHash, before.passwordHash)));
          if (user === undefined)
            throw new AppError('conflict', 'The password was changed meanwhile. Try again.');
          const profile = { id: user.id, name: deletedName, avatarUrl: null };
          emit([userTopics.on(user.id), ...(await topicsAround(tx, user.id))], 'profile.updated', profile);
          await onUserDeleted({ actor, tx, emit, audit, afterCommit: after.add });
          await revokeAll(tx, emit, user.id, 'user_deleted');
          await audit('user_deleted');
          return await forget(tx, user);
        });
        after.runAll();
        standings.forgetUser(actor.userId);
        return { output: value, events };
      },
  });
}

async function listAdmins(db: Db): Promise<string[]> {
  const isAdmin = and(eq(users.role, 'admin'), isNull(users.disabledAt));
  const rows = await db.select({ id: users.id }).from(users).where(isAdmin);
  return rows.map(({ id }) => id);
}

/** Two admins cannot both be the last but one: each locks the other. Throws `conflict` for the only one. */
async function lockWithAdmins(tx: Db, actor: Actor, adminIds: readonly string[]): Promise<void> {
  const { role } = await lockStanding(tx, actor, adminIds.includes(actor.userId) ? adminIds : []);
  if (role !== 'admin' || (await listAdmins(tx)).length > 1) return;
  throw new AppError('conflict', 'You are the only admin. Make another user one first.');
}

/** What is left of the user says nothing of who it was, where they were, and with what. */
async function forget(tx: Db, { id, email }: UserRow): Promise<{ id: string; deletedAt: string }> {
  const deletedAt = new Date();
  found(
    await tx
      .update(users)
      .set({
        email: `deleted-${id}@deleted.invalid`,
        emailVerified: false,
        passwordHash: unusableHash,
        name: deletedName,
        foldedName: foldName(deletedName),
        avatarUrl: null,
        role: 'user',
        lastSeenAt: null,
        disabledAt: deletedAt,
        deletedAt,
        updatedAt: deletedAt,
      })
      .where(eq(users.id, id))
      .returning(),
  );
  await tx.delete(accountTokens).where(eq(accountTokens.userId, id));
  await withdrawMails(tx, email);
  await tx
    .update(userSessions)
    .set({ ip: null, userAgent: null, network: null })
    .where(eq(userSessions.userId, id));
  const namesAddress = sql`lower(${auditLog.details} ->> 'email') = lower(${email})`;
  await tx
    .update(auditLog)
    .set({
      sessionId: null,
      ip: null,
      userAgent: null,
      details: sql`${auditLog.details} - 'email' - 'sessionId'`,
    })
    .where(or(eq(auditLog.userId, id), and(isNull(auditLog.userId), namesAddress)));
  return { id, deletedAt: deletedAt.toISOString() };
}
