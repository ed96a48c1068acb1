// Sessions: opened by a login, carried on by refresh tokens that are good once, ended for a reason that their
// connections are told. A session ends in the same transaction as its `session.revoked` on `user:<id>`. [H5]
//
// Refresh tokens are good by generations. An exchange moves the session on to the next one. For some seconds behind that
// the tokens before still get successors of the present generation: answers are lost, and the tabs of a browser ask at
// once. All tokens of one generation are equal, whichever of them a client keeps; what is older was copied by someone.

import { Type } from '@sinclair/typebox';
import { and, desc, eq, gt, isNull, lt, ne, sql } from 'drizzle-orm';
import type { Config } from '../config.ts';
import { type Db, queryRows } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize, type Page, type PageRequest, readCursor, toPage } from '../protocol/paging.ts';
import { Id } from '../protocol/values.ts';
import type { Actor, Commit, Emit } from '../realtime/index.ts';
import { networkOf } from './address.ts';
import type { Audit } from './audit.ts';
import type { Session, SessionEnd, SignedIn } from './contract.ts';
import type { Device } from './device.ts';
import { userSessions, users } from './schema.ts';
import { type Standings, sessionEnded, standingOf } from './standings.ts';
import type { RefreshClaims, Tokens } from './tokens.ts';
import { userTopics } from './topics.ts';
import { hasEmail, toOwnUser, type UserRow } from './user-rows.ts';

/** A session as its owner gets it: freshly opened or refreshed. */
export interface OpenedSession {
  readonly id: string;
  readonly expiresAt: Date;
  readonly refreshToken: string;
}

export interface Sessions {
  /** Writes a new session. */
  open(tx: Db, userId: string, device: Device): Promise<OpenedSession>;
  /** Whether somebody logged in to the account from there before. */
  isKnown(email: string, device: Device): Promise<boolean>;
  /** What the client gets, once the transaction that opened the session has committed. */
  signIn(user: UserRow, session: OpenedSession): Promise<SignedIn>;
  /**
   * Exchanges a refresh token for new tokens, again for 10 s. Later it has been copied by someone, so it ends the session
   * for both. Throws `unauthorized`, with the reason where the session has ended.
   */
  refresh(refreshToken: string, device: Device): Promise<SignedIn>;
}

type RefreshOutcome =
  | { kind: 'unknown' }
  | { kind: 'ended'; reason: SessionEnd | 'expired' }
  | { kind: 'reused'; userId: string }
  | { kind: 'refreshed'; user: UserRow; session: OpenedSession };

const dayMs = 86_400_000;

/** How long behind its exchange a refresh token is answered again. RFC 9700 leaves that open; others take 0 to 60 s. */
const graceSeconds = 10;
/** So many exchanges are remembered: whoever makes more within the 10 s has no grace for the older ones. */
const maxRotations = 32;

const Position = Type.Tuple([Id]);

export function createSessions(deps: {
  config: Pick<Config, 'refreshTokenDays'>;
  db: Db;
  commit: Commit;
  audit: Audit;
  tokens: Tokens;
  standings: Standings;
}): Sessions {
  const { config, db, commit, audit, tokens, standings } = deps;

  async function signIn(user: UserRow, session: OpenedSession): Promise<SignedIn> {
    const claims = { userId: user.id, sessionId: session.id, role: user.role };
    const access = await tokens.signAccess(claims, session.expiresAt);
    return {
      accessToken: access.token,
      refreshToken: session.refreshToken,
      expiresAt: access.expiresAt.toISOString(),
      sessionId: session.id,
      user: toOwnUser(user),
    };
  }

  async function exchange(
    tx: Db,
    emit: Emit,
    presented: RefreshClaims,
    device: Device,
  ): Promise<RefreshOutcome> {
    // The lock lets exchanges of one session take turns, among each other and with its end.
    const [found] = await tx
      .select({ session: userSessions, user: users })
      .from(userSessions)
      .innerJoin(users, eq(users.id, userSessions.userId))
      .where(eq(userSessions.id, presented.sessionId))
      .for('no key update', { of: userSessions });
    if (found === undefined) return { kind: 'unknown' };
    const { session, user } = found;
    const standing = standingOf({ ...session, ...user });
    if (!standing.isLive) return { kind: 'ended', reason: standing.reason };
    const isCurrent = presented.generation === session.generation;
    if (!isCurrent && !(await isWithinGrace(tx, presented))) {
      await endOne(tx, emit, user.id, session.id, 'refresh_reused');
      const details = { sessionId: session.id };
      await audit.record(tx, { event: 'refresh_reuse', userId: user.id, ...details, device, details });
      return { kind: 'reused', userId: user.id };
    }
    const generation = session.generation + (isCurrent ? 1 : 0);
    const { rotatedAt } = userSessions;
    await tx
      .update(userSessions)
      .set({
        ...(isCurrent && {
          generation,
          rotatedAt: sql`(ARRAY[clock_timestamp()] || ${rotatedAt})[1:${sql.raw(`${maxRotations}`)}]`,
        }),
        lastUsedAt: new Date(),
        ip: device.ip,
        userAgent: device.userAgent,
      })
      .where(eq(userSessions.id, session.id));
    const refreshToken = tokens.createRefresh({ sessionId: session.id, generation });
    return {
      kind: 'refreshed',
      user,
      session: { id: session.id, expiresAt: session.expiresAt, refreshToken },
    };
  }

  return {
    async open(tx, userId, device) {
      const id = Bun.randomUUIDv7();
      const now = new Date();
      const expiresAt = new Date(now.getTime() + config.refreshTokenDays * dayMs);
      await tx.insert(userSessions).values({
        id,
        userId,
        userAgent: device.userAgent,
        ip: device.ip,
        network: networkOf(device.ip),
        expiresAt,
        createdAt: now,
        lastUsedAt: now,
      });
      return { id, expiresAt, refreshToken: tokens.createRefresh({ sessionId: id, generation: 0 }) };
    },

    async isKnown(email, device) {
      const network = networkOf(device.ip);
      if (network === undefined) return false;
      const rows = await db
        .select({ id: userSessions.id })
        .from(userSessions)
        .innerJoin(users, eq(users.id, userSessions.userId))
        .where(and(hasEmail(email), eq(userSessions.network, network)))
        .limit(1);
      return rows.length > 0;
    },

    signIn,

    async refresh(refreshToken, device) {
      const presented = tokens.readRefresh(refreshToken);
      if (presented === undefined) throw badRefresh();
      // The refusal is thrown behind COMMIT: the end of a stolen session must last.
      const { value: outcome } = await commit(undefined, (tx, emit) => exchange(tx, emit, presented, device));
      switch (outcome.kind) {
        case 'unknown':
          throw badRefresh();
        case 'ended':
          throw sessionEnded(outcome.reason);
        case 'reused':
          standings.forgetUser(outcome.userId);
          throw sessionEnded('refresh_reused');
        case 'refreshed':
          return signIn(outcome.user, outcome.session);
      }
    },
  };
}

