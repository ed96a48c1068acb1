// The HTTP door to free topics.

import { Elysia } from 'elysia';
import type { Guard } from '../../auth/guard.ts';
import { errorsOf, keyHeaders } from '../../protocol/http.ts';
import { bodyOf, queryOf } from '../../protocol/http-input.ts';
import * as contract from './contract.ts';
import type { TopicsService } from './service.ts';

const tags = ['Topics'];
const security = [{ bearer: [] }];

export function createTopicsRoutes(guard: Guard, topics: TopicsService) {
  return new Elysia({ name: 'topics', prefix: '/topics' })
    .use(guard)
    .post(
      '/:topic/events',
      async ({ actor, params, body, headers, status }) =>
        status(201, await topics.publish(actor, params.topic, body, headers['idempotency-key'])),
      {
        params: contract.TopicParams,
        headers: keyHeaders,
        body: bodyOf(contract.Publish),
        response: {
          201: contract.Published,
          ...errorsOf(
            'invalid',
            'unauthorized',
            'forbidden',
            'unknown_topic',
            'conflict',
            'too_large',
            'rate_limited',
          ),
        },
        detail: {
          summary: 'Publish an event on an app topic',
          description:
            'Whoever is logged in may do so where the name begins with `public.`; elsewhere the claim `topics` of the ' +
            'access token says who may. Topics need not be created.',
          tags,
          security,
        },
      },
    )
    .get('/:topic/events', ({ actor, params, query }) => topics.listEvents(actor, params.topic, query), {
      params: contract.TopicParams,
      query: queryOf(contract.TopicEventsQuery),
      response: {
        200: contract.TopicEventPage,
        ...errorsOf('invalid', 'unauthorized', 'forbidden', 'unknown_topic'),
      },
      detail: {
        summary: 'Durable events of an app topic, ascending by seq',
        description:
          'Those with a seq above `after` that the log still has. `nextCursor` is the next `after`.',
        tags,
        security,
      },
    });
}
