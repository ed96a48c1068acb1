// What an AsyncAPI 3 document is made of, as far as ours has it, with what it cannot say as extensions (`x-`).

import type { ErrorCode } from '../../protocol/errors.ts';
import type { JsonSchema } from '../named-schemas.ts';
import type { Message } from './messages.ts';

export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0';
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly license: object;
    readonly description: string;
    readonly tags: readonly { readonly name: string; readonly description: string }[];
  };
  readonly defaultContentType: string;
  readonly servers: Readonly<Record<string, { readonly description: string }>>;
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
export interface Channel {
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
export interface AsyncOperation {
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

export interface Ref {
  readonly $ref: string;
}

export const refsTo = (keys: readonly string[]): Record<string, Ref> =>
  Object.fromEntries(keys.map((key) => [key, { $ref: `#/components/messages/${key}` }]));

export const refIn = (channel: string, key: string): Ref => ({
  $ref: `#/channels/${channel}/messages/${key}`,
});
