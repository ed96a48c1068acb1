// What a module is made of. `modules/index.ts` lists them; the core knows none by name.

import type { Static, TSchema } from '@sinclair/typebox';
import type { AnyElysia } from 'elysia';
import type { Db } from '../db/connect.ts';
import type { TopicKindName } from '../protocol/topics.ts';
import type { Actor } from './actor.ts';

/** A request over the socket. Its payload fits `input` when `run` is called. [E5] */
export interface Command {
  readonly type: string;
  readonly input: TSchema;
  /** The reply's payload; a refusal is thrown as an AppError. `key` is the envelope's, for commands that take one. */
  run(actor: Actor, input: unknown, key: string | undefined): Promise<object | undefined>;
  readonly takesKey: boolean;
}

/** Ties a handler to the type of its schema, and forgets it again for the list of commands. */
export function defineCommand<Input extends TSchema>(command: {
  type: string;
  input: Input;
  takesKey?: boolean;
  run(actor: Actor, input: Static<Input>, key: string | undefined): Promise<object | undefined>;
}): Command {
  return {
    type: command.type,
    input: command.input,
    takesKey: command.takesKey ?? false,
    // Dispatch has checked the payload against this very schema.
    run: (actor, input, key) => command.run(actor, input as Static<Input>, key),
  };
}

/** One kind of topic: who may follow it, and what its state is. */
export interface TopicKind {
  readonly kind: TopicKindName;
  /** Presence is announced on topics of this kind. [P1] */
  readonly hasPresence: boolean;
  /** Whether the actor may follow the topic, in the snapshot of `db`; false also where there is no such thing. [S5] */
  mayFollow(db: Db, actor: Actor, id: string): Promise<boolean>;
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
  readonly payload: object;
  readonly actor: Actor | undefined;
  /** Not delivered to this user's connections. */
  readonly exceptUserId?: string;
  /** Not delivered to connections that follow this topic: they hear of the matter there. */
  readonly exceptFollowersOf?: string;
}

/** Sends an ephemeral event to whoever follows its topic now, on every instance. Never waits, never fails. */
export type Announce = (event: EphemeralEvent) => void;
