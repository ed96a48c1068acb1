// Who asks, over HTTP or the socket. Made by auth, carried unchanged down to the events that the request causes.

import type { EventMeta, Source } from '../protocol/envelope.ts';
import { AppError } from '../protocol/errors.ts';
import type { Role } from '../protocol/roles.ts';
import type { TraceContext } from '../telemetry/tracing.ts';

/** What an access token grants on `app:` topics: patterns of their names, in which `*` stands for any characters. */
export interface TopicGrants {
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
}

/** Where a request comes from: what sessions and the audit log remember of the other side. */
export interface Device {
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
  /** Of one request over HTTP: the limits that it counted for are noted here, for its answer. */
  readonly quotas?: Quota[];
}

/** A limit as a request found it. */
export interface Quota {
  readonly name: string;
  /** As the header `RateLimit-Policy` says it. */
  readonly policy: string;
  readonly remaining: number;
  readonly resetMs: number;
}

export interface Actor {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: Role;
  readonly source: Source;
  readonly device?: Device | undefined;
  /** Ties events to the request that caused them: the frame's id, or what a header of the request says. [E3] */
  readonly correlationId?: string;
  /** The span of the request, where it is traced. */
  readonly trace?: TraceContext | undefined;
  /** Absent: none. */
  readonly topicGrants?: TopicGrants | undefined;
}

/** The `meta` of an event that this actor caused. [E3] */
export function metaOf(actor: Actor | undefined): EventMeta {
  if (actor === undefined) return { source: 'system' };
  const meta: EventMeta = { actorId: actor.userId, source: actor.source };
  if (actor.correlationId !== undefined) meta.correlationId = actor.correlationId;
  return meta;
}

/** Throws `forbidden` unless the actor has one of the roles. */
export function requireRole(actor: Actor, roles: readonly Role[]): void {
  if (roles.includes(actor.role)) return;
  throw new AppError('forbidden', `Only users with the role ${roles.join(' or ')} may do this.`);
}
