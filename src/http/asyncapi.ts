// The AsyncAPI document at /asyncapi.json: every command with its reply, every kind of topic, every event, written from the
// declarations. It speaks as a client does: it sends commands, and receives what happens. The counterpart of the OpenAPI
// document; what neither can say is in PROTOCOL.md.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { protocolVersion, subprotocol } from '../protocol/envelope.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { EventTable } from '../protocol/events.ts';
import { exampleId } from '../protocol/values.ts';
import { answerSchemaOf } from '../realtime/answer.ts';
import type { Module } from '../realtime/index.ts';
import { listKinds } from '../realtime/module.ts';
import { type Operation, refusalsOf } from '../realtime/operation.ts';
import { presenceEvents } from '../realtime/presence/presence.ts';
import { type CoreCommandSpec, coreCommandSpecs } from '../realtime/socket/commands.ts';
import { payloadOf } from '../realtime/socket/operations.ts';
import type { TopicKind } from '../realtime/topic-kind.ts';
import {
  type CommandFrame,
  commandMessage,
  errorMessage,
  eventMessage,
  type Message,
  noticeMessages,
  replyMessage,
} from './asyncapi-messages.ts';
import { info } from './docs.ts';
import { hoist, type JsonSchema } from './named-schemas.ts';

export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0';
  readonly info: object;
  readonly defaultContentType: string;
  readonly servers: Readonly<Record<string, object>>;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<Record<string, AsyncOperation>>;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: object;
    readonly correlationIds: object;
  };
}

/** The connection itself, or a kind of topic. */
interface Channel {
  /** The form of the topics' names. */
  readonly address: string | null;
  readonly title: string;
  readonly description: string;
  readonly messages: Readonly<Record<string, Ref>>;
  readonly parameters?: object;
  readonly bindings?: object;
  /** Presence is announced on topics of the kind. [P1] */
  readonly 'x-presence'?: boolean;
  /** What `snapshot` of a `Subscribed` is; absent: there is none. [S3] */
  readonly 'x-snapshot'?: JsonSchema;
}

/** A command, or the receiving of all that comes on a channel. */
interface AsyncOperation {
  readonly action: 'send' | 'receive';
  readonly channel: Ref;
  readonly summary: string;
  readonly description?: string;
  readonly tags?: readonly { readonly name: string }[];
  readonly messages: readonly Ref[];
  readonly reply?: { readonly channel: Ref; readonly messages: readonly Ref[] };
  /** A key may stand in the envelope. [K1] */
  readonly 'x-takesKey'?: boolean;
  /** Whether it writes events: their positions are in the reply. [O3] */
  readonly 'x-writes'?: boolean | 'sometimes';
  /** It is answered behind later commands, and holds none back. [E6] */
  readonly 'x-late'?: boolean;
  /** The codes with which it may be refused. [X] */
  readonly 'x-refuses'?: readonly ErrorCode[];
}

interface Ref {
  readonly $ref: string;
}

export function createSocketDocs(modules: readonly Module[]) {
  let document: AsyncApiDocument | undefined;
  return new Elysia({ normalize: false }).get('/asyncapi.json', () => {
    document ??= describeSocket(modules); // at the first request: an instance should not start later for it
    return document;
  });
}

export function describeSocket(modules: readonly Module[]): AsyncApiDocument {
  const kinds = listKinds(modules);
  const commands = listCommands(modules);
  const events = listEvents([presenceEvents(kinds), ...modules.map((module) => module.events)]);
  const spoken: Record<string, Message> = { error: errorMessage, ...noticeMessages };
  for (const { frame, reply } of commands) {
    spoken[`command.${frame.type}`] = commandMessage(frame);
    spoken[`reply.${frame.type}`] = reply;
  }
  const told = Object.fromEntries(events.map(({ key, message }) => [key, message]));
  const connection: Channel = { ...connectionChannel, messages: refsTo(Object.keys(spoken)) };
  const topics = Object.fromEntries(kinds.map((kind) => [kind.kind, describeKind(kind, events)]));
  const operations = {
    ...Object.fromEntries(commands.map((command) => [command.frame.type, describeCommand(command)])),
    notices: receiving('connection', 'What the server says unasked', [
      'error',
      ...Object.keys(noticeMessages),
    ]),
    ...Object.fromEntries(
      Object.entries(topics).map(([kind, { title, messages }]) => [
        `events.${kind}`,
        receiving(kind, `What happens on topics \`${title}\``, Object.keys(messages)),
      ]),
    ),
  };
  const named = new Map<string, JsonSchema>();
  const { messages, ...hoisted } = hoist(
    { channels: { connection, ...topics }, operations, messages: { ...spoken, ...told } },
    named,
  );
  return {
    asyncapi: '3.0.0',
    info: describeInfo(modules),
    defaultContentType: 'application/json',
    servers: Object.fromEntries(['ws', 'wss'].map((protocol) => [protocol, describeServer(protocol)])),
    ...hoisted,
    components: {
      messages: Object.fromEntries(
        Object.entries(messages).map(([key, message]) => [key, { ...message, ...correlation(key) }]),
      ),
      schemas: Object.fromEntries([...named].sort()),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token' },
      },
      correlationIds: {
        frame: { location: '$message.payload#/id', description: 'A reply has the id of its frame' },
      },
    },
  };
}

