// What can be said over the socket, as JSON at /socket/json: every command, every kind of topic, every event, written from
// the declarations. The counterpart of the OpenAPI document; the envelopes around it are in PROTOCOL.md.

import { Elysia } from 'elysia';
import type { EventTable } from '../protocol/events.ts';
import type { Module } from '../realtime/index.ts';
import { type Operation, refusalsOf } from '../realtime/operation.ts';
import { payloadOf } from '../realtime/socket/operations.ts';
import type { TopicKind } from '../realtime/topic-kind.ts';
import { hoist, type JsonSchema } from './named-schemas.ts';

export interface SocketParts {
  /** Those without modules of their own, too. */
  readonly topicKinds: readonly TopicKind[];
  readonly modules: readonly Module[];
  /** Of the core and of auth. */
  readonly events: EventTable;
}

export function createSocketDocs(parts: SocketParts) {
  let document: object | undefined;
  return new Elysia({ prefix: '/socket', normalize: false }).get('/json', () => {
    document ??= describeSocket(parts); // at the first request: an instance should not start later for it
    return document;
  });
}

export function describeSocket({ topicKinds, modules, events }: SocketParts) {
  const operations = modules.flatMap((module) => module.operations).filter(({ socket }) => socket !== false);
  const tables = [events, ...modules.map((module) => module.events)];
  const named = new Map<string, JsonSchema>();
  const parts = hoist(
    {
      commands: operations.map(describeCommand),
      topics: topicKinds.map(describeKind),
      events: tables.flatMap((table) =>
        Object.entries(table).map(([type, { on, payload, isDurable }]) => ({ type, on, isDurable, payload })),
      ),
    },
    named,
  );
  return { ...parts, components: { schemas: Object.fromEntries([...named].sort()) } };
}

function describeCommand(operation: Operation) {
  const { name, summary, description, takesKey = false, takesTopic = false, output, writes } = operation;
  return {
    type: name,
    summary,
    description,
    takesTopic,
    takesKey,
    payload: payloadOf(operation),
    /** The payload of the `ok`. */
    reply: output,
    /** Whether `events` stands beside it. [O3] */
    writes,
    refuses: refusalsOf(operation),
  };
}

function describeKind({ kind, form, hasPresence, snapshot }: TopicKind) {
  return { kind, name: form, hasPresence, snapshot: snapshot?.schema };
}
