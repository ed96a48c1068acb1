// Users as others see them: profiles, search, and what admins change.

import { Type } from '@sinclair/typebox';
import { and, asc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize, type Page, type PageRequest, readCursor, toPage } from '../protocol/paging.ts';
import { userTopic } from '../protocol/topics.ts';
import { Id } from '../protocol/values.ts';
import type { Actor } from '../realtime/actor.ts';
import type { Commit } from '../realtime/commit.ts';
import type { Audit, AuditEntry } from './audit.ts';
import type {
  AdminUser,
  OwnUser,
  ProfileInput,
  PublicUser,
  UsersQuery,
  UserUpdateInput,
} from './contract.ts';
import type { Device } from './device.ts';
import { users } from './schema.ts';
import type { Sessions } from './sessions.ts';
import type { Standings } from './standings.ts';

export type UserRow = typeof users.$inferSelect;

export interface Users {
  readOwn(actor: Actor): Promise<OwnUser>;
  updateOwn(actor: Actor, changes: ProfileInput): Promise<OwnUser>;
  /** Throws `not_found`. */
  readPublic(userId: string): Promise<PublicUser>;
  /** Those of the users that exist, in no order. */
  readMany(db: Db, userIds: readonly string[]): Promise<PublicUser[]>;
  /**
   * By `ids`: those that exist, on one page. By `search`: those whose names contain the text, whatever its case, by name,
   * without disabled users. Throws `invalid` unless it is exactly one of the two.
   */
  find(query: UsersQuery): Promise<Page<PublicUser>>;
  listForAdmin(text: string | undefined, page: PageRequest): Promise<Page<AdminUser>>;
  /** Throws `not_found`; `forbidden` where admins would lock themselves out. */
  updateAsAdmin(actor: Actor, userId: string, changes: UserUpdateInput, device: Device): Promise<AdminUser>;
  /** Moves `lastSeenAt` forward, never back. */
  touchLastSeen(userIds: readonly string[], at: Date): Promise<void>;
}

const lowerName = sql<string>`lower(${users.name})`;
/** The lower-cased name as the database says it, and the id. */
const Position = Type.Tuple([Type.String(), Id]);

export function createUsers(deps: {
  db: Db;
  commit: Commit;
  audit: Audit;
  sessions: Sessions;
  standings: Standings;
}): Users {
  const { db, commit, audit, sessions, standings } = deps;

  async function listByName<Item>(
    filter: SQL | undefined,
    { limit = defaultPageSize, cursor }: PageRequest,
    toItem: (row: UserRow) => Item,
  ): Promise<Page<Item>> {
    const after = readCursor(Position, cursor);
    const rows = await db
      .select({ user: users, lowerName })
      .from(users)
      .where(and(filter, after && sql`(${lowerName}, ${users.id}) > (${after[0]}, ${after[1]}::uuid)`))
      .orderBy(asc(lowerName), asc(users.id))
      .limit(limit + 1);
    return toPage(
      rows,
      limit,
      (row) => [row.lowerName, row.user.id],
      (row) => toItem(row.user),
    );
  }

  return {
    async readOwn(actor) {
      return toOwnUser(found(await db.select().from(users).where(eq(users.id, actor.userId))));
    },

    async updateOwn(actor, { name, avatarUrl }) {
      if (typeof avatarUrl === 'string' && !URL.canParse(avatarUrl)) {
        throw new AppError('invalid', 'avatarUrl must be an http or https URL.');
      }
      const { value } = await commit(actor, async (tx, emit) => {
        const user = found(
          await tx
            .update(users)
            .set({ name, avatarUrl, updatedAt: new Date() })
            .where(eq(users.id, actor.userId))
            .returning(),
        );
        const payload = { id: user.id, name: user.name, avatarUrl: user.avatarUrl };
        emit({ topic: userTopic(user.id), type: 'profile.updated', payload });
        return toOwnUser(user);
      });
      return value;
    },

    async readPublic(userId) {
      return toPublicUser(found(await db.select().from(users).where(eq(users.id, userId))));
    },

    readMany,

    async find({ ids, search, ...page }) {
      if (ids !== undefined && search === undefined) {
        return { items: await readMany(db, ids.split(',')), nextCursor: null };
      }
      if (search !== undefined && ids === undefined) {
        return listByName(and(nameContains(search), isNull(users.disabledAt)), page, toPublicUser);
      }
      throw new AppError('invalid', 'Ask either with "ids" or with "search".');
    },

    listForAdmin: (text, page) =>
      listByName(text === undefined ? undefined : nameContains(text), page, toAdminUser),

    async updateAsAdmin(actor, userId, { role, disabled }, device) {
      if (userId === actor.userId && (disabled === true || (role !== undefined && role !== 'admin'))) {
        throw new AppError('forbidden', 'Another admin must do this: you would lock yourself out.');
      }
      const { value } = await commit(actor, async (tx, emit) => {
        const before = found(await tx.select().from(users).where(eq(users.id, userId)).for('no key update'));
        const isDisabled = before.disabledAt !== null;
        const disabledAt =
          disabled === undefined || disabled === isDisabled ? undefined : disabled ? new Date() : null;
        const [after = before] = await tx
          .update(users)
          .set({ role, disabledAt, updatedAt: new Date() })
          .where(eq(users.id, userId))
          .returning();

        const entry = { userId, device, details: { by: actor.userId } };
        const entries: AuditEntry[] = [];
        if (after.role !== before.role) {
          emit({ topic: userTopic(userId), type: 'role.changed', payload: { role: after.role } });
          const details = { ...entry.details, from: before.role, to: after.role };
          entries.push({ ...entry, event: 'role_changed', details });
        }
        if (disabledAt instanceof Date) {
          await sessions.revokeAll(tx, emit, userId, 'user_disabled');
          entries.push({ ...entry, event: 'user_disabled' });
        }
        if (disabledAt === null) entries.push({ ...entry, event: 'user_enabled' });
        await audit.record(tx, ...entries);
        return toAdminUser(after);
      });
      standings.forgetUser(userId);
      return value;
    },

    async touchLastSeen(userIds, at) {
      // Locked in one order, so that instances that touch the same users cannot deadlock.
      await db.execute(sql`
        UPDATE users SET last_seen_at = ${at.toISOString()}::timestamptz
        WHERE id IN (SELECT id FROM users WHERE id = ANY(${sql.param([...userIds])}::uuid[]) ORDER BY id FOR NO KEY UPDATE)
          AND (last_seen_at IS NULL OR last_seen_at < ${at.toISOString()}::timestamptz)`);
    },
  };
}

async function readMany(db: Db, userIds: readonly string[]): Promise<PublicUser[]> {
  if (userIds.length === 0) return [];
  const rows = await db
    .select()
    .from(users)
    .where(inArray(users.id, [...userIds]));
  return rows.map(toPublicUser);
}

function found(rows: readonly UserRow[]): UserRow {
  const row = rows[0];
  if (row === undefined) throw new AppError('not_found', 'There is no such user.');
  return row;
}

const nameContains = (text: string) =>
  sql`${lowerName} LIKE '%' || lower(${text.replace(/[\\%_]/g, '\\$&')}) || '%'`;

function toPublicUser(row: UserRow): PublicUser {
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

function toAdminUser(row: UserRow): AdminUser {
  return {
    ...toOwnUser(row),
    disabledAt: row.disabledAt?.toISOString() ?? null,
    updatedAt: row.updatedAt.toISOString(),
  };
}
