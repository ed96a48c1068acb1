// Whether a session is still good, and as whom: read from the database, since a token cannot know what became of them.

import { and, asc, eq, inArray } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import type { Db } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import type { Role } from '../protocol/roles.ts';
import type { Actor } from '../realtime/index.ts';
import type { SessionEnd } from './contract.ts';
import { userSessions, users } from './schema.ts';

export type Standing =
  | { readonly isLive: true; readonly role: Role }
  | { readonly isLive: false; readonly reason: SessionEnd | 'expired' };

export type SessionOwner = Pick<Actor, 'userId' | 'sessionId'>;

/** How the session and its user stand, in the snapshot of `db`. */
export async function readStanding(db: Db, { userId, sessionId }: SessionOwner): Promise<Standing> {
  const rows = await db
    .select({
      role: users.role,
      disabledAt: users.disabledAt,
      deletedAt: users.deletedAt,
      revokedAt: userSessions.revokedAt,
      endReason: userSessions.endReason,
      expiresAt: userSessions.expiresAt,
    })
    .from(userSessions)
    .innerJoin(users, eq(users.id, userSessions.userId))
    .where(and(eq(userSessions.id, sessionId), eq(userSessions.userId, userId)));
  const row = rows[0];
  return row === undefined ? { isLive: false, reason: 'revoked' } : standingOf(row);
}

type StandingRow = Pick<typeof users.$inferSelect, 'role' | 'disabledAt' | 'deletedAt'> &
  Pick<typeof userSessions.$inferSelect, 'revokedAt' | 'endReason' | 'expiresAt'>;

export function standingOf({
  role,
  disabledAt,
  deletedAt,
  revokedAt,
  endReason,
  expiresAt,
}: StandingRow): Standing {
  if (deletedAt !== null) return { isLive: false, reason: 'user_deleted' };
  if (disabledAt !== null) return { isLive: false, reason: 'user_disabled' };
  if (revokedAt !== null) return { isLive: false, reason: endReason ?? 'revoked' };
  if (expiresAt <= new Date()) return { isLive: false, reason: 'expired' };
  return { isLive: true, role };
}

/** The user's role; throws `unauthorized` where the session has ended. */
export function requireLive(standing: Standing): Role {
  if (standing.isLive) return standing.role;
  throw sessionEnded(standing.reason);
}

/** With the reason that the close frame has, for programs too. [H5] */
export function sessionEnded(reason: SessionEnd | 'expired'): AppError {
  return new AppError('unauthorized', `This session has ended (${reason}). Log in again.`, {
    details: { reason },
  });
}

/**
 * The actor as it stands now, with the role it has now, and so until COMMIT: whatever changes rights, sessions or passwords
 * decides behind this. Locks the rows of its user and of `others` in one order, so that two who change each other take
 * turns. Throws `unauthorized` where the session has ended.
 */
export async function lockStanding(tx: Db, actor: Actor, others: readonly string[] = []): Promise<Actor> {
  const userIds = [...new Set([actor.userId, ...others])];
  await tx
    .select({ id: users.id })
    .from(users)
    .where(inArray(users.id, userIds))
    .orderBy(asc(users.id))
    .for('no key update');
  // Asked behind the lock: this sees what its last holder did.
  return { ...actor, role: requireLive(await readStanding(tx, actor)) };
}

/**
 * Standings, each remembered for a second: a busy client costs one query a second and not one a request. Good for letting
 * a request in; whoever changes anything by them asks `lockStanding`.
 */
export interface Standings {
  read(owner: SessionOwner): Promise<Standing>;
  /** Forgets what is remembered of the user's sessions: on this instance a change counts at once. */
  forgetUser(userId: string): void;
}

const rememberedMs = 1_000;
const maxRemembered = 10_000;

export function createStandings(db: Db): Standings {
  const remembered = new LRUCache<string, { userId: string; standing: Promise<Standing> }>({
    max: maxRemembered,
    ttl: rememberedMs,
  });

  return {
    read(owner) {
      const known = remembered.get(owner.sessionId);
      if (known !== undefined && known.userId === owner.userId) return known.standing;
      const standing = readStanding(db, owner);
      const entry = { userId: owner.userId, standing };
      remembered.set(owner.sessionId, entry);
      standing.catch(() => {
        if (remembered.get(owner.sessionId) === entry) remembered.delete(owner.sessionId);
      });
      return standing;
    },

    forgetUser(userId) {
      for (const [sessionId, entry] of remembered) {
        if (entry.userId === userId) remembered.delete(sessionId);
      }
    },
  };
}
