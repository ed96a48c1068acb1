// The client as its users see it: commands, topics and events by their names, with the types that the server declares.

import type { EventFrame } from '../protocol/frames.ts';
import type { Client as UntypedClient } from './client.ts';
import { isEvent as isAnyEvent, type ServerFrame } from './connection.ts';
import type { Commands, KindOf, Kinds } from './declarations.ts';
import type { AnyEvents } from './listeners.ts';
import type { Topic as UntypedTopic } from './topic.ts';

export type CommandName = keyof Commands;
export type PayloadOf<Name extends CommandName> = Commands[Name]['payload'];
export type OutputOf<Name extends CommandName> = Commands[Name]['output'];

/** What happens there is live alone, so no state can be kept of it; `admin.job.list` asks for one. */
type Unkept = 'admin-jobs';

/** The state that is kept of a topic of this name; unknown where the name says nothing. */
export type StateOf<Name extends string> = [KindOf<Name>] extends [never]
  ? unknown
  : KindOf<Name> extends Unkept
    ? undefined
    : Kinds[KindOf<Name>]['state'];
/** What happens on a topic of this name. */
export type EventsOf<Name extends string> = [KindOf<Name>] extends [never]
  ? AnyEvents
  : Kinds[KindOf<Name>]['events'];

export type Topic<Name extends string = string> = UntypedTopic<StateOf<Name>, EventsOf<Name>>;

/** The events that are declared, of one kind of topic after another. */
type Declared = {
  [Kind in keyof Kinds]: {
    [Type in keyof Kinds[Kind]['events'] as string extends Type ? never : Type]: Kinds[Kind]['events'][Type];
  };
}[keyof Kinds];

type NamesOf<Table> = Table extends unknown ? keyof Table & string : never;
type PayloadIn<Table, Type extends string> = Table extends { readonly [Name in Type]: infer Payload }
  ? Payload
  : never;

export type EventType = NamesOf<Declared>;
export type EventPayload<Type extends EventType> = PayloadIn<Declared, Type>;
/** An event of this type on whatever topic; '*': of any, also of those that are not declared. */
export type AnyEvent<Type extends EventType | '*'> = Type extends EventType
  ? EventFrame<Type, EventPayload<Type>>
  : EventFrame;

/** `key`: of one's own, where the command takes one. */
export interface SendOptions {
  readonly key?: string | undefined;
}

/** Payload and options of a command, as far as it needs them. */
export type SendArguments<Name extends CommandName> = Commands[Name]['takesTopic'] extends true
  ? [payload: PayloadOf<Name>, options: SendOptions & { readonly topic: string }]
  : Record<string, never> extends PayloadOf<Name>
    ? [payload?: PayloadOf<Name>, options?: SendOptions]
    : [payload: PayloadOf<Name>, options?: SendOptions];

export type Send = <Name extends CommandName>(
  name: Name,
  ...rest: SendArguments<Name>
) => Promise<OutputOf<Name>>;

/** See the class for what each of them promises. */
export interface Client extends Omit<UntypedClient, 'send' | 'topic' | 'on'> {
  /**
   * Sends a command and answers its output. What takes a key gets one, and it and what changes nothing is sent until it is
   * answered; any other command fails with Disconnected where its answer does not come. Throws Refused where the server says no.
   */
  readonly send: Send;
  /** Follows the topic over all connections, with its state where its kind has one; asked again, the same one. */
  topic<const Name extends string>(name: Name): Topic<Name>;
  on<Type extends EventType | '*'>(type: Type, listener: (event: AnyEvent<Type>) => void): () => void;
}

/** Whether the frame is an event, of this type. */
export function isEvent(frame: ServerFrame): frame is EventFrame;
export function isEvent<Type extends EventType>(
  frame: ServerFrame,
  type: Type,
): frame is EventFrame<Type, EventPayload<Type>>;
export function isEvent(frame: ServerFrame, type?: string): boolean {
  return isAnyEvent(frame) && (type === undefined || frame.type === type);
}