/** A command or its reply; not an event, whose `id` is its own. */
const correlation = (key: string) =>
  /^(?:command|reply)[.]|^error$/.test(key)
    ? { correlationId: { $ref: '#/components/correlationIds/frame' } }
    : {};

const describeInfo = (modules: readonly Module[]) => ({
  title: info.title,
  version: info.version,
  license: { name: info.license.name },
  description:
    `The WebSocket at \`/ws\`, as a client speaks it (protocol ${protocolVersion}): it sends commands, and receives replies ` +
    'and what happens on the topics that it follows. All of it goes over one connection: the channels below are names of ' +
    'topics, which stand in the frames. `/swagger` has the HTTP routes, and `src/protocol/PROTOCOL.md` the rules.',
  tags: [
    { name: connectionTag, description: 'What the protocol itself can do' },
    ...Object.entries<string>(Object.assign({}, ...modules.map((module) => module.tags))).map(
      ([name, description]) => ({ name, description }),
    ),
  ],
});

const connectionTag = 'Connection';

const describeServer = (protocol: string) => ({
  host: '{host}',
  pathname: '/ws',
  protocol,
  protocolVersion: '13',
  description: `Offers the subprotocol \`${subprotocol}\`. A browser hands in its token as a second one, \`bearer.<token>\`. [H1]`,
  variables: {
    host: {
      default: protocol === 'ws' ? 'localhost:3000' : 'carillon.example.com',
      description: 'Where this document came from',
    },
  },
  security: [{ $ref: '#/components/securitySchemes/bearer' }],
});

const connectionChannel: Omit<Channel, 'messages'> = {
  address: null,
  title: 'The connection',
  description:
    'Commands and their replies, and what the server says of the connection itself. These frames are on no topic.',
  bindings: {
    ws: {
      method: 'GET',
      headers: {
        type: 'object',
        properties: {
          Authorization: { type: 'string', description: '`Bearer <token>`' },
          'Sec-WebSocket-Protocol': { type: 'string', description: `\`${subprotocol}, bearer.<token>\`` },
        },
      },
      query: { type: 'object', properties: { token: { type: 'string', description: 'An access token' } } },
      bindingVersion: '0.1.0',
    },
  },
};

interface DocumentedCommand {
  readonly frame: CommandFrame;
  readonly reply: Message;
  readonly tag: string;
  readonly description?: string | undefined;
  readonly writes: Operation['writes'];
  readonly isLate: boolean;
  readonly refuses: readonly ErrorCode[];
}

function listCommands(modules: readonly Module[]): DocumentedCommand[] {
  const ofCore = Object.values<CoreCommandSpec>(coreCommandSpecs).map((spec): DocumentedCommand => {
    const { type, summary, input, takesTopic, isTopicOptional, reply, replyType = 'ok', refuses } = spec;
    const frame = { type, summary, input, takesTopic, isTopicOptional, takesKey: false };
    const message = replyMessage(type, replyType, reply);
    return { frame, reply: message, tag: connectionTag, writes: false, isLate: false, refuses };
  });
  const ofModules = modules.flatMap(({ name: module, operations }) =>
    operations
      .filter(({ socket }) => socket !== false)
      .map((operation): DocumentedCommand => {
        const { name: type, summary, description, tag = module, writes } = operation;
        const { takesKey = false, takesTopic = false } = operation;
        return {
          frame: { type, summary, input: payloadOf(operation), takesTopic, takesKey },
          reply: replyMessage(type, 'ok', answerSchemaOf(operation)),
          tag,
          description,
          writes,
          isLate: operation.isLate ?? false,
          refuses: refusalsOf(operation),
        };
      }),
  );
  return [...ofCore, ...ofModules];
}

