// Envelopes: what a frame is, what answers it, and in which order. [E1] to [E6]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { createGroup, holdTopic, range, sendMessage, type TestChat } from './chat.ts';

const isoInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

onEachDatabase('envelopes', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let chat: TestChat;
  let client: TestClient;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    chat = await createGroup(server, ann, [bob]);
    client = await server.connect(ann);
  });
  afterAll(() => client.close());

  const refusedEnvelope = async (frame: object) => {
    client.send(frame);
    const { error } = await client.next('error');
    expect(error.code).toBe('invalid');
    return error;
  };

  test('[E1] takes types and ids of 1 to 64 characters, and keys too', async () => {
    const longest = 'a-z.0_9'.padEnd(64, 'x');
    for (const type of ['x', longest]) {
      const reply = await client.request(type, undefined, { id: 'i'.repeat(64) });
      expect(reply).toMatchObject({ type: 'error', error: { code: 'unknown_command' } });
    }
    const input = { chatId: chat.id, content: 'with a key' };
    const reply = await client.request('message.send', input, { key: 'k'.repeat(64) });
    expect(reply.type).toBe('ok');
  });

  test('[E1] refuses other types, ids and keys, and fields that an envelope does not have', async () => {
    for (const type of ['', 'x'.repeat(65), 'Ping', 'p ing', 'pïng', 7, null, ['ping']]) {
      const own = await server.connect(ann); // such frames are counted
      own.send({ id: 'a', type });
      expect(await own.next('error')).toMatchObject({ id: 'a', error: { code: 'invalid' } });
      own.close();
    }
    for (const id of ['', 'x'.repeat(65), 7, null, {}]) {
      const error = await refusedEnvelope({ id, type: 'ping' });
      expect(error.details).toEqual([expect.objectContaining({ path: '/id' })]);
    }
    const input = { chatId: chat.id, content: 'never sent' };
    for (const key of ['', 'x'.repeat(65), 7, null]) {
      const error = await refusedEnvelope({ id: 'a', type: 'message.send', payload: input, key });
      expect(error.details).toEqual([expect.objectContaining({ path: '/key' })]);
    }
    const error = await refusedEnvelope({ id: 'a', type: 'ping', paylaod: {} });
    expect(error.details).toEqual([expect.objectContaining({ path: '/paylaod' })]);
  });

  test('[E1] takes 64 levels, and refuses one more with the id of the frame, however often the field comes', async () => {
    const topic = 'app:public.depth';
    const publish = (levels: number, behind = '') =>
      `{"id":"deep","type":"publish","topic":"${topic}","payload":{"event":"a.b","data":${'['.repeat(levels)}${']'.repeat(levels)}${behind}}}`;
    const own = await server.connect(ann);
    own.sendRaw(publish(62));
    expect(await own.next(({ id }) => id === 'deep')).toMatchObject({ type: 'ok' });
    // Far from nonsense, it is not counted as such either.
    for (const frame of range(1, 12).map((n) => (n % 2 ? publish(63) : publish(30_000, ',"data":1')))) {
      own.sendRaw(frame);
      expect(await own.next(({ id }) => id === 'deep')).toEqual({
        type: 'error',
        id: 'deep',
        error: {
          code: 'invalid',
          message: expect.stringContaining('64 levels'),
          details: [{ path: '', message: 'Expected at most 64 levels' }],
        },
      });
    }
    own.close();
  });

  test('[E1] refuses a topic or a key for a command that takes none', async () => {
    const input = { chatId: chat.id, content: 'never sent' };
    const withTopic = await client.request('message.send', input, { topic: chat.topic });
    expect(withTopic.error).toMatchObject({ code: 'invalid', details: [{ path: '/topic' }] });
    expect((await client.request('ping', {}, { topic: chat.topic })).error).toMatchObject({
      code: 'invalid',
    });
    for (const type of ['ping', 'subscribe', 'typing']) {
      const payload = type === 'typing' ? { chatId: chat.id, active: true } : {};
      const withKey = await client.request(type, payload, { key: 'k' });
      expect(withKey.error).toMatchObject({ code: 'invalid', details: [{ path: '/key' }] });
    }
  });

  test('[E2] answers a frame with an id exactly once, with ok or error', async () => {
    const own = await server.connect(ann);
    const ok = await own.request('unsubscribe', {}, { topic: chat.topic, id: 'one' });
    expect(ok).toEqual({ type: 'ok', id: 'one', payload: { topic: chat.topic } });
    const error = await own.request(
      'message.send',
      { chatId: crypto.randomUUID(), content: 'x' },
      { id: 'two' },
    );
    expect(error).toEqual({
      type: 'error',
      id: 'two',
      error: { code: 'not_found', message: expect.any(String) },
    });
    await own.request('ping', {}, { id: 'last' });
    expect(own.frames.map(({ id }) => id)).toEqual([undefined, 'one', 'two', 'last']);
    own.close();
  });

  test('[E2] gives a frame without an id no ok, lets it take effect, and sends its error without an id', async () => {
    const own = await server.connect(bob);
    const { seq } = await own.subscribe(chat.topic);
    own.send({ type: 'message.send', payload: { chatId: chat.id, content: 'no id' } });
    expect((await own.next('message.created')).payload.content).toBe('no id');
    own.send({ type: 'message.send', payload: { chatId: chat.id } });
    own.send({ type: 'ping', id: 'marker' });
    await own.next('pong');
    const [, , ...others] = own.frames;
    expect(others.map(({ type, id }) => ({ type, id: type === 'message.created' ? 'event' : id }))).toEqual([
      { type: 'message.created', id: 'event' },
      { type: 'error', id: undefined },
      { type: 'pong', id: 'marker' },
    ]);
    expect(own.frames[2]?.seq).toBe(seq + 1);
    expect(own.frames[3]).not.toHaveProperty('id');
    own.close();
  });

  test('[E3] gives a durable event type, topic, seq, id, at, payload and meta, and nothing else', async () => {
    const [first, second] = [await server.connect(ann), await server.connect(bob)];
    await Promise.all([first.subscribe(chat.topic), second.subscribe(chat.topic)]);
    await client.request('message.send', { chatId: chat.id, content: 'hello' }, { id: 'correlated' });
    const event = await first.next('message.created');
    expect(event).toEqual({
      type: 'message.created',
      topic: chat.topic,
      seq: expect.any(Number),
      id: expect.stringMatching(uuid),
      at: expect.stringMatching(isoInstant),
      payload: expect.objectContaining({ chatId: chat.id, content: 'hello', seq: event.seq }),
      meta: { actorId: ann.id, source: 'ws', correlationId: 'correlated' },
    });
    expect(await second.next('message.created')).toEqual(event);

    const token = bob.accessToken;
    const headers = { 'X-Correlation-Id': 'from-http' };
    const path = `/v1/chats/${chat.id}/messages`;
    await server.request('POST', path, { token, headers, body: { content: 'over http' } });
    const { meta } = await first.next('message.created');
    expect(meta).toEqual({ actorId: bob.id, source: 'http', correlationId: 'from-http' });

    // Whatever names the request, in this order; what is no plain word is passed over.
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const traceparent = `00-${trace}-b7ad6b7169203331-01`;
    const named: [Record<string, string>, string | undefined][] = [
      [{ 'X-Correlation-Id': 'one', 'X-Request-Id': 'two', traceparent }, 'one'],
      [{ 'X-Request-Id': 'two', traceparent }, 'two'],
      [{ 'X-Request-Id': 'not a word', traceparent }, trace],
      [{ traceparent: '00-nonsense-01' }, undefined],
    ];
    for (const [headers, correlationId] of named) {
      const answer = await server.request('POST', path, { token, headers, body: { content: 'named' } });
      const { meta } = await first.next('message.created');
      expect(meta?.correlationId).toBe(correlationId);
      const requestId = answer.headers.get('X-Request-Id');
      expect(requestId).toEqual(correlationId ?? expect.stringMatching(uuid));
    }
    first.close();
    second.close();
  });

  test('[E3] gives an event one id on all its topics, and an ephemeral one no seq', async () => {
    const own = await server.connect(bob);
    await own.subscribe(`user:${bob.id}`);
    await own.subscribe(chat.topic);
    client.send({ type: 'typing', payload: { chatId: chat.id, active: true } });
    const typing = await own.next('typing');
    expect(typing).toEqual({
      type: 'typing',
      topic: chat.topic,
      id: expect.stringMatching(uuid),
      at: expect.stringMatching(isoInstant),
      payload: { chatId: chat.id, userId: ann.id, active: true },
      meta: expect.objectContaining({ actorId: ann.id, source: 'ws' }),
    });
    own.close();

    // One event for two users: a new group announces itself to each of its members.
    const [annsOwn, bobsOwn] = [await server.connect(ann), await server.connect(bob)];
    await Promise.all([annsOwn.subscribe(`user:${ann.id}`), bobsOwn.subscribe(`user:${bob.id}`)]);
    await createGroup(server, ann, [bob]);
    const [annsEvent, bobsEvent] = [await annsOwn.next('chat.added'), await bobsOwn.next('chat.added')];
    expect(bobsEvent.topic).not.toBe(annsEvent.topic);
    expect(bobsEvent.id).toBe(annsEvent.id);
    annsOwn.close();
    bobsOwn.close();
  });

  test('[E4] sends nothing but replies, events and the five frames of the protocol', async () => {
    const own = await server.connect(bob);
    await own.subscribe(chat.topic);
    await own.request('ping');
    own.sendRaw('nonsense');
    await sendMessage(own, chat, 'seen');
    await own.next('message.created');
    const isReply = (frame: Frame) => ['ok', 'error', 'pong'].includes(frame.type);
    const isOfProtocol = (frame: Frame) =>
      ['welcome', 'unsubscribed', 'draining', 'auth.expiring', 'pong'].includes(frame.type);
    const isEvent = ({ topic, at, meta }: Frame) => topic !== undefined && isoInstant.test(at ?? '') && meta;
    const kinds = own.frames.map((frame) => [isReply, isOfProtocol, isEvent].some((isOne) => isOne(frame)));
    expect(kinds).not.toContain(false);
    own.close();
  });

  test('[E5] answers nonsense with invalid, and the connection stays', async () => {
    const own = await server.connect(ann);
    const nonsense = ['', 'no json', '{"type":"ping"', '[]', 'null', '"ping"', '7', '{}'];
    for (const frame of nonsense) {
      own.sendRaw(frame);
      const error = await own.next('error');
      expect(error.error.code).toBe('invalid');
      expect(error).not.toHaveProperty('id');
    }
    own.sendRaw(new TextEncoder().encode('{"type":"ping","id":"a"}'));
    expect((await own.next('error')).error).toMatchObject({ code: 'invalid' });
    expect((await own.request('ping')).type).toBe('pong');
    own.close();
  });

  test('[E5] closes with 4400 at the tenth piece of nonsense within a minute, and not before', async () => {
    const own = await server.connect(ann);
    for (const count of range(1, 9)) {
      own.sendRaw('nonsense');
      await own.next('error');
      // What names a command is not counted, however wrong it is.
      await own.request('ping', { unknown: count });
      await own.request('no.such.command');
      expect((await own.request('ping')).type).toBe('pong');
    }
    own.sendRaw('nonsense');
    expect((await own.next('error')).error.code).toBe('invalid');
    expect((await own.closed).code).toBe(4400);
  });

  test('[E5] names an unknown command', async () => {
    const reply = await client.request('message.sned', { chatId: chat.id, content: 'x' });
    expect(reply.error).toEqual({
      code: 'unknown_command',
      message: expect.stringContaining('message.sned'),
    });
    for (const type of ['constructor', '__proto__', 'tostring', 'welcome', 'ok']) {
      expect((await client.request(type)).error.code).toBe('unknown_command');
    }
  });

  test('[E5] says field by field what does not fit a payload, also which fields are unknown', async () => {
    const reply = await client.request('message.send', { chatId: 'x', content: 7, contnet: 'typo' });
    expect(reply.error.code).toBe('invalid');
    expect(reply.error.details).toEqual(
      expect.arrayContaining(
        ['/payload/chatId', '/payload/content', '/payload/contnet'].map((path) => ({
          path,
          message: expect.any(String),
        })),
      ),
    );
    const { error } = await client.request('ping', { extra: 1 });
    expect(error).toMatchObject({ code: 'invalid', details: [{ path: '/payload/extra' }] });
    for (const payload of [null, [], 'x', 7]) {
      expect((await client.request('ping', payload)).error.code).toBe('invalid');
    }
  });

  test('[E5] bounds the details, however much is wrong', async () => {
    const payload = Object.fromEntries(range(1, 3_000).map((n) => [`unknown${n}`, n]));
    const reply = await client.request('message.send', payload);
    expect(reply.error.details.length).toBeLessThanOrEqual(20);
  });

  test('[E6] replies in the order of the commands, however long one takes', async () => {
    const own = await server.connect(ann);
    const release = await holdTopic(server.db, chat);
    own.send({ id: 'slow', type: 'message.send', payload: { chatId: chat.id, content: 'slow' } });
    own.send({ id: 'wrong', type: 'ping', payload: { extra: 1 } });
    own.send({ id: 'quick', type: 'ping' });
    own.sendRaw('nonsense');
    // Nothing overtakes: while the first command waits, only another connection gets answers.
    expect((await client.request('ping')).type).toBe('pong');
    expect(own.unread).toEqual([]);
    await release();
    await own.request('ping', {}, { id: 'last' });
    expect(own.frames.slice(1).map(({ type, id }) => [type, id])).toEqual([
      ['ok', 'slow'],
      ['error', 'wrong'],
      ['pong', 'quick'],
      ['error', undefined],
      ['pong', 'last'],
    ]);
    own.close();
  });

  test('[E6] lets commands take effect in the order in which they were sent', async () => {
    const own = await server.connect(ann);
    const { seq } = await own.subscribe(chat.topic);
    const contents = range(1, 50).map((n) => `number ${n}`);
    const replies = await Promise.all(
      contents.map((content) => own.request('message.send', { chatId: chat.id, content })),
    );
    expect(replies.map(({ payload }) => payload.seq)).toEqual(range(seq + 1, seq + 50));
    const events = own.frames.filter(({ type }) => type === 'message.created');
    expect(events.map(({ payload }) => payload.content)).toEqual(contents);
    own.close();
  });
});
