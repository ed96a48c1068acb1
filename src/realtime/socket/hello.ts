// Who connects: credentials, the welcome, renewal in place, and expiry. [H]

import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import {
  type ClientFrame,
  closeCodes,
  FrameId,
  protocolVersion,
  subprotocol,
  type WelcomePayload,
} from '../../protocol/envelope.ts';
import { AppError } from '../../protocol/errors.ts';
import { userTopic } from '../../protocol/topics.ts';
import type { Telemetry } from '../../telemetry/tracing.ts';
import type { Actor, Device } from '../actor.ts';
import type { ConnectionCounts } from '../counts/counts.ts';
import type { Hub } from '../hub/hub.ts';
import type { Stream } from '../hub/stream.ts';
import type { Presence } from '../presence/presence.ts';
import type { Reporter } from '../report.ts';
import type { Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import { type Reply, sendError } from './dispatch.ts';

/** What a valid access token says. */
export interface Credentials {
  readonly actor: Actor;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** A token that brought nobody in. */
export interface RejectedLogin {
  readonly device: Device | undefined;
  /** Whose it is, where it is good but its session is over. */
  readonly actor: Actor | undefined;
  /** Why the session ended, or `bad token`. */
  readonly reason: string;
}

export interface HelloDeps {
  readonly hub: Hub;
  readonly connections: Connections;
  readonly presence: Presence;
  /** Checks the token alone; throws `unauthorized`. */
  readonly verify: (token: string) => Promise<Credentials>;
  /** Whether session and user are still good, read now; throws `unauthorized`. Answers the actor with its current role. */
  readonly confirm: (actor: Actor) => Promise<Actor>;
  /** A user came or went; for "last seen". */
  readonly onSeen: (userId: string) => void;
  readonly onRejected: (login: RejectedLogin) => void;
  /** A user has as many connections as there may be. */
  readonly onLimited: (actor: Actor, limit: 'connections') => void;
  readonly reporter: Pick<Reporter, 'toRefusal'>;
  readonly telemetry: Telemetry;
  readonly instanceId: string;
  readonly limits: WelcomePayload['limits'];
  readonly counts: Pick<ConnectionCounts, 'enter' | 'leave'>;
  /** On all instances; 0: none. */
  readonly maxConnectionsPerUser: number;
}

export interface Hello {
  /** Makes the connection live, and says nothing. Throws `unauthorized`, `rate_limited` and `unavailable`. */
  admit(connection: Connection, token: string): Promise<Credentials>;
  /** Makes the connection live and welcomes it, or refuses and closes it. Never throws. */
  greet(connection: Connection, token: string, replyId?: string): Promise<void>;
  /** The first frame, where the upgrade brought no token. [H1] */
  greetByFrame(
    connection: Connection,
    frame: ClientFrame | undefined,
    replyId: string | undefined,
  ): Promise<void>;
  /** `auth` on a live connection. [H4] */
  renew(connection: Connection, token: string): Promise<Reply>;
  /** Warns of expiry, and closes what has expired or never said who it is. Call it often. */
  sweep(nowMs: number): void;
  /** The connection is gone. */
  leave(connection: Connection): void;
}

export const AuthPayload = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: 8_192 }) },
  {
    additionalProperties: false,
  },
);
export type AuthPayload = Static<typeof AuthPayload>;

/** Like `auth` on a live connection it takes neither topic nor key. */
const AuthFrame = Type.Object(
  { id: Type.Optional(FrameId), type: Type.Literal('auth'), payload: AuthPayload },
  { additionalProperties: false },
);

/** How long a connection may stay without credentials. [H1] */
export const greetingMs = 10_000;

/** `auth.expiring` comes this long before expiry, or at half of a shorter token's life; at once where that is past. [H4] */
const warningMs = 60_000;

/** How often a client may ping, so that every proxy on the way keeps the connection. */
const heartbeatMs = 30_000;

