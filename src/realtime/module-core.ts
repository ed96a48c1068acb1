// What modules stand on: the database, commits, announcements, limits and the audit log of one server.

import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import type { EventPosition } from '../protocol/envelope.ts';
import type { EphemeralType, EventTable, PayloadOf } from '../protocol/events.ts';
import type { Telemetry } from '../telemetry/tracing.ts';
import type { Actor, Device } from './actor.ts';
import type { Note } from './hub/trail.ts';
import type { CreateBatch } from './log/batch-commit.ts';
import type { Commit } from './log/commit.ts';
import type { CreateGroup } from './log/group-commit.ts';
import type { Presence } from './presence/presence.ts';
import type { Reporter } from './report.ts';
import type { Topic } from './topic-kind.ts';

export interface ModuleCore {
  readonly db: Db;
  readonly commit: Commit;
  /** For writes that are many and small, of one event each. */
  readonly createGroup: CreateGroup;
  /** For changes that are many and small. */
  readonly createBatch: CreateBatch;
  readonly announce: Announce;
  /** The same to followers on this instance alone: for what every instance says to its own. */
  readonly announceHere: Announce;
  /**
   * Called with every ephemeral event of the type, right behind its delivery, on instances where its topic is followed; not
   * with what is announced there alone. One observer a type. Must not throw.
   */
  observeAnnounced(type: string, observer: (event: AnnouncedEvent) => void): void;
  /** The names of all topics that somebody follows on this instance just now, of every kind: for what is said by `announceHere`. */
  followedTopics(): readonly string[];
  readonly presence: Pick<Presence, 'list' | 'devicesOf'>;
  /** Those of the users who do not show the viewer whether they are there, or were. [P4] */
  findHidden(viewerId: string, userIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** The actor with the role that the user has now; throws `unauthorized` where the session has ended. */
  confirm(actor: Actor): Promise<Actor>;
  /** Whether this server counts it at all. */
  isLimited(limit: RateLimit): boolean;
  /** Counts one for the user; throws `rate_limited` with `retryAfterMs`. Call it outside of transactions. */
  takeLimit(limit: RateLimit, actor: Actor): Promise<void>;
  /** After how many ms to ask again; 0: this is the one of its second for this key, on all instances. */
  takeSecond(key: string): Promise<number>;
  /** Adds to the audit log; given a transaction, it stands or falls with it. */
  audit(db: Db, ...entries: AuditEntry[]): Promise<void>;
  readonly reporter: Reporter;
  readonly telemetry: Telemetry;
  /** What this instance remembers of a durable event, in the order in which it happened; none: nothing, any more. */
  recallEvent(topic: string, seq: number): readonly Note[];
  /**
   * Something timed is due in so many ms: this instance looks for it then. Call it behind COMMIT; in a command, `wakeIn` of
   * its context does. Never fails.
   */
  wakeIn(ms: number): void;
  /** Aborted when the server begins to stop: whoever keeps a request waiting answers it then. The database is still open. */
  readonly draining: AbortSignal;
  /** For what a module starts: called once when the server stops, before the database closes. It must not fail. */
  onStop(stop: () => Promise<void>): void;
}

export interface AuditEntry {
  readonly event: string;
  readonly userId?: string | undefined;
  /** The session from which it came. */
  readonly sessionId?: string | undefined;
  readonly device?: Device | undefined;
  /** Plain data, never a secret. */
  readonly details?: Record<string, unknown> | undefined;
}

/** Reads one kind of audit event from where it stands anyway, newest first: by `at`, then by `id`. */
export type ReadAudit = (
  db: Db,
  asked: {
    readonly userId: string | undefined;
    readonly since: Date | undefined;
    /** Only what is older than this one. */
    readonly before: { readonly at: Date; readonly id: string } | undefined;
    readonly limit: number;
  },
) => Promise<
  readonly {
    readonly id: string;
    readonly at: Date;
    readonly userId: string;
    readonly details: Record<string, unknown>;
  }[]
>;

/** How often a user may do something, counted over all instances. */
export interface RateLimit {
  /** In the audit log and in the counters' keys. */
  readonly name: string;
  /** 0: as often as one likes. */
  readonly points: (config: Config) => number;
  readonly seconds: number;
}

/** Who is told of an ephemeral event, and who not. */
export interface Audience {
  readonly actor: Actor | undefined;
  /** Not delivered to the connections of these users. */
  readonly exceptUserIds?: readonly string[];
  /** Not delivered to connections that hear of this durable event itself, or have, and be it that they left since. */
  readonly exceptHearersOf?: EventPosition;
}

/** Of any module: the observer knows what its own look like. */
export interface AnnouncedEvent {
  readonly topic: string;
  readonly payload: unknown;
}

/** Sends an ephemeral event to whoever follows its topic now, on every instance. Never waits, never fails. */
export type Announce = <Events extends EventTable, Type extends EphemeralType<Events>>(
  on: Topic<Events>,
  type: Type,
  payload: PayloadOf<Events, Type>,
  audience: Audience,
) => void;
