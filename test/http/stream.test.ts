// A topic as server-sent events: what a stream begins with, what it brings, and what is refused. [V]

import { beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import { openStream, type StreamOptions } from '../support/event-stream.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const newTopic = () => `app:public.${crypto.randomUUID()}`;

onEachDatabase('streams', (open) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
  });

  const stream = (topic: string, options: StreamOptions = {}) =>
    openStream(server.url, topic, { token: ann.accessToken, ...options });
  const publish = async (topic: string, durable = true, data: unknown = 1) => {
    const body = { event: 'thing.happened', data, durable };
    const path = `/v1/topics/${topic}/events`;
    const { status } = await server.request('POST', path, { token: ann.accessToken, body });
    expect(status).toBe(201);
  };

  test('[V1] [V2] it begins with subscribed; durable events follow with their seq as id, ephemeral ones without', async () => {
    const topic = newTopic();
    await publish(topic);
    const reader = await stream(topic);
    expect(reader.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8');
    expect(await reader.next('subscribed')).toMatchObject({
      type: 'subscribed',
      topic,
      payload: { topic, seq: 1, head: 1, epoch: expect.any(String), replay: 0 },
    });
    expect(reader.lastId).toBe('1');
    await publish(topic, true, 'line\nbreak\r\u2028');
    await publish(topic, false, 2);
    expect(await reader.next('thing.happened')).toMatchObject({ seq: 2, payload: 'line\nbreak\r\u2028' });
    expect((await reader.next('thing.happened')).payload).toBe(2);
    expect(reader.messages.map(({ hasId, lastId }) => [hasId, lastId])).toEqual([
      [true, '1'],
      [true, '2'],
      [false, '2'],
    ]);
    reader.close();
  });
});
