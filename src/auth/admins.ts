// Who becomes an admin without another admin: those of ADMIN_EMAILS whose address is verified, and whom `bun run admin` names.

import { and, asc, eq, inArray, isNull, ne, type SQL, sql } from 'drizzle-orm';
import type { Db } from '../db/database.ts';
import type { Emit } from '../realtime/index.ts';
import type { Audit } from './audit.ts';
import { users } from './schema.ts';
import { userTopics } from './topics.ts';
import { hasEmail } from './user-rows.ts';

/** Those of ADMIN_EMAILS. */
export async function promoteListed(
  tx: Db,
  emit: Emit,
  audit: Audit,
  adminEmails: readonly string[],
): Promise<string[]> {
  if (adminEmails.length === 0) return [];
  const isListed = inArray(sql`lower(${users.email})`, [...adminEmails]);
  return await promote(tx, emit, audit, and(isListed, eq(users.emailVerified, true)), 'ADMIN_EMAILS');
}

/** Whoever has the address, verified or not: who may run a command on the database answers for that. */
export const promoteOne = (tx: Db, emit: Emit, audit: Audit, email: string): Promise<string[]> =>
  promote(tx, emit, audit, hasEmail(email), 'bun run admin');

/** Answers who was none before. */
async function promote(
  tx: Db,
  emit: Emit,
  audit: Audit,
  which: SQL | undefined,
  by: string,
): Promise<string[]> {
  const promoted = await tx
    .select({ userId: users.id })
    .from(users)
    .where(and(which, ne(users.role, 'admin'), isNull(users.disabledAt)))
    .orderBy(asc(users.id)) // the order in which everyone locks users
    .for('no key update');
  for (const { userId } of promoted) {
    await tx.update(users).set({ role: 'admin', updatedAt: new Date() }).where(eq(users.id, userId));
    emit(userTopics.on(userId), 'role.changed', { role: 'admin' });
    await audit.record(tx, { event: 'role_changed', userId, details: { by, to: 'admin' } });
  }
  return promoted.map(({ userId }) => userId);
}
