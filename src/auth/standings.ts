// Whether a session is still good, and as whom: read from the database, since a token cannot know what became of them.

import { asc, inArray } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import { type Db, runStatement, toList } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import type { Role } from '../protocol/roles.ts';
import { type Actor, createBatcher } from '../realtime/index.ts';
import type { SessionEnd } from './contract.ts';
import { type userSessions, users } from './schema.ts';

export type Standing =
  | { readonly isLive: true; readonly role: Role }
  | { readonly isLive: false; readonly reason: SessionEnd | 'expired' };

export type SessionOwner = Pick<Actor, 'userId' | 'sessionId'>;

/** How the session and its user stand, in the snapshot of `db`. */
export async function readStanding(db: Db, owner: SessionOwner): Promise<Standing> {
  return (await readStandings(db, [owner])).get(nameOf(owner)) ?? revoked;
}

const revoked: Standing = { isLive: false, reason: 'revoked' };

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
  /** Not what is remembered: read after it is asked for, in one statement with what else is asked for meanwhile. */
  readNow(owner: SessionOwner): Promise<Standing>;
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
  const readNow = readTogether(db);

  return {
    readNow,
    read(owner) {
      const known = remembered.get(owner.sessionId);
      if (known !== undefined && known.userId === owner.userId) return known.standing;
      const standing = readNow(owner);
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

/** Workers ask with each job that they end, and 5,000 clients at once when they come back. */
function readTogether(db: Db): (owner: SessionOwner) => Promise<Standing> {
  return createBatcher<SessionOwner, Standing>({
    async run(owners) {
      const standings = await readStandings(db, owners);
      return {
        outcomes: owners.map((owner) => ({ isDone: true, result: standings.get(nameOf(owner)) ?? revoked })),
      };
    },
    maxBatch: 1_000,
    maxWaiting: Number.POSITIVE_INFINITY, // bounded by what connections may ask for
    onFailure() {}, // nothing is left to finish
  });
}

const nameOf = ({ userId, sessionId }: SessionOwner): string => `${userId} ${sessionId}`;

async function readStandings(
  db: Db,
  owners: readonly SessionOwner[],
): Promise<ReadonlyMap<string, Standing>> {
  const asked = [...new Map(owners.map((owner) => [nameOf(owner), owner])).values()];
  const rows = await runStatement<{
    user_id: string;
    session_id: string;
    role: Role;
    disabled_at: string | null;
    deleted_at: string | null;
    revoked_at: string | null;
    end_reason: SessionEnd | null;
    expires_at: string;
  }>(db, {
    name: 'read_standings',
    // Each looked up by its primary key: OFFSET keeps the planner from reading a table whole.
    text: `
      SELECT asked.user_id, asked.session_id, users.*, session.*
      FROM unnest(string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')::uuid[]) AS asked(user_id, session_id)
      CROSS JOIN LATERAL (
        SELECT revoked_at, end_reason, expires_at FROM user_sessions
        WHERE id = asked.session_id AND user_id = asked.user_id OFFSET 0
      ) AS session
      CROSS JOIN LATERAL (SELECT role, disabled_at, deleted_at FROM users WHERE id = asked.user_id OFFSET 0) AS users`,
    values: [toList(asked.map(({ userId }) => userId)), toList(asked.map(({ sessionId }) => sessionId))],
  });
  return new Map(
    rows.map((row) => [
      nameOf({ userId: row.user_id, sessionId: row.session_id }),
      standingOf({
        role: row.role,
        disabledAt: readTime(row.disabled_at),
        deletedAt: readTime(row.deleted_at),
        revokedAt: readTime(row.revoked_at),
        endReason: row.end_reason,
        expiresAt: new Date(row.expires_at),
      }),
    ]),
  );
}

const readTime = (text: string | null): Date | null => (text === null ? null : new Date(text));
