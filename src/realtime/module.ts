// What a module is made of. `modules/index.ts` lists them; the core knows none by name.

import type { Static, TSchema } from '@sinclair/typebox';
import type { AnyElysia } from 'elysia';
import type { Db } from '../db/connect.ts';
import type { EventPosition } from '../protocol/envelope.ts';
import type { TopicKindName } from '../protocol/topics.ts';
import type { Actor } from './actor.ts';

/** What comes with a command beside its payload. */
export interface Call {
  /** The envelope's idempotency key, for commands that take one. [K1] */
  readonly key: string | undefined;
  /** The envelope's topic, for commands that take one. */
  readonly topic: string | undefined;
  /** For commands with a lane: the request has its place in the lane's order; the next one may follow. */
  readonly entered: () => void;
}

/** A request over the socket. Its payload fits `input` when `run` is called. [E5] */
export interface Command {
  readonly type: string;
  readonly input: TSchema;
  readonly takesKey: boolean;
  readonly takesTopic: boolean;
  /**
   * Commands of one connection run one after another. Neighbours in the same lane need not wait for each other's end:
   * whatever stands behind the lane (a group commit) keeps the order in which they entered. [E6]
   */
  readonly lane: string | undefined;
  /** The reply's payload; a refusal is thrown as an AppError. */
  run(actor: Actor, input: unknown, call: Call): Promise<object | undefined>;
}

/** Ties a handler to the type of its schema, and forgets it again for the list of commands. */
export function defineCommand<Input extends TSchema>(command: {
  type: string;
  input: Input;
  takesKey?: boolean;
  takesTopic?: boolean;
  lane?: string;
  run(actor: Actor, input: Static<Input>, call: Call): Promise<object | undefined>;
}): Command {
  return {
    type: command.type,
    input: command.input,
    takesKey: command.takesKey ?? false,
    takesTopic: command.takesTopic ?? false,
    lane: command.lane,
    // Dispatch has checked the payload against this very schema.
    run: (actor, input, call) => command.run(actor, input as Static<Input>, call),
  };
}

/** One kind of topic: who may follow it, and what its state is. */
export interface TopicKind {
  readonly kind: TopicKindName;
  /** Presence is announced on topics of this kind. [P1] */
  readonly hasPresence: boolean;
  /**
   * Those of the topics, by their ids, that the actor may follow, in the snapshot of `db`; what does not exist is none of
   * them. [S5] In one query: up to 100 are asked for at once.
   */
  findFollowable(db: Db, actor: Actor, ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** The state at the head that the same transaction sees. Absent: this kind has none. [S3] */
  readSnapshot?(tx: Db, actor: Actor, id: string): Promise<object>;
}

export interface Module {
  readonly name: string;
  readonly topicKinds: readonly TopicKind[];
  readonly commands: readonly Command[];
  readonly routes: AnyElysia;
}

/** An event without a seq: live only, never in the log. */
export interface EphemeralEvent {
  readonly topic: string;
  readonly type: string;
  /** Any JSON. */
  readonly payload: unknown;
  readonly actor: Actor | undefined;
  /** Not delivered to this user's connections. */
  readonly exceptUserId?: string;
  /** Not delivered to connections that hear of this durable event itself, or have, and be it that they left since. */
  readonly exceptHearersOf?: EventPosition;
}

/** Sends an ephemeral event to whoever follows its topic now, on every instance. Never waits, never fails. */
export type Announce = (event: EphemeralEvent) => void;
