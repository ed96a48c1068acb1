// What goes over the wire: published events in, their envelopes out. Browser-safe.

import { type Static, Type } from '@sinclair/typebox';
import { EventMeta } from '../../protocol/envelope.ts';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import { Id, Instant } from '../../protocol/values.ts';

const strict = { additionalProperties: false };
const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** As JSON in UTF-8. Well below what may wait for a reader before it is cut off. */
export const maxDataBytes = 65_536;

/** The first words of what the protocol itself says. Nobody publishes such an event, so nobody can be fooled by one. */
export const reservedWords = [
  'access',
  'auth',
  'carillon',
  'presence',
  'profile',
  'role',
  'session',
  'topic',
] as const;

export const EventName = Type.String({
  minLength: 3,
  maxLength: 64,
  pattern: '^[a-z0-9_-]+(?:[.][a-z0-9_-]+)+$',
  description: `Two words or more of a-z 0-9 _ - with dots between; the first is none of ${reservedWords.join(', ')}`,
  examples: ['cursor.moved'],
});

const AppTopic = Type.String({ description: '`app:<name>`', examples: ['app:public.lobby'] });

export const Publish = Type.Object(
  {
    topic: AppTopic,
    event: EventName,
    data: Type.Unknown({
      description: `Any JSON of up to ${maxDataBytes} bytes: the payload of the event`,
      examples: [{ x: 12, y: 34 }],
    }),
    durable: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Kept in the log, in order, and replayed; otherwise it reaches who is there now',
      }),
    ),
  },
  strict,
);
export type Publish = Static<typeof Publish>;

export const Published = Type.Object({ topic: Type.String(), event: EventName }, { title: 'Published' });
export type Published = Static<typeof Published>;

/** A durable event as its subscribers get it. */
export const TopicEvent = Type.Object(
  {
    type: Type.String(),
    topic: Type.String(),
    seq: Seq,
    id: Id,
    at: Instant,
    payload: Type.Unknown(),
    meta: EventMeta,
  },
  { title: 'TopicEvent' },
);
export type TopicEvent = Static<typeof TopicEvent>;

/** Ascending by seq. `nextCursor` is the next `after`; null at the end. */
export const TopicEventPage = pageOf(TopicEvent);

export const ListEvents = Type.Object(
  {
    topic: AppTopic,
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
        description: 'Only those with a higher seq',
      }),
    ),
    limit: pageQuery.limit,
  },
  strict,
);
export type ListEvents = Static<typeof ListEvents>;
