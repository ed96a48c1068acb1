// Reads the AsyncAPI document as a client's tools would: its references are followed, and a frame finds its message.

import type { Frame } from './client.ts';
import { type JsonSchema, listMisfits, listUndocumented, type Schemas } from './json-schema.ts';

interface Ref {
  $ref: string;
}

export interface Message {
  name: string;
  payload: JsonSchema;
  examples: { payload: Frame }[];
  correlationId?: Ref;
  'x-durable'?: boolean;
}

export interface Command {
  action: 'send' | 'receive';
  messages: Ref[];
  reply: { messages: Ref[] };
  'x-takesKey': boolean;
  'x-writes': boolean | 'sometimes';
  'x-late': boolean;
  'x-refuses': string[];
}

export interface AsyncApi {
  channels: Record<
    string,
    {
      address: string | null;
      messages: Record<string, Ref>;
      'x-presence'?: boolean;
      'x-snapshot'?: JsonSchema;
    }
  >;
  operations: Record<string, Command>;
  components: { messages: Record<string, Message>; schemas: Schemas };
}

/** Its commands by type. */
export const commandsOf = ({ operations }: AsyncApi): Map<string, Command> =>
  new Map(Object.entries(operations).filter(([, { action }]) => action === 'send'));

/** What the schema of a frame says of its payload. */
export function payloadOf({ components }: AsyncApi, key: string): JsonSchema {
  const { payload } = (components.messages[key]?.payload.properties ?? {}) as Schemas; // an envelope is an object
  if (payload === undefined) throw new Error(`The message ${key} has no payload.`);
  return payload;
}

/** The key of the message that a frame from the server is; undefined where the document has none. */
export function findMessage(
  { channels, components }: AsyncApi,
  { type, topic, id, seq, meta }: Frame,
  /** The type of the command that had its id. */
  command: string | undefined,
): string | undefined {
  if (type === 'error') return 'error';
  if (meta === undefined) return id === undefined ? type : `reply.${command}`;
  const channel = Object.values(channels).find(({ address }) => matches(address, topic ?? ''));
  const keys = Object.keys(channel?.messages ?? {}).filter(
    (key) => components.messages[key]?.['x-durable'] === (seq !== undefined),
  );
  const named = keys.find((key) => components.messages[key]?.name === type);
  return named ?? keys.find((key) => components.messages[key]?.name === '*');
}

/** What in the frame is not as the message says, and what is in it that the message does not say. */
export function listFrameMisfits({ components }: AsyncApi, key: string, frame: object): string[] {
  const message = components.messages[key];
  if (message === undefined) return [`There is no message ${key}.`];
  return [
    ...listMisfits(message.payload, frame, components.schemas),
    ...listUndocumented([message.payload], frame, components.schemas).map((path) => `${path} undocumented`),
  ];
}

const matches = (address: string | null, topic: string): boolean =>
  address !== null && new RegExp(`^${address.replace(/\{\w+\}/, '[^:]+')}$`).test(topic);
