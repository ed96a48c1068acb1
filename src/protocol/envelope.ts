// The envelopes of both directions, as TypeBox schemas and the types that follow from them. [E, H, S, C]

import { type Static, Type } from '@sinclair/typebox';
import { protocolVersion } from './frames.ts';
import { Id, Instant, text } from './values.ts';

export { closeCodes, type EventFrame, maxSnapshotBytes, protocolVersion, subprotocol } from './frames.ts';

/** `id`, chosen by the client, ties a reply to its frame. [E1] */
export const FrameId = Type.String({ minLength: 1, maxLength: 64 });

/** Idempotency key of a command or POST. [K1] */
export const Key = Type.String({ minLength: 1, maxLength: 64, ...text });

export const typePattern = '^[a-z0-9._-]{1,64}$';

/** A frame from the client. `payload` is checked later, by the command that `type` names. [E1] */
export const ClientFrame = Type.Object(
  {
    id: Type.Optional(FrameId),
    type: Type.String({ pattern: typePattern, description: '1 to 64 of a-z 0-9 . _ -' }),
    topic: Type.Optional(Type.String()),
    payload: Type.Optional(Type.Unknown()),
    key: Type.Optional(Key),
  },
  { additionalProperties: false },
);
export type ClientFrame = Static<typeof ClientFrame>;

export const Source = Type.Union([Type.Literal('ws'), Type.Literal('http'), Type.Literal('system')]);
export type Source = Static<typeof Source>;

/** Who or what caused an event. [E3] */
export const EventMeta = Type.Object(
  {
    actorId: Type.Optional(Id),
    source: Source,
    correlationId: Type.Optional(
      Type.String({ description: 'The id of the frame, or the X-Correlation-Id of the request' }),
    ),
  },
  { title: 'EventMeta' },
);
export type EventMeta = Static<typeof EventMeta>;

/** Where an event that a command wrote stands. [O3] */
export const EventPosition = Type.Object(
  { topic: Type.String(), seq: Type.Integer({ minimum: 1 }) },
  { title: 'EventPosition' },
);
export type EventPosition = Static<typeof EventPosition>;

/** Where a client wants to join a topic. [S1] */
export const SubscribeRequest = Type.Object(
  {
    since: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    epoch: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    snapshot: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type SubscribeRequest = Static<typeof SubscribeRequest>;

/** The answer to a subscribe. The next durable event on the topic has `seq + 1`. [S2] */
export const Subscribed = Type.Object(
  {
    topic: Type.String(),
    seq: Type.Integer({ minimum: 0, description: 'The next durable event has this plus one' }),
    head: Type.Integer({ minimum: 0 }),
    epoch: Type.String(),
    replay: Type.Integer({ minimum: 0, description: 'How many missed events follow before live ones' }),
    reset: Type.Optional(
      Type.Literal(true, { description: 'The log does not reach back: start over from here' }),
    ),
    snapshot: Type.Optional(Type.Unknown({ description: 'As the kind of topic says' })),
  },
  { title: 'Subscribed' },
);
export type Subscribed = Static<typeof Subscribed>;

const Limit = (description: string) => Type.Integer({ minimum: 0, description });

/** The end of the greeting. [H3] */
export const WelcomePayload = Type.Object(
  {
    connectionId: Type.String(),
    userId: Id,
    sessionId: Id,
    instanceId: Type.String(),
    protocol: Type.Integer({ examples: [protocolVersion] }),
    expiresAt: Instant,
    heartbeatMs: Type.Integer({ minimum: 0, description: 'Send a ping after so much silence' }),
    limits: Type.Object(
      {
        frameBytes: Limit('Of a frame that the client sends'),
        subscriptions: Limit('Topics that the connection may follow'),
        commandsPerSecond: Limit('That the client may send'),
        snapshotBytes: Limit('Of a snapshot that the client is sent'),
      },
      { description: '0 means none' },
    ),
  },
  { title: 'Welcome' },
);
export type WelcomePayload = Static<typeof WelcomePayload>;

/** What the server says beside replies and events, by type. [E4] */
export const notices = {
  welcome: { summary: 'The connection is live', hasTopic: false, payload: WelcomePayload },
  'auth.expiring': {
    summary: 'The access token ends soon: hand in a newer one',
    hasTopic: false,
    payload: Type.Object({ expiresAt: Instant }),
  },
  unsubscribed: {
    summary: 'The right to follow the topic is gone, and nothing more of it comes',
    hasTopic: true,
    payload: Type.Object({ reason: Type.Literal('forbidden') }),
  },
  draining: {
    summary: 'The instance goes away, and closes this connection when its time has come',
    hasTopic: false,
    payload: Type.Object({ reconnectInMs: Type.Integer({ minimum: 0 }) }),
  },
} as const;