/** What any command may be refused with. [X] */
const byAny: readonly ErrorCode[] = ['rate_limited', 'unavailable', 'internal'];

function describeCommand(command: DocumentedCommand): AsyncOperation {
  const { frame, tag, description, writes, isLate, refuses } = command;
  const channel = { $ref: '#/channels/connection' };
  return {
    action: 'send',
    channel,
    summary: frame.summary,
    ...(description !== undefined && { description }),
    tags: [{ name: tag }],
    messages: [refIn('connection', `command.${frame.type}`)],
    reply: {
      channel,
      messages: [refIn('connection', `reply.${frame.type}`), refIn('connection', 'error')],
    },
    'x-takesKey': frame.takesKey,
    'x-writes': writes,
    'x-late': isLate,
    'x-refuses': [...new Set([...refuses, ...byAny])],
  };
}

function describeKind(
  { kind, form, hasPresence, events: declared, snapshot }: TopicKind,
  events: ToldEvent[],
): Channel {
  const [word = kind] = form.split(':');
  const [placeholder, parameter] = form.includes('<id>') ? ['<id>', `${word}Id`] : ['<name>', 'name'];
  const keys = events
    .filter(({ on }) => (on === 'any' ? declared === undefined : on.includes(kind)))
    .map(({ key }) => key);
  return {
    address: form.replace(placeholder, `{${parameter}}`),
    title: form,
    description: `Topics \`${form}\`. They are followed with \`subscribe\`; their name stands in \`topic\` of each event.`,
    messages: refsTo(keys),
    ...(form.includes(placeholder) && {
      parameters: {
        [parameter]:
          placeholder === '<id>'
            ? { description: 'A UUID in lower case', examples: [exampleId] }
            : { description: '1 to 100 of the characters a-z 0-9 . _ -', examples: ['public.lobby'] },
      },
    }),
    'x-presence': hasPresence,
    ...(snapshot && { 'x-snapshot': snapshot.schema }),
  };
}

interface ToldEvent {
  readonly key: string;
  readonly message: Message;
  /** Kinds of topic; `any`: those that declare no events. */
  readonly on: readonly string[] | 'any';
}

/** What several modules have, each on a kind of topic of its own, is one event; where it is live alone it is one apart. */
function listEvents(tables: readonly EventTable[]): ToldEvent[] {
  const byType = Map.groupBy(
    tables.flatMap((table) => Object.entries(table)),
    ([type]) => type,
  );
  const declared = [...byType].flatMap(([type, entries]): ToldEvent[] => {
    const [first] = entries;
    if (first === undefined) return [];
    const { isDurable, payload } = first[1]; // the same in all of them, or the server had not started
    const on = entries.flatMap(([, spec]) => spec.on);
    const live = entries.flatMap(([, { liveOn = [] }]) => liveOn);
    return [
      { key: `event.${type}`, message: eventMessage(type, payload, isDurable), on },
      ...(live.length > 0
        ? [{ key: `live.${type}`, message: eventMessage(type, payload, false), on: live }]
        : []),
    ];
  });
  return [
    ...declared,
    { key: 'published.durable', message: eventMessage(undefined, Type.Unknown(), true), on: 'any' },
    { key: 'published.ephemeral', message: eventMessage(undefined, Type.Unknown(), false), on: 'any' },
  ];
}

const receiving = (channel: string, summary: string, keys: readonly string[]): AsyncOperation => ({
  action: 'receive',
  channel: { $ref: `#/channels/${channel}` },
  summary,
  messages: keys.map((key) => refIn(channel, key)),
});

const refsTo = (keys: readonly string[]): Record<string, Ref> =>
  Object.fromEntries(keys.map((key) => [key, { $ref: `#/components/messages/${key}` }]));

const refIn = (channel: string, key: string): Ref => ({ $ref: `#/channels/${channel}/messages/${key}` });
