// A module's table of events, as data: type → kinds of topic → payload → durable or not. It stands in the module's
// `contract.ts`; `emit` and `announce` take only what it has, and the documents are written from it. Browser-safe.

import type { Static, TSchema } from '@sinclair/typebox';

export interface EventSpec<
  Kind extends string = string,
  Payload extends TSchema = TSchema,
  IsDurable extends boolean = boolean,
> {
  /** The kinds of topic that the event appears on. On several at once: one event id, a seq on each. [E3] */
  readonly on: readonly Kind[];
  readonly payload: Payload;
  /** In the log, with a seq, and replayed; else live only. [E3] */
  readonly isDurable: IsDurable;
}

export type EventTable = Readonly<Record<string, EventSpec>>;

export function durable<const Kind extends string, Payload extends TSchema>(
  on: readonly Kind[],
  payload: Payload,
): EventSpec<Kind, Payload, true> {
  return { on, payload, isDurable: true };
}

export function ephemeral<const Kind extends string, Payload extends TSchema>(
  on: readonly Kind[],
  payload: Payload,
): EventSpec<Kind, Payload, false> {
  return { on, payload, isDurable: false };
}

/** The part of a table that appears on one kind of topic. */
export type EventsOn<Table extends EventTable, Kind extends string> = {
  readonly [Type in keyof Table as Kind extends Table[Type]['on'][number] ? Type : never]: Table[Type];
};

/** In a table that says nothing (`app:` topics) any type is both. */
export type DurableType<Table extends EventTable> = {
  [Type in keyof Table]: Table[Type]['isDurable'] extends false ? never : Type;
}[keyof Table] &
  string;

export type EphemeralType<Table extends EventTable> = {
  [Type in keyof Table]: Table[Type]['isDurable'] extends true ? never : Type;
}[keyof Table] &
  string;

export type PayloadOf<Table extends EventTable, Type extends keyof Table> = Static<Table[Type]['payload']>;

/** Each durable event of a kind of topic with its payload: what a module's `apply` goes through. */
export type DurableEvent<Table extends EventTable, Kind extends string> = {
  [Type in DurableType<EventsOn<Table, Kind>>]: {
    readonly type: Type;
    readonly payload: PayloadOf<EventsOn<Table, Kind>, Type>;
  };
}[DurableType<EventsOn<Table, Kind>>];
