// What admins see and change of users, and the audit log. Their role is read anew for each request, and again behind the
// locks of whoever is changed.

import { asc, eq, sql } from 'drizzle-orm';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize, readCursor, toPage } from '../protocol/paging.ts';
import { type Actor, type AuditEntry, command, query, requireRole } from '../realtime/index.ts';
import type { Audit } from './audit.ts';
import * as contract from './contract.ts';
import { users } from './schema.ts';
import { revokeAll } from './sessions.ts';
import { lockStanding, type Standings } from './standings.ts';
import { userTopics } from './topics.ts';
import { searchesPerMinute } from './user-operations.ts';
import { foldName, found, toAdminUser, type UserRow } from './user-rows.ts';
import { NamePosition, searchByName } from './user-search.ts';

const tag = 'Admin';
const roles = ['admin'] as const;

const listUsers = query('admin.user.list', {
  summary: 'All users, by name',
  description: 'With `search` those that it finds, disabled ones too.',
  tag,
  http: 'GET /admin/users',
  roles,
  limit: searchesPerMinute,
  isFree: (_, { search }) => search === undefined,
  input: contract.AdminUsersQuery,
  output: contract.AdminUserPage,
  async run({ db }, { search, ...page }) {
    if (search !== undefined) {
      return await searchByName(db, { foldedText: foldName(search), withDisabled: true }, page, toAdminUser);
    }
    const { limit = defaultPageSize, cursor } = page;
    const after = readCursor(NamePosition, cursor);
    const rows = await db
      .select()
      .from(users)
      .where(after && sql`(${users.foldedName}, ${users.id}) > (${after[0]}, ${after[1]}::uuid)`)
      .orderBy(asc(users.foldedName), asc(users.id))
      .limit(limit + 1);
    return toPage(rows, limit, (row) => [row.foldedName, row.id], toAdminUser);
  },
});

export function adminOperations(services: {
  audit: Audit;
  standings: Pick<Standings, 'forgetUser'>;
  /** Of all modules. */
  listAuditEvents: () => readonly string[];
}) {
  const { audit, standings, listAuditEvents } = services;
  return [
    listUsers,
    command('admin.user.update', {
      summary: "Change a user's role, disable or enable a user",
      description: 'Nobody changes their own standing, so an admin always remains.',
      tag,
      http: 'PATCH /admin/users/:userId',
      roles,
      input: contract.UserUpdateInput,
      output: contract.AdminUser,
      refuses: ['not_found', 'conflict'],
      async run({ actor, tx, emit, afterCommit }, { userId, ...changes }) {
        requireRole(await lockStanding(tx, actor, [userId]), roles);
        const before = found(await tx.select().from(users).where(eq(users.id, userId)));
        const { role = before.role, disabled = before.disabledAt !== null } = changes;
        if (before.deletedAt !== null)
          throw new AppError('conflict', 'This account was deleted by its user.');
        // Whoever changes another one stays an admin until COMMIT: that keeps one, whatever admins do to each other.
        if (userId === actor.userId && (role !== before.role || disabled)) {
          throw new AppError('forbidden', 'Another admin must do this: nobody changes their own standing.');
        }
        const disabledAt = disabled ? (before.disabledAt ?? new Date()) : null;
        const after = found(
          await tx
            .update(users)
            .set({ role, disabledAt, updatedAt: new Date() })
            .where(eq(users.id, userId))
            .returning(),
        );
        if (role !== before.role) emit(userTopics.on(userId), 'role.changed', { role });
        if (disabled && before.disabledAt === null) await revokeAll(tx, emit, userId, 'user_disabled');
        await audit.record(tx, ...listChanges(before, after, actor));
        afterCommit(() => standings.forgetUser(userId));
        return toAdminUser(after);
      },
    }),
    query('admin.audit.list', {
      summary: 'The audit log, newest first',
      tag,
      http: 'GET /admin/audit',
      roles,
      input: contract.AuditQuery,
      output: contract.AuditPage,
      check({ event }) {
        const known = listAuditEvents();
        if (event === undefined || known.includes(event)) return;
        const fields = [{ path: '/event', message: `Expected one of ${known.join(', ')}` }];
        throw new AppError('invalid', 'There is no such event in the audit log.', { fields });
      },
      run: (_, input) => audit.list(input),
    }),
  ] as const;
}

function listChanges(before: UserRow, after: UserRow, actor: Actor): AuditEntry[] {
  const { sessionId, device } = actor;
  const entry = { userId: after.id, sessionId, device, details: { by: actor.userId } };
  const entries: AuditEntry[] = [];
  if (before.role !== after.role) {
    const details = { ...entry.details, from: before.role, to: after.role };
    entries.push({ ...entry, event: 'role_changed', details });
  }
  const wasDisabled = before.disabledAt !== null;
  const isDisabled = after.disabledAt !== null;
  if (wasDisabled !== isDisabled) {
    entries.push({ ...entry, event: isDisabled ? 'user_disabled' : 'user_enabled' });
  }
  return entries;
}
