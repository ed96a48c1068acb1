// The AsyncAPI document at /asyncapi.json: every command with its reply, every kind of topic, every event, written from the
// declarations. It speaks as a client does: it sends commands, and receives what happens. The counterpart of the OpenAPI
// document; what neither can say is in PROTOCOL.md.

import { protocolVersion, subprotocol } from '../../protocol/envelope.ts';
import type { Module } from '../../realtime/index.ts';
import { listKinds } from '../../realtime/module.ts';
import { presenceEvents } from '../../realtime/presence/presence.ts';
import { info } from '../docs.ts';
import { hoist, type JsonSchema } from '../named-schemas.ts';
import { connectionTag, describeCommand, listCommands } from './commands.ts';
import { commandMessage, errorMessage, type Message, noticeMessages } from './messages.ts';
import { type AsyncApiDocument, type AsyncOperation, type Channel, refIn, refsTo } from './parts.ts';
import { describeKind, listEvents } from './topics.ts';

export function describeSocket(modules: readonly Module[]): AsyncApiDocument {
  const kinds = listKinds(modules);
  const commands = listCommands(modules);
  const events = listEvents([presenceEvents(kinds), ...modules.map((module) => module.events)], kinds);
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

const receiving = (channel: string, summary: string, keys: readonly string[]): AsyncOperation => ({
  action: 'receive',
  channel: { $ref: `#/channels/${channel}` },
  summary,
  messages: keys.map((key) => refIn(channel, key)),
});
