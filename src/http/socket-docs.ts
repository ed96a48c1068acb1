// What can be said over the socket, as JSON at /socket/json: every command, every kind of topic, every event, written from
// the declarations. The counterpart of the OpenAPI document; the envelopes around it are in PROTOCOL.md.

import type { TSchema } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { protocolVersion } from '../protocol/envelope.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { EventTable } from '../protocol/events.ts';
import type { Module } from '../realtime/index.ts';
import { listKinds } from '../realtime/module.ts';
import { type Operation, refusalsOf } from '../realtime/operation.ts';
import { presenceEvents } from '../realtime/presence/presence.ts';
import { coreCommandSpecs } from '../realtime/socket/commands.ts';
import { payloadOf } from '../realtime/socket/operations.ts';
import type { TopicKind } from '../realtime/topic-kind.ts';
import { info } from './docs.ts';
import { exampleOf } from './examples.ts';
import { hoist, type JsonSchema } from './named-schemas.ts';

export function createSocketDocs(modules: readonly Module[]) {
  let document: object | undefined;
  return new Elysia({ prefix: '/socket', normalize: false }).get('/json', () => {
    document ??= describeSocket(modules); // at the first request: an instance should not start later for it
    return document;
  });
}

export function describeSocket(modules: readonly Module[]) {
  const topicKinds = listKinds(modules);
  const operations = modules.flatMap((module) => module.operations).filter(({ socket }) => socket !== false);
  const named = new Map<string, JsonSchema>();
  const parts = hoist(
    {
      commands: [
        ...Object.values(coreCommandSpecs).map(describeCoreCommand),
        ...operations.map(describeCommand),
      ],
      topics: topicKinds.map(describeKind),
      events: describeEvents([presenceEvents(topicKinds), ...modules.map((module) => module.events)]),
    },
    named,
  );
  const { title, version } = info;
  return {
    info: { title, version, protocol: protocolVersion, endpoint: '/ws' },
    ...parts,
    components: { schemas: Object.fromEntries([...named].sort()) },
  };
}

interface CoreCommandSpec {
  readonly type: string;
  readonly summary: string;
  readonly input: TSchema;
  readonly takesTopic: boolean;
  readonly reply: TSchema;
  readonly refuses: readonly ErrorCode[];
}

function describeCoreCommand({ type, summary, input, takesTopic, reply, refuses }: CoreCommandSpec) {
  return {
    type,
    summary,
    description: undefined,
    takesTopic,
    takesKey: false,
    late: false,
    payload: input,
    reply,
    writes: false,
    refuses: [...refuses, ...byAny],
    example: exampleFrame(type, takesTopic, input),
  };
}

function describeCommand(operation: Operation) {
  const { name, summary, description, takesKey = false, takesTopic = false, isLate = false } = operation;
  const { output, writes } = operation;
  const payload = payloadOf(operation);
  return {
    type: name,
    summary,
    description,
    takesTopic,
    takesKey,
    /** Whether it is answered behind later commands, and holds none back. [E6] */
    late: isLate,
    payload,
    /** The payload of the `ok`. */
    reply: output,
    /** Whether `events` stands beside it. [O3] */
    writes,
    refuses: [...new Set([...refusalsOf(operation), ...byAny])],
    example: exampleFrame(name, takesTopic, payload),
  };
}

/** What any command may be refused with. [X] */
const byAny: readonly ErrorCode[] = ['rate_limited', 'unavailable', 'internal'];

const exampleFrame = (type: string, takesTopic: boolean, payload: JsonSchema) => ({
  id: '1',
  type,
  ...(takesTopic && { topic: 'app:public.lobby' }),
  payload: exampleOf(payload),
});

const describeKind = ({ kind, form, hasPresence, snapshot }: TopicKind) => ({
  kind,
  name: form,
  hasPresence,
  snapshot: snapshot?.schema,
});

/** What several modules have, each on a kind of topic of its own, is one event; where it is live alone it is listed apart. */
function describeEvents(tables: readonly EventTable[]) {
  const byType = Map.groupBy(
    tables.flatMap((table) => Object.entries(table)),
    ([type]) => type,
  );
  return [...byType].flatMap(([type, entries]) => {
    const [first] = entries;
    if (first === undefined) return [];
    const { isDurable, payload } = first[1]; // the same in all of them, or the server had not started
    const live = entries.flatMap(([, { liveOn = [] }]) => liveOn);
    return [
      { type, on: entries.flatMap(([, { on }]) => on), isDurable, payload },
      ...(live.length > 0 ? [{ type, on: live, isDurable: false, payload }] : []),
    ];
  });
}
