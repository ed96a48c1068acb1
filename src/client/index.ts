// The client of a Carillon server, for browsers, Bun and Node: `carillon/client`.

import { type ClientOptions as AllOptions, Client as UntypedClient } from './client.ts';
import { harmlessCommands, keyedCommands } from './declarations.ts';
import { findApply } from './states.ts';
import type { Client } from './typed.ts';

export type ClientOptions = Omit<AllOptions, 'findApply' | 'needsKey' | 'isHarmless'>;

/** Not connected yet: `connect()` does that. */
export function createClient(options: ClientOptions): Client {
  // Its types are those of what the server takes and says.
  return new UntypedClient({ ...options, findApply, needsKey, isHarmless }) as unknown as Client;
}

/** What is announced once and not kept costs the server nothing; a key would be kept for a day. */
const needsKey = (type: string, payload: unknown): boolean =>
  keyedCommands.has(type) && (type !== 'publish' || (payload as { durable?: boolean }).durable === true); // as it is typed

const isHarmless = (type: string): boolean => harmlessCommands.has(type);

export type { EventFrame, EventMeta, EventPosition, WelcomePayload } from '../protocol/frames.ts';
export type { ClientState, Loss, TokenReason } from './client.ts';
export type { ServerFrame } from './connection.ts';
export type * from './declarations.ts';
export { Disconnected, Refused } from './refused.ts';
export type { TopicStatus, TopicView } from './topic.ts';
export {
  type AnyEvent,
  type Client,
  type CommandName,
  type EventPayload,
  type EventsOf,
  type EventType,
  isEvent,
  type OutputOf,
  type PayloadOf,
  type Send,
  type SendArguments,
  type SendOptions,
  type StateOf,
  type Topic,
} from './typed.ts';
