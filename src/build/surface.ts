// What a client meets of a server, read off the declarations of its modules: commands, kinds of topic, events, and the shapes
// that have a name.

import { hoist, type JsonSchema } from '../http/named-schemas.ts';
import {
  ClientFrame,
  EventMeta,
  EventPosition,
  SubscribeRequest,
  WelcomePayload,
} from '../protocol/envelope.ts';
import { WireError } from '../protocol/errors.ts';
import type { Module } from '../realtime/index.ts';
import { listKinds } from '../realtime/module.ts';
import type { Operation } from '../realtime/operation.ts';
import { presenceEvents } from '../realtime/presence/presence.ts';
import { coreCommandSpecs } from '../realtime/socket/commands.ts';
import { payloadOf } from '../realtime/socket/operations.ts';

export interface SurfaceCommand {
  readonly type: string;
  readonly takesTopic: boolean;
  readonly takesKey: boolean;
  readonly payload: object;
  /** Undefined: nothing is answered but `ok`. */
  readonly reply: object | undefined;
  readonly writes: Operation['writes'];
}

export interface Surface {
  readonly commands: readonly SurfaceCommand[];
  readonly topics: readonly {
    readonly kind: string;
    readonly name: string;
    readonly snapshot: object | undefined;
  }[];
  readonly events: readonly {
    readonly type: string;
    /** Kinds of topic. */
    readonly on: readonly string[];
    readonly payload: object;
  }[];
  readonly shapes: Readonly<Record<string, object>>;
}

export function readSurface(modules: readonly Module[]): Surface {
  const kinds = listKinds(modules);
  const tables = [presenceEvents(kinds), ...modules.map((module) => module.events)];
  const named = new Map<string, JsonSchema>();
  const { wire, ...surface } = hoist(
    {
      wire: { ClientFrame, EventMeta, EventPosition, SubscribeRequest, WelcomePayload, WireError },
      commands: [
        ...Object.values(coreCommandSpecs).map(({ type, takesTopic, input, reply }) => ({
          ...{ type, takesTopic, takesKey: false, payload: input, reply },
          writes: false as const,
        })),
        ...modules
          .flatMap(({ operations }) => operations)
          .filter(({ socket }) => socket !== false)
          .map(describeOperation),
      ],
      topics: kinds.map(({ kind, form, snapshot }) => ({ kind, name: form, snapshot: snapshot?.schema })),
      events: tables
        .flatMap((table) => Object.entries(table))
        .map(([type, { on, liveOn = [], payload }]) => ({ type, on: [...on, ...liveOn], payload })),
    },
    named,
  );
  // What has a title of the same name is among the others.
  const unnamed = Object.entries(wire).filter(([name]) => !named.has(name));
  return { ...surface, shapes: { ...Object.fromEntries(named), ...Object.fromEntries(unnamed) } };
}

function describeOperation(operation: Operation): SurfaceCommand {
  const { name, takesTopic = false, takesKey = false, output, writes } = operation;
  return { type: name, takesTopic, takesKey, payload: payloadOf(operation), reply: output, writes };
}
