// What a module is made of: kinds of topic and operations. `modules/index.ts` lists them; the core knows none by name.

import type { Db } from '../db/connect.ts';
import type { EventPosition } from '../protocol/envelope.ts';
import type { EphemeralType, EventTable, PayloadOf } from '../protocol/events.ts';
import type { Actor, Device } from './actor.ts';
import type { Commit } from './log/commit.ts';
import type { CreateGroup } from './log/group-commit.ts';
import type { Operation, RateLimit } from './operation.ts';
import type { Presence } from './presence/presence.ts';
import type { Topic, TopicKind } from './topic-kind.ts';

/** What modules stand on. */
export interface ModuleCore {
  readonly db: Db;
  readonly commit: Commit;
  /** For writes that are many and small. */
  readonly createGroup: CreateGroup;
  readonly announce: Announce;
  readonly presence: Pick<Presence, 'list' | 'devicesOf'>;
  /** The actor with the role that the user has now; throws `unauthorized` where the session has ended. */
  confirm(actor: Actor): Promise<Actor>;
  /** Counts one for the user; throws `rate_limited` with `retryAfterMs`. Call it outside of transactions. */
  takeLimit(limit: RateLimit, actor: Actor): Promise<void>;
  /** After how many ms to ask again; 0: this is the one of its second for this key, on all instances. */
  takeSecond(key: string): Promise<number>;
  /** Adds to the audit log; given a transaction, it stands or falls with it. */
  audit(db: Db, ...entries: AuditEntry[]): Promise<void>;
  /** Of what failed beside the answer: a bug is logged as one, what passes by itself as that. */
  report(error: unknown, what: string): void;
}

export interface AuditEntry {
  readonly event: string;
  readonly userId?: string | undefined;
  readonly device?: Device | undefined;
  /** Plain data, never a secret. */
  readonly details?: Record<string, unknown> | undefined;
}

export interface Module {
  readonly name: string;
  readonly topicKinds: readonly TopicKind[];
  readonly operations: readonly Operation[];
  /** Its table of events, also of what it has on other modules' kinds of topic. */
  readonly events: EventTable;
  /** What it writes into the audit log. */
  readonly auditEvents: readonly string[];
  /** The headings in the documents, with a line about each. */
  readonly tags: Readonly<Record<string, string>>;
}

/** A module as it is listed: it starts once for each server. */
export type DefinedModule = (core: ModuleCore) => Module;

/** `operations`: the list, or what makes it for one server where operations share something that lives in memory. */
export function defineModule<const Operations extends readonly Operation[]>(
  name: string,
  parts: {
    readonly topicKinds?: readonly TopicKind[];
    readonly events?: EventTable;
    readonly auditEvents?: readonly string[];
    readonly tags?: Readonly<Record<string, string>>;
    readonly operations: Operations | ((core: ModuleCore) => Operations);
  },
): (core: ModuleCore) => Module & { readonly operations: Operations } {
  return (core) => ({
    name,
    topicKinds: parts.topicKinds ?? [],
    events: parts.events ?? {},
    auditEvents: parts.auditEvents ?? [],
    tags: parts.tags ?? {},
    operations: typeof parts.operations === 'function' ? parts.operations(core) : parts.operations,
  });
}

/** Who is told of an ephemeral event, and who not. */
export interface Audience {
  readonly actor: Actor | undefined;
  /** Not delivered to this user's connections. */
  readonly exceptUserId?: string;
  /** Not delivered to connections that hear of this durable event itself, or have, and be it that they left since. */
  readonly exceptHearersOf?: EventPosition;
}

/** Sends an ephemeral event to whoever follows its topic now, on every instance. Never waits, never fails. */
export type Announce = <Events extends EventTable, Type extends EphemeralType<Events>>(
  on: Topic<Events>,
  type: Type,
  payload: PayloadOf<Events, Type>,
  audience: Audience,
) => void;
