// A module's table of events, as data: type → kinds of topic → payload → durable or not. It stands in the module's
// `contract.ts`; `emit` and `announce` take only what it has, and the documents are written from it. Browser-safe.

import type { Static, TSchema } from '@sinclair/typebox';

export interface EventSpec<
  Kind extends string = string,
  Payload extends TSchema = TSchema,
  IsDurable extends boolean = boolean,
  LiveKind extends string = string,
> {
  /** The kinds of topic that the event appears on. On several at once: one event id, a seq on each. [E3] */
  readonly on: readonly Kind[];
  readonly payload: Payload;
  /** In the log, with a seq, and replayed; else live only. [E3] */
  readonly isDurable: IsDurable;
  /** Of a durable event: further kinds on which it is told live alone, and no order is kept. Not one of `on`. */
  readonly liveOn?: readonly LiveKind[] | undefined;
}

export type EventTable = Readonly<Record<string, EventSpec>>;

export function durable<
  const Kind extends string,
  Payload extends TSchema,
  const LiveKind extends string = never,
>(
  on: readonly Kind[],
  payload: Payload,
  { liveOn }: { readonly liveOn?: readonly LiveKind[] } = {},
): EventSpec<Kind, Payload, true, LiveKind> {
  return { on, payload, isDurable: true, ...(liveOn && { liveOn }) };
}

export function ephemeral<const Kind extends string, Payload extends TSchema>(
  on: readonly Kind[],
  payload: Payload,
): EventSpec<Kind, Payload, false, never> {
  return { on, payload, isDurable: false };
}

/** The part of a table that appears on one kind of topic. */
export type EventsOn<Table extends EventTable, Kind extends string> = {
  readonly [Type in keyof Table as Kind extends KindOf<Table[Type]> ? Type : never]: Kind extends LiveKindOf<
    Table[Type]
  >
    ? EventSpec<Kind, Table[Type]['payload'], false, never>
    : Table[Type];
};

type LiveKindOf<Spec extends EventSpec> =
  Spec extends EventSpec<string, TSchema, boolean, infer LiveKind>
    ? string extends LiveKind
      ? never
      : LiveKind
    : never;
type KindOf<Spec extends EventSpec> = Spec['on'][number] | LiveKindOf<Spec>;

/** The same when it runs. */
export function findEventsOn(table: EventTable, kind: string): EventTable {
  return Object.fromEntries(
    Object.entries(table).flatMap(([type, spec]) => {
      if (spec.on.includes(kind)) return [[type, spec]];
      return spec.liveOn?.includes(kind) ? [[type, ephemeral([kind], spec.payload)]] : [];
    }),
  );
}

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
