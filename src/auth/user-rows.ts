// From a user's row to what goes over the wire, and what rows are found by.

import { sql } from 'drizzle-orm';
import { AppError } from '../protocol/errors.ts';
import type { AdminUser, OwnUser, PublicUser } from './contract.ts';
import { users } from './schema.ts';

export type UserRow = typeof users.$inferSelect;

/** The one user that was looked for; throws `not_found`. */
export function found(rows: readonly UserRow[]): UserRow {
  const row = rows[0];
  if (row === undefined) throw new AppError('not_found', 'There is no such user.');
  return row;
}

export const hasEmail = (email: string) => sql`lower(${users.email}) = lower(${email})`;

/** The same text for names that differ in case only. NFC, since NFKC makes one character 18, too much for an index. */
export function foldName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

export function toPublicUser(row: UserRow): PublicUser {
  return {
    id: row.id,
    name: row.name,
    avatarUrl: row.avatarUrl,
    lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
  };
}

export function toOwnUser(row: UserRow): OwnUser {
  return {
    ...toPublicUser(row),
    email: row.email,
    role: row.role,
    emailVerified: row.emailVerified,
    createdAt: row.createdAt.toISOString(),
  };
}

export function toAdminUser(row: UserRow): AdminUser {
  return {
    ...toOwnUser(row),
    disabledAt: row.disabledAt?.toISOString() ?? null,
    updatedAt: row.updatedAt.toISOString(),
  };
}
