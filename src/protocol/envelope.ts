// The envelopes of both directions, as TypeBox schemas and the types that follow from them. [E, H, S, C]

import { type Static, Type } from '@sinclair/typebox';
import { text } from './values.ts';

export * from './frames.ts';

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
