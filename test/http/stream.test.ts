// A topic as server-sent events: what a stream begins with, where it goes on, and what is refused. [V1] [V2] [V5]

import { beforeAll, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createGroup, fillLog, pruneLog, range } from '../protocol/chat.ts';
import type { TestUser } from '../support/api.ts';
import { openStream, type StreamOptions } from '../support/event-stream.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const newTopic = () => `app:public.${crypto.randomUUID()}`;
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

onEachDatabase('streams', (open) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    console.log(`streams: FUZZ_SEED=${seed}`);
  });

  const stream = (topic: string, options: StreamOptions = {}) =>
    openStream(server.url, topic, { token: ann.accessToken, ...options });
  const publish = async (topic: string, durable = true, data: unknown = 1) => {
    const body = { event: 'thing.happened', data, durable };
    const path = `/v1/topics/${topic}/events`;
    const { status } = await server.request('POST', path, { token: ann.accessToken, body });
    expect(status).toBe(201);
  };
  /** What the stream begins with. */
  const begin = async (topic: string, options: StreamOptions = {}) => {
    const reader = await stream(topic, options);
    const { payload } = await reader.next('subscribed');
    reader.close();
    return payload;
  };

  test('[V1] [V2] it begins with subscribed; durable events follow with their seq as id, ephemeral ones without', async () => {
    const topic = newTopic();
    await publish(topic);
    const reader = await stream(topic);
    expect(reader.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8');
    expect(reader.headers.get('Cache-Control')).toBe('no-store');
    expect(await reader.next('subscribed')).toEqual({
      type: 'subscribed',
      topic,
      payload: { topic, seq: 1, head: 1, epoch: expect.any(String), replay: 0 },
    });
    expect(reader.retryMs).toBeWithin(500, 1_001);
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

  test('[V2] an envelope is the same as over the WebSocket, replayed or live', async () => {
    const topic = newTopic();
    const client = await server.connect(ann);
    await client.subscribe(topic);
    await publish(topic);
    const reader = await stream(topic, { query: '?since=0' });
    expect((await reader.next('subscribed')).payload).toMatchObject({ seq: 0, head: 1, replay: 1 });
    await publish(topic);
    for (const seq of [1, 2]) {
      const frame = await reader.next((each) => each.seq === seq);
      expect(frame).toEqual(await client.next((each) => each.seq === seq));
    }
    reader.close();
    client.close();
  });

  test('[V5] it goes on behind since, or behind Last-Event-ID, which counts in its place', async () => {
    const topic = newTopic();
    await fillLog(server.db, topic, 1_200); // more than memory has
    const { epoch } = await begin(topic);
    const asked: StreamOptions[] = [
      { query: '?since=700' },
      { query: `?since=700&epoch=${epoch}` },
      { lastId: '700' },
      { lastId: `${epoch}:700` },
      { lastId: '700', query: '?since=3&epoch=another' },
      { lastId: '', query: '?since=700' },
    ];
    for (const options of asked) {
      const reader = await stream(topic, options);
      await reader.next(({ seq }) => seq === 1_200);
      expect([options, reader.seqs]).toEqual([options, range(701, 1_200)]);
      expect(reader.frames[0]).toMatchObject({ type: 'subscribed', payload: { seq: 700, replay: 500 } });
      expect(reader.messages[0]?.lastId).toBe('700');
      reader.close();
    }
  });

  test('[V5] [S4] what the log cannot go on from is a reset, with the state where there is one', async () => {
    const chat = await createGroup(server, ann);
    const { id, topic } = chat;
    const say = async (content: string) => {
      const path = `/v1/chats/${id}/messages`;
      const { status } = await server.request('POST', path, { token: ann.accessToken, body: { content } });
      expect(status).toBe(201);
    };
    for (const content of ['one', 'two', 'three']) await say(content);
    await pruneLog(server.db, topic, 2);
    const reset = { seq: 4, head: 4, replay: 0, reset: true, snapshot: { chat: { id } } };
    for (const options of [
      { query: '?since=1' },
      { query: '?since=9' },
      { query: '?since=3&epoch=another' },
      { lastId: '1' },
      { lastId: 'another:3' },
    ]) {
      const reader = await stream(topic, options);
      expect((await reader.next('subscribed')).payload).toMatchObject(reset);
      expect(reader.lastId).toBe('4');
      reader.close();
    }
    const state = { snapshot: { messages: expect.arrayContaining([]) } };
    const whole = await begin(topic, { query: '?snapshot=true' });
    expect(whole).toMatchObject({ seq: 4, ...state });
    expect(whole).not.toHaveProperty('reset');
    // Who comes back gets what was missed, and not the state once more.
    const back = await stream(topic, { query: '?snapshot=true', lastId: '3' });
    expect((await back.next('subscribed')).payload).not.toHaveProperty('snapshot');
    expect((await back.next('message.created')).seq).toBe(4);
    back.close();
  });

  test('[V1] what is refused is refused before anything is streamed, in the words of every route', async () => {
    const bob = await server.register('Bob');
    const { topic } = await createGroup(server, bob);
    const lists: [string, StreamOptions, string][] = [
      [newTopic(), { token: 'nonsense' }, '401 unauthorized'],
      [topic, {}, '403 forbidden'],
      [`chat:${crypto.randomUUID()}`, {}, '403 forbidden'],
      [`user:${bob.id}`, {}, '403 forbidden'],
      ['app:of-others', {}, '403 forbidden'],
      ['nothing:1', {}, '404 unknown_topic'],
      ['chat:1', {}, '404 unknown_topic'],
      [newTopic(), { query: '?snapshot=true' }, '400 invalid'],
      [newTopic(), { query: '?snapshot=maybe' }, '400 invalid'],
      [newTopic(), { query: '?since=-1' }, '400 invalid'],
      [newTopic(), { query: '?since=1&since=2' }, '400 invalid'],
      [newTopic(), { query: '?sinse=1' }, '400 invalid'],
      [newTopic(), { lastId: 'x' }, '400 invalid'],
      [newTopic(), { lastId: '9999999999999999' }, '400 invalid'],
    ];
    for (const [name, options, refusal] of lists) {
      const outcome = await stream(name, options).catch((error: Error) => error.message);
      expect([name, options, outcome]).toEqual([name, options, refusal]);
    }
    expect(server.hub.topics()).not.toContain(topic);
  });

  test('[X] HEAD answers what GET would, and follows nothing', async () => {
    const topic = newTopic();
    const head = (name: string) =>
      server.request('HEAD', `/v1/topics/${name}/stream`, { token: ann.accessToken });
    const { status, headers } = await head(topic);
    expect([status, headers.get('Content-Type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect((await head(`chat:${crypto.randomUUID()}`)).status).toBe(403);
    expect(server.hub.topics()).not.toContain(topic);
  });

  test('[V5] whatever comes as a position is either refused or understood', async () => {
    const topic = newTopic();
    await fillLog(server.db, topic, 3);
    const { epoch } = await begin(topic);
    const text = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc.integer().map(String),
      fc.constantFrom(
        '1',
        '3',
        '4',
        '007',
        '1e3',
        '0x1',
        ' 2 ',
        '-0',
        '',
        ':',
        ':1',
        `${epoch}:2`,
        `${epoch}:`,
      ),
    );
    await fc.assert(
      fc.asyncProperty(text, text, fc.boolean(), async (since, other, isHeader) => {
        const lastId = since.replace(/[^\x20-\x7e]/g, ''); // others no client can send
        const query = new URLSearchParams(isHeader ? { epoch: other } : { since, epoch: other });
        const asked = { query: `?${query}`, ...(isHeader && { lastId }) };
        const outcome = await begin(topic, asked).catch((error: Error) => error.message);
        if (typeof outcome === 'string') expect(outcome).toBe('400 invalid');
        else expect(outcome.seq + outcome.replay).toBe(3);
      }),
      { seed, numRuns: 150 },
    );
  }, 60_000);
});
