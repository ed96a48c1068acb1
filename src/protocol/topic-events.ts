// What polling takes and answers: the durable events of a topic, a page at a time. Browser-safe. [V7]

import { type Static, Type } from '@sinclair/typebox';
import { EventMeta, SubscribeRequest } from './envelope.ts';
import { pageOf, pageQuery } from './paging.ts';
import { Id, Instant } from './values.ts';

const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const ListEvents = Type.Object(
  {
    topic: Type.String({ description: 'As in `chat:<id>`', examples: ['app:public.lobby'] }),
    after: Type.Optional(
      Type.Integer({
        ...Seq,
        description: 'Only those with a higher seq. Left out: from as far back as the log reaches',
      }),
    ),
    epoch: {
      ...SubscribeRequest.properties.epoch,
      description: 'As an earlier page told it, beside `after`',
    },
    limit: pageQuery.limit,
  },
  { additionalProperties: false },
);
export type ListEvents = Static<typeof ListEvents>;

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
export const TopicEventPage = Type.Object(
  {
    ...pageOf(TopicEvent).properties,
    seq: Type.Integer({ minimum: 0, description: 'The first of the items has this plus one' }),
    head: Type.Integer({ minimum: 0, description: 'The seq of the newest event' }),
    epoch: Type.String(),
    reset: Type.Optional(
      Type.Literal(true, { description: 'The log does not reach back: start over, behind `seq`' }),
    ),
    snapshot: Type.Optional(
      Type.Unknown({ description: 'With `reset`: the state at `seq`, where the kind of topic has one' }),
    ),
  },
  { title: 'TopicEventPage' },
);
export type TopicEventPage = Static<typeof TopicEventPage>;
