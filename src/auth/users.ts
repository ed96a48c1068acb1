// Users as others see them: profiles, search, and what admins change.

import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize, type Page, type PageRequest, readCursor, toPage } from '../protocol/paging.ts';
import { userTopic } from '../protocol/topics.ts';
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
import { requireAdmin } from './guard.ts';
import type { RateLimits } from './rate-limits.ts';
import { users } from './schema.ts';
import type { Sessions } from './sessions.ts';
import { lockStanding, type Standings } from './standings.ts';
import { NamePosition, searchByName } from './user-search.ts';

export type UserRow = typeof users.$inferSelect;

export interface Users {
  readOwn(actor: Actor): Promise<OwnUser>;
  updateOwn(actor: Actor, changes: ProfileInput): Promise<OwnUser>;
  /** Throws `not_found`. */
  readPublic(userId: string): Promise<PublicUser>;
  /**
   * By `ids`: those that exist, all on one page. By `search`: those whose names contain the text, whatever its case, by name,
   * without disabled users. A page of a search may be short, even empty, and have a next one. Throws `invalid` unless it
   * is exactly one of the two, and where `ids` is to be paged; `rate_limited` for too many searches.
   */
  find(actor: Actor, query: UsersQuery): Promise<Page<PublicUser>>;
  /** All, or those that `find` would find by the text, disabled ones too. */
  listForAdmin(actor: Actor, text: string | undefined, page: PageRequest): Promise<Page<AdminUser>>;
  /**
   * Throws `not_found`; `forbidden` where the actor is no admin any more, or would change its own standing. So an admin
   * always remains.
   */
  updateAsAdmin(actor: Actor, userId: string, changes: UserUpdateInput, device: Device): Promise<AdminUser>;
  /** Moves `lastSeenAt` forward, never back. */
  touchLastSeen(userIds: readonly string[], at: Date): Promise<void>;
}

export function createUsers(deps: {
  db: Db;
  commit: Commit;
  audit: Audit;
  sessions: Sessions;
  standings: Standings;
  limits: Pick<RateLimits, 'takeSearch'>;
}): Users {
  const { db, commit, audit, sessions, standings, limits } = deps;

  async function search<Item>(
    actor: Actor,
    text: string,
    { withDisabled, ...page }: PageRequest & { withDisabled: boolean },
    toItem: (row: UserRow) => Item,
  ): Promise<Page<Item>> {
    await limits.takeSearch(actor.userId);
    return await searchByName(db, { foldedText: foldName(text), withDisabled }, page, toItem);
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
        await lockStanding(tx, actor);
        const user = found(
          await tx
            .update(users)
            .set({ name, foldedName: name && foldName(name), avatarUrl, updatedAt: new Date() })
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

    async find(actor, { ids, search: text, ...page }) {
      if (ids !== undefined && text === undefined) {
        if (page.limit !== undefined || page.cursor !== undefined) {
          throw new AppError('invalid', '"ids" are answered on one page: leave out "limit" and "cursor".');
        }
        const rows = await db
          .select()
          .from(users)
          .where(inArray(users.id, ids.split(',')));
        return { items: rows.map(toPublicUser), nextCursor: null };
      }
      if (text !== undefined && ids === undefined) {
        return await search(actor, text, { ...page, withDisabled: false }, toPublicUser);
      }
      throw new AppError('invalid', 'Ask either with "ids" or with "search".');
    },

    async listForAdmin(actor, text, page) {
      if (text !== undefined) return await search(actor, text, { ...page, withDisabled: true }, toAdminUser);
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

    async updateAsAdmin(actor, userId, changes, device) {
      const { value } = await commit(actor, async (tx, emit) => {
        requireAdmin(await lockStanding(tx, actor, [userId]));
        const before = found(await tx.select().from(users).where(eq(users.id, userId)));
        const { role = before.role, disabled = before.disabledAt !== null } = changes;
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
        if (role !== before.role) emit({ topic: userTopic(userId), type: 'role.changed', payload: { role } });
        if (disabled && before.disabledAt === null) {
          await sessions.revokeAll(tx, emit, userId, 'user_disabled');
        }
        await audit.record(tx, ...listChanges(before, after, actor, device));
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

function found(rows: readonly UserRow[]): UserRow {
  const row = rows[0];
  if (row === undefined) throw new AppError('not_found', 'There is no such user.');
  return row;
}

function listChanges(before: UserRow, after: UserRow, actor: Actor, device: Device): AuditEntry[] {
  const entry = { userId: after.id, device, details: { by: actor.userId } };
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

export const hasEmail = (email: string) => sql`lower(${users.email}) = lower(${email})`;

/** The same text for names that differ in case only. NFC, since NFKC makes one character 18, too much for an index. */
export function foldName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

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