/** The actor's live sessions, newest first. */
export async function listSessions(
  db: Db,
  actor: Actor,
  { limit = defaultPageSize, cursor }: PageRequest,
): Promise<Page<Session>> {
  const before = readCursor(Position, cursor);
  const rows = await db
    .select()
    .from(userSessions)
    .where(and(eq(userSessions.userId, actor.userId), isLive(), before && lt(userSessions.id, before[0])))
    .orderBy(desc(userSessions.id))
    .limit(limit + 1);
  return toPage(
    rows,
    limit,
    (row) => [row.id],
    (row) => ({
      id: row.id,
      userAgent: row.userAgent,
      ip: row.ip,
      createdAt: row.createdAt.toISOString(),
      lastUsedAt: row.lastUsedAt.toISOString(),
      expiresAt: row.expiresAt.toISOString(),
      current: row.id === actor.sessionId,
    }),
  );
}

/** Ends all live sessions of a user but `exceptId`. The caller makes the standings forget the user after COMMIT. */
export async function revokeAll(
  tx: Db,
  emit: Emit,
  userId: string,
  reason: SessionEnd,
  exceptId?: string,
): Promise<void> {
  const ended = await tx
    .update(userSessions)
    .set({ revokedAt: new Date(), endReason: reason })
    .where(
      and(
        eq(userSessions.userId, userId),
        isLive(),
        exceptId === undefined ? undefined : ne(userSessions.id, exceptId),
      ),
    )
    .returning({ id: userSessions.id });
  for (const { id } of ended) emitRevoked(emit, userId, id, reason);
}

/** By the database's clock, which is the same for all instances. A clock that was set back ends it like one that went on. */
async function isWithinGrace(tx: Db, { sessionId, generation }: RefreshClaims): Promise<boolean> {
  const [row] = await queryRows<{ is_within: boolean | null }>(
    tx,
    sql`
      SELECT abs(extract(epoch FROM clock_timestamp() - rotated_at[generation - ${generation}::int])) < ${graceSeconds} AS is_within
      FROM user_sessions WHERE id = ${sessionId}`,
  );
  return row?.is_within ?? false;
}

/** Answers when, or undefined where the user has no such live session. */
export async function endOne(
  tx: Db,
  emit: Emit,
  userId: string,
  sessionId: string,
  reason: SessionEnd,
): Promise<Date | undefined> {
  const revokedAt = new Date();
  const ended = await tx
    .update(userSessions)
    .set({ revokedAt, endReason: reason })
    .where(and(eq(userSessions.id, sessionId), eq(userSessions.userId, userId), isLive()))
    .returning({ id: userSessions.id });
  if (ended.length === 0) return undefined;
  emitRevoked(emit, userId, sessionId, reason);
  return revokedAt;
}

function emitRevoked(emit: Emit, userId: string, sessionId: string, reason: SessionEnd): void {
  emit(userTopics.on(userId), 'session.revoked', { sessionId, reason });
}

const isLive = () => and(isNull(userSessions.revokedAt), gt(userSessions.expiresAt, new Date()));

const badRefresh = () => new AppError('unauthorized', 'The refresh token is not valid. Log in again.');