/** The first credentials found in an upgrade request: header, subprotocol, query. [H1] */
export function findToken(request: Request): string | undefined {
  const bearer = bearerPattern.exec(request.headers.get('authorization') ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const offered = offeredProtocols(request).find((protocol) => protocol.startsWith('bearer.'));
  if (offered !== undefined) return offered.slice('bearer.'.length);
  return new URL(request.url).searchParams.get('token') ?? undefined;
}

/** Made once: in place, it would be a new object for every connection. */
const bearerPattern = /^Bearer +(\S+)$/i;

/** The subprotocol to answer with; undefined where the client did not offer ours. */
export function chooseProtocol(request: Request): string | undefined {
  return offeredProtocols(request).find((protocol) => protocol === subprotocol);
}

export function createHello(deps: HelloDeps): Hello {
  /**
   * Read again while the user's stream moves: what it brought, a revocation or another role, came too late for the
   * reading and too early to find this connection among the live ones. [H5]
   */
  const confirmAt = async (stream: Stream, actor: Actor): Promise<Actor> => {
    for (;;) {
      const { position } = stream;
      const confirmed = await deps.confirm(actor);
      if (stream.position === position) return confirmed;
    }
  };

  const { maxConnectionsPerUser, counts } = deps;
  const leaveRoom = (userId: string): void => {
    if (maxConnectionsPerUser > 0) counts.leave('user', userId);
  };
  /** Throws `rate_limited`. */
  const takeRoom = async (actor: Actor): Promise<void> => {
    if (maxConnectionsPerUser === 0 || (await counts.enter('user', actor.userId)) <= maxConnectionsPerUser)
      return;
    leaveRoom(actor.userId);
    deps.onLimited(actor, 'connections');
    throw tooManyConnections(maxConnectionsPerUser);
  };

  const verify = async ({ device }: Connection, token: string): Promise<Credentials> => {
    try {
      return await deps.verify(token);
    } catch (error) {
      if (isUnauthorized(error)) deps.onRejected({ device, actor: undefined, reason: 'bad token' });
      throw error;
    }
  };

  const admit: Hello['admit'] = async (connection, token) => {
    const credentials = await verify(connection, token);
    const actor: Actor = { ...credentials.actor, device: connection.device };
    await takeRoom(actor);
    const stream = await deps.hub.follow(userTopic(actor.userId)).catch((error: unknown) => {
      leaveRoom(actor.userId);
      throw error;
    });
    try {
      const confirmed = await confirmAt(stream, actor);
      if (connection.isClosed) throw new AppError('unavailable', 'The connection was closed.');
      // Given up meanwhile, it would bring no revocation.
      if (!deps.hub.serves(stream)) throw new AppError('unavailable', 'Try again.', { retryAfterMs: 1_000 });
      connection.userStream = stream;
      connection.phase = live(confirmed, credentials);
    } catch (error) {
      deps.hub.unfollow(stream);
      leaveRoom(actor.userId);
      const { device } = connection;
      if (isUnauthorized(error)) deps.onRejected({ device, actor, reason: reasonOf(error) });
      throw error;
    }
    deps.connections.addLive(connection);
    deps.presence.connect(connection.userId);
    deps.onSeen(connection.userId);
    return credentials;
  };

  const greet: Hello['greet'] = async (connection, token, replyId) => {
    try {
      const credentials = await admit(connection, token);
      if (replyId !== undefined) connection.send(JSON.stringify({ type: 'ok', id: replyId }));
      connection.send(JSON.stringify({ type: 'welcome', payload: welcome(deps, connection, credentials) }));
    } catch (error) {
      const refusal = deps.reporter.toRefusal(error, 'greeting a connection');
      deps.telemetry.metrics.errors.of('socket', refusal.code).add();
      sendError(connection, replyId, refusal);
      connection.close(closeCodeOf(refusal), refusal.message);
    }
  };

  return {
    admit,
    greet,
    async greetByFrame(connection, frame, replyId) {
      if (frame !== undefined && Value.Check(AuthFrame, frame)) {
        await greet(connection, frame.payload.token, replyId);
        return;
      }
      const message = 'The first frame must be { "type": "auth", "payload": { "token": "…" } }.';
      deps.telemetry.metrics.errors.of('socket', 'unauthorized').add();
      sendError(connection, replyId, new AppError('unauthorized', message));
      connection.close(closeCodes.unauthorized, 'The first frame must be auth.');
    },
    async renew(connection, token) {
      const next = await deps.verify(token);
      const { actor, phase } = connection;
      if (phase.name !== 'live') throw new AppError('unavailable', 'The connection was closed.');
      if (next.actor.userId !== actor.userId || next.actor.sessionId !== actor.sessionId) {
        throw new AppError('forbidden', 'Renew with a token of the same user and session, or connect anew.');
      }
      // The token that ends last counts, whole: the grants of an older one do not outlive it on this connection.
      if (next.expiresAtMs < phase.expiresAtMs)
        return { payload: { expiresAt: toInstant(phase.expiresAtMs) } };
      connection.phase = live({ ...actor, topicGrants: next.actor.topicGrants }, next);
      return { payload: { expiresAt: toInstant(next.expiresAtMs) } };
    },
    sweep(nowMs) {
      for (const connection of deps.connections.all) sweepOne(connection, nowMs);
    },
    leave(connection) {
      if (connection.userStream === undefined) return;
      deps.hub.unfollow(connection.userStream);
      connection.userStream = undefined;
      deps.connections.removeLive(connection);
      leaveRoom(connection.userId);
      deps.presence.disconnect(connection.userId);
      deps.onSeen(connection.userId);
    },
  };
}

function live(actor: Actor, { issuedAtMs, expiresAtMs }: Credentials): Connection['phase'] {
  const lifeMs = expiresAtMs - issuedAtMs;
  return { name: 'live', actor, expiresAtMs, warnAtMs: expiresAtMs - Math.min(warningMs, lifeMs / 2) };
}

function sweepOne(connection: Connection, nowMs: number): void {
  const { phase } = connection;
  switch (phase.name) {
    case 'closed':
      return;
    case 'greeting':
      if (nowMs < phase.deadlineMs) return;
      sendError(connection, undefined, new AppError('unauthorized', 'No credentials came in time.'));
      connection.close(closeCodes.authTimeout, 'No credentials came in time.');
      return;
    case 'live':
      if (nowMs >= phase.expiresAtMs) {
        sendError(connection, undefined, new AppError('unauthorized', 'The access token has expired.'));
        connection.close(closeCodes.unauthorized, 'The access token has expired.');
      } else if (nowMs >= phase.warnAtMs) {
        connection.phase = { ...phase, warnAtMs: Number.POSITIVE_INFINITY };
        const payload = { expiresAt: toInstant(phase.expiresAtMs) };
        connection.send(JSON.stringify({ type: 'auth.expiring', payload }));
      }
      return;
  }
}

function welcome(deps: HelloDeps, connection: Connection, { expiresAtMs }: Credentials): WelcomePayload {
  return {
    connectionId: connection.id,
    userId: connection.userId,
    sessionId: connection.actor.sessionId,
    instanceId: deps.instanceId,
    protocol: protocolVersion,
    expiresAt: toInstant(expiresAtMs),
    heartbeatMs,
    limits: deps.limits,
  };
}

const toInstant = (ms: number): string => new Date(ms).toISOString();

function tooManyConnections(limit: number): AppError {
  return new AppError('rate_limited', `A user may have ${limit} connections. Close another one first.`, {
    retryAfterMs: 1_000,
  });
}

const isUnauthorized = (error: unknown): error is AppError =>
  error instanceof AppError && error.code === 'unauthorized';

/** As the refusal says it. [H5] */
function reasonOf({ details }: AppError): string {
  const isTold = typeof details === 'object' && details !== null && 'reason' in details;
  return isTold ? String(details.reason) : 'ended';
}

function closeCodeOf(refusal: AppError): number {
  const isOurs =
    refusal.code === 'rate_limited' || refusal.code === 'unavailable' || refusal.code === 'internal';
  return isOurs ? closeCodes.overloaded : closeCodes.unauthorized;
}

function offeredProtocols(request: Request): string[] {
  return (request.headers.get('sec-websocket-protocol') ?? '').split(',').map((protocol) => protocol.trim());
}
