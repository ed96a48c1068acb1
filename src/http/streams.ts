// `GET /v1/topics/:topic/stream`: a topic as server-sent events, for whoever has no WebSocket. What a request asks for is read
// here; what comes of it, `realtime/sse` decides. [V1]

import { type Static, Type } from '@sinclair/typebox';
import { type AnyElysia, Elysia } from 'elysia';
import { SubscribeRequest } from '../protocol/envelope.ts';
import { misfit } from '../protocol/field-errors.ts';
import type { Streams } from '../realtime/sse/streams.ts';
import { findBearer, type Guard } from './guard.ts';
import { queryOf } from './input.ts';
import { refusalsAt } from './responses.ts';
import type { KeepSilent } from './routes.ts';

const { since, epoch } = SubscribeRequest.properties;

const Query = Type.Object(
  {
    since: { ...since, description: 'The seq of the last event that was seen: what follows it comes first' },
    epoch: { ...epoch, description: 'As `subscribed` told it, beside `since`' },
    snapshot: Type.Optional(
      Type.Union([Type.Literal('true'), Type.Literal('false')], {
        description: 'The state of the topic comes with `subscribed`',
      }),
    ),
  },
  { additionalProperties: false },
);

const Headers = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      pattern: '^(?:(?:[^:]{1,64}:)?[0-9]{1,16})?$',
      description:
        'The id of the last message: a seq, or `<epoch>:<seq>`. In the place of `since`, `epoch` and `snapshot`',
    }),
  ),
});

const params = Type.Object({
  topic: Type.String({ description: 'As in `chat:<id>`', examples: ['app:public.lobby'] }),
});

/** A connection on which nothing passes for so long is dead: comments pass more often. */
const silentSeconds = 120;

export function createStreamRoute(streams: Streams, guard: Guard, keepSilent: KeepSilent): AnyElysia {
  const route: AnyElysia = new Elysia({ name: 'streams', normalize: false }).use(guard);
  return route.get(
    '/topics/:topic/stream',
    async ({ actor, params: { topic }, query, headers, request }) => {
      const asked = { topic, ...(readLastId(headers['last-event-id']) ?? readQuery(query)) };
      if (request.method === 'HEAD') return await streams.check(actor, asked);
      keepSilent(request, silentSeconds);
      return await streams.open(request, findBearer(request) ?? '', asked);
    },
    {
      params,
      headers: Headers,
      query: queryOf(Query),
      detail: {
        operationId: 'topic.stream',
        summary: 'Follow a topic as server-sent events',
        description:
          'Each message has an envelope as its data, the same as over the WebSocket, and the `seq` of a durable event as its ' +
          'id. The first one is `subscribed`. Read it with `curl -N`; when it ends, ask again with `Last-Event-ID`. The rules ' +
          'are V1 to V6 in `src/protocol/PROTOCOL.md`.',
        tags: ['Topics'],
        security: [{ bearer: [] }],
        responses: {
          200: {
            description: 'Messages, for as long as they come',
            content: { 'text/event-stream': { schema: { type: 'string' as const } } },
          },
          ...refusalsAt(['forbidden', 'unknown_topic', 'rate_limited']),
        },
      },
    },
  );
}

function readQuery({ since, epoch, snapshot }: Static<typeof Query>): SubscribeRequest {
  return {
    ...(since !== undefined && { since }),
    ...(epoch !== undefined && { epoch }),
    ...(snapshot === 'true' && { snapshot: true }),
  };
}

/** Undefined where there is none. An empty one is what a reader sends that saw none. */
function readLastId(id: string | undefined): SubscribeRequest | undefined {
  if (id === undefined || id === '') return undefined;
  const colonAt = id.indexOf(':');
  const since = Number(id.slice(colonAt + 1));
  if (!Number.isSafeInteger(since))
    throw misfit([{ path: '/headers/last-event-id', message: 'Expected the id of a message' }]);
  return colonAt < 0 ? { since } : { since, epoch: id.slice(0, colonAt) };
}
