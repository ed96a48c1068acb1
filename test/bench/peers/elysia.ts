// Bare Elysia with the route that Carillon has too: a bearer token checked, a body checked, an event published.

import { Elysia, t } from 'elysia';
import { jwtVerify } from 'jose';

const key = new TextEncoder().encode(process.env.JWT_SECRET);

const app = new Elysia()
  .derive(async ({ request, status }) => {
    const token = request.headers.get('authorization')?.slice('Bearer '.length) ?? '';
    const verified = await jwtVerify(token, key, {
      algorithms: ['HS256'],
      issuer: 'carillon',
      audience: 'carillon',
    }).catch(() => undefined);
    if (verified === undefined) return status(401, 'Log in.');
    return { userId: verified.payload.sub };
  })
  .post(
    '/v1/topics/:topic/events',
    ({ body, params, userId, server, status }) => {
      const { event, data } = body;
      const { topic } = params;
      const meta = { actorId: userId, source: 'http' };
      const frame = {
        type: event,
        topic,
        id: Bun.randomUUIDv7(),
        at: new Date().toISOString(),
        payload: data,
        meta,
      };
      server?.publish(topic, JSON.stringify(frame));
      return status(201, { topic, event });
    },
    {
      params: t.Object({ topic: t.String({ pattern: '^app:[a-z0-9._-]{1,100}$' }) }),
      body: t.Object(
        {
          event: t.String({ maxLength: 64, pattern: '^[a-z0-9_-]+(?:[.][a-z0-9_-]+)+$' }),
          data: t.Unknown(),
          durable: t.Optional(t.Boolean()),
        },
        { additionalProperties: false },
      ),
      response: { 201: t.Object({ topic: t.String(), event: t.String() }), 401: t.String() },
    },
  )
  .listen({ port: 0, hostname: '127.0.0.1' });

console.log(JSON.stringify({ ready: true, port: app.server?.port }));
