// What a server declares for its socket, as the types of the client are written from it: every command, kind of topic and
// event, with its shapes by name.

import type { TSchema } from '@sinclair/typebox';
import { hoist, type JsonSchema } from '../http/named-schemas.ts';
import type { EventTable } from '../protocol/events.ts';
import type { Module } from '../realtime/index.ts';
import { listKinds } from '../realtime/module.ts';
import { presenceEvents } from '../realtime/presence/presence.ts';
import { coreCommandSpecs } from '../realtime/socket/commands.ts';
import { payloadOf } from '../realtime/socket/operations.ts';

export interface DeclaredCommand {
  readonly type: string;
  readonly takesTopic: boolean;
  readonly takesKey: boolean;
  readonly payload: object;
  /** Of the `ok`; undefined: nothing. */
  readonly reply: object | undefined;
  /** Whether `events` stands beside it. [O3] */
  readonly writes: boolean | 'sometimes';
}

export interface Declared {
  readonly commands: readonly DeclaredCommand[];
  readonly topics: readonly {
    readonly kind: string;
    readonly name: string;
    readonly snapshot?: object | undefined;
  }[];
  /** `on`: the kinds, those too on which it is told live alone. */
  readonly events: readonly {
    readonly type: string;
    readonly on: readonly string[];
    readonly payload: object;
  }[];
  readonly shapes: Readonly<Record<string, JsonSchema>>;
}

export function listDeclared(modules: readonly Module[]): Declared {
  const kinds = listKinds(modules);
  const shapes = new Map<string, JsonSchema>();
  const ofCore = Object.values(coreCommandSpecs).map(({ type, takesTopic, input, reply }) => {
    return { type, takesTopic, takesKey: false, payload: input, reply, writes: false };
  });
  const ofModules = modules
    .flatMap(({ operations }) => operations)
    .filter(({ socket }) => socket !== false)
    .map((operation) => {
      const { name, takesTopic = false, takesKey = false, output, writes } = operation;
      return { type: name, takesTopic, takesKey, payload: payloadOf(operation), reply: output, writes };
    });
  const hoisted = hoist(
    {
      commands: [...ofCore, ...ofModules],
      topics: kinds.map(({ kind, form, snapshot }) => ({ kind, name: form, snapshot: snapshot?.schema })),
      events: listEvents([presenceEvents(kinds), ...modules.map(({ events }) => events)]),
    },
    shapes,
  );
  return { ...hoisted, shapes: Object.fromEntries([...shapes].sort()) };
}

/** What several modules have, each on a kind of topic of its own, is one event. */
function listEvents(tables: readonly EventTable[]): { type: string; on: string[]; payload: TSchema }[] {
  const byType = Map.groupBy(
    tables.flatMap((table) => Object.entries(table)),
    ([type]) => type,
  );
  return [...byType].flatMap(([type, entries]) => {
    const [first] = entries;
    if (first === undefined) return [];
    const on = entries.flatMap(([, spec]) => [...spec.on, ...(spec.liveOn ?? [])]);
    return [{ type, on, payload: first[1].payload }]; // the same in all of them, or the server had not started
  });
}
