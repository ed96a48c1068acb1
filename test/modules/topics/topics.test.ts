// Free topics: publish and follow, ephemeral and durable, over HTTP and the socket.

import { beforeAll, expect, test } from 'bun:test';
import { maxDataBytes, reservedWords } from '../../../src/modules/topics/contract.ts';
import { appendEvents } from '../../../src/realtime/log/event-log.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { signToken } from './setup.ts';

const anyJson: unknown[] = [null, 0, -1.5, true, '', 'text \u0000 \ud800 ü', [], [1, [null]], {}];
const newTopic = () => `app:public.${crypto.randomUUID()}`;

onEachDatabase('topics', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await Promise.all([server.register('Ann'), server.register('Bob')]);
  });

  const connectTo = async (topic: string, user: TestUser | string = ann) => {
    const client = await server.connect(user);
    await client.subscribe(topic);
    return client;
  };
  const post = (topic: string, body: unknown, headers: Record<string, string> = {}, user = ann) =>
    server.request('POST', `/v1/topics/${topic}/events`, { token: user.accessToken, body, headers });
  const list = (topic: string, query = '', user = ann) =>
    server.request('GET', `/v1/topics/${topic}/events${query}`, { token: user.accessToken });

  test('[T1] an ephemeral event reaches everyone who follows, its author too, and nobody later', async () => {
    const topic = newTopic();
    const [author, reader] = [await connectTo(topic), await connectTo(topic, bob)];
    const reply = await author.request(
      'publish',
      { event: 'cursor.moved', data: { x: 1 } },
      { topic, id: 'p' },
    );
    expect(reply).toEqual({ type: 'ok', id: 'p', payload: { topic, event: 'cursor.moved' } });
    for (const client of [author, reader]) {
      expect(await client.next('cursor.moved')).toEqual({
        type: 'cursor.moved',
        topic,
        id: expect.any(String),
        at: expect.any(String),
        payload: { x: 1 },
        meta: { actorId: ann.id, source: 'ws', correlationId: 'p' },
      });
    }
    const late = await server.connect(bob);
    expect(await late.subscribe(topic, { since: 0 })).toMatchObject({ seq: 0, head: 0, replay: 0 });
    expect((await list(topic)).body).toMatchObject({ items: [], nextCursor: null, seq: 0, head: 0 });
    expect(late.unread).toEqual([]);
  });

  test('[T1] a durable event has its seq, in the reply too, and is replayed', async () => {
    const topic = newTopic();
    const client = await connectTo(topic);
    const reply = await client.request('publish', { event: 'a.b', data: 7, durable: true }, { topic });
    expect(reply.payload).toEqual({ topic, event: 'a.b', events: [{ topic, seq: 1 }] });
    expect(await client.next('a.b')).toMatchObject({ topic, seq: 1, payload: 7 });
    const { status, body } = await post(topic, { event: 'a.c', data: 8, durable: true });
    expect([status, body]).toEqual([201, { topic, event: 'a.c', events: [{ topic, seq: 2 }] }]);
    expect(await client.next('a.c')).toMatchObject({ seq: 2, payload: 8, meta: { source: 'http' } });

    const late = await server.connect(bob);
    expect(await late.subscribe(topic, { since: 0 })).toMatchObject({ head: 2, replay: 2 });
    expect((await late.next('a.b')).seq).toBe(1);
    expect((await late.next('a.c')).seq).toBe(2);
  });

  test('[T1] data is any JSON, the same over HTTP, the socket and in the log', async () => {
    const topic = newTopic();
    const client = await connectTo(topic);
    for (const data of anyJson) {
      for (const durable of [false, true]) {
        expect((await client.request('publish', { event: 'a.ws', data, durable }, { topic })).type).toBe(
          'ok',
        );
        expect((await client.next('a.ws')).payload).toEqual(data);
        expect((await post(topic, { event: 'a.http', data, durable })).status).toBe(201);
        expect((await client.next('a.http')).payload).toEqual(data);
      }
    }
    const { items } = (await list(topic)).body;
    expect(items.map(({ payload }: { payload: unknown }) => payload)).toEqual(
      anyJson.flatMap((data) => [data, data]),
    );
  });

  test('[T1] over HTTP the topic may be encoded or plain, and the log is read in pages', async () => {
    const topic = newTopic();
    for (const data of [1, 2, 3]) {
      const path = data === 2 ? encodeURIComponent(topic) : topic;
      expect((await post(path, { event: 'a.b', data, durable: true })).status).toBe(201);
    }
    const first = (await list(encodeURIComponent(topic), '?limit=2')).body;
    expect(first.items).toMatchObject([
      { seq: 1, payload: 1 },
      { seq: 2, payload: 2 },
    ]);
    expect(first.items[0]).toMatchObject({ type: 'a.b', topic, meta: { actorId: ann.id, source: 'http' } });
    const second = (await list(topic, `?limit=2&after=${first.nextCursor}`)).body;
    expect(second).toMatchObject({ items: [{ seq: 3, payload: 3 }], nextCursor: null });
    expect((await list(topic, '?after=x')).body.error.code).toBe('invalid');
  });

  test('[T1] what is no app topic is unknown, and none at all is invalid', async () => {
    const client = await server.connect(ann);
    const payload = { event: 'a.b', data: 1 };
    for (const topic of ['app:', 'app:A', 'app:a b', 'public.x', `user:${ann.id}`, `chat:${ann.id}`]) {
      expect((await client.request('publish', payload, { topic })).error.code).toBe('unknown_topic');
      expect((await post(encodeURIComponent(topic), payload)).body.error.code).toBe('unknown_topic');
    }
    expect((await client.request('publish', payload)).error).toMatchObject({
      code: 'invalid',
      details: [{ path: '/topic' }],
    });
    expect((await client.request('ping', undefined, { topic: newTopic() })).error.code).toBe('invalid');
  });

  test('[T3] the name of an event has a dot, and is none of the protocol’s own', async () => {
    const topic = newTopic();
    const client = await connectTo(topic);
    const bad = [
      'ok',
      'error',
      'pong',
      'a',
      '.a',
      'a.',
      'a..b',
      'A.b',
      'a.b c',
      'a.b"',
      `a.${'b'.repeat(63)}`,
    ];
    for (const event of [...bad, ...reservedWords.map((word) => `${word}.changed`)]) {
      for (const durable of [false, true]) {
        const payload = { event, data: 1, durable };
        expect((await client.request('publish', payload, { topic })).error.code).toBe('invalid');
        expect((await post(topic, payload)).body.error.code).toBe('invalid');
      }
    }
    // A word that only begins like one of them, and what modules say elsewhere.
    for (const event of ['roles.changed', 'my.session.revoked', 'message.created']) {
      expect((await client.request('publish', { event, data: 1 }, { topic })).type).toBe('ok');
      expect((await client.next(event)).topic).toBe(topic);
    }
  });

  test('[T1] data is there, not too large and not too deep; unknown fields are refused', async () => {
    const topic = newTopic();
    const client = await connectTo(topic);
    const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    const bad = [
      { event: 'a.b' },
      { event: 'a.b', data: nested(64) },
      { event: 'a.b', data: nested(20_000) },
      { event: 'a.b', data: 1, topic },
      { event: 'a.b', data: 1, durable: 'yes' },
    ];
    for (const payload of bad) {
      expect((await client.request('publish', payload, { topic })).error.code).toBe('invalid');
      expect((await post(topic, payload)).body.error.code).toBe('invalid');
    }
    const { status } = await post(topic, {
      event: 'a.b',
      data: 'ü'.repeat(maxDataBytes / 2 - 1),
      durable: true,
    });
    expect(status).toBe(201);
    expect((await post(topic, { event: 'a.b', data: 'ü'.repeat(maxDataBytes / 2) })).status).toBe(400);
    expect((await post(topic, { event: 'a.b', data: nested(50), durable: true })).status).toBe(201);
    expect(await client.next('a.b')).toMatchObject({ seq: 1 });
    expect(await client.next('a.b')).toMatchObject({ seq: 2 });
  });

  test.each([
    ['62 levels', `${'{"a":'.repeat(62)}1${'}'.repeat(62)}`],
    ['names of objects’ own', '{"__proto__":{"x":1},"constructor":2,"toString":"3","valueOf":[]}'],
  ])('[T1] data with %s arrives as it was, over either', async (_, data) => {
    const topic = newTopic();
    const client = await connectTo(topic);
    const payload = `{"event":"a.b","data":${data}}`;
    client.sendRaw(`{"type":"publish","topic":"${topic}","payload":${payload}}`);
    expect(JSON.stringify((await client.next('a.b')).payload)).toBe(data);
    expect((await post(topic, payload)).status).toBe(201);
    expect(JSON.stringify((await client.next('a.b')).payload)).toBe(data);
    const unknown = await post(topic, `{"event":"a.b","data":1,"__proto__":{"durable":true}}`);
    expect(unknown.body.error.details[0].path).toBe('/body/__proto__');
  });

  test('[K1] a durable event is published once for its key, over HTTP or the socket', async () => {
    const topic = newTopic();
    const client = await connectTo(topic);
    const payload = { event: 'a.b', data: { n: 1 }, durable: true };
    const key = crypto.randomUUID();
    const first = await client.request('publish', payload, { topic, key });
    const again = await client.request('publish', payload, { topic, key });
    expect(again.payload).toEqual(first.payload);
    expect((await post(topic, payload, { 'idempotency-key': key })).body).toEqual(first.payload);
    const other = { ...payload, data: { n: 2 } };
    expect((await client.request('publish', other, { topic, key })).error.code).toBe('conflict');
    expect((await client.request('publish', payload, { topic: newTopic(), key })).error.code).toBe(
      'conflict',
    );
    expect((await post(topic, { ...payload, durable: false }, { 'idempotency-key': key })).status).toBe(409);
    expect((await list(topic)).body.items).toHaveLength(1);
  });

  test('[K1] so is an ephemeral one', async () => {
    const topic = newTopic();
    const client = await connectTo(topic);
    const key = crypto.randomUUID();
    const payload = { event: 'a.b', data: 1 };
    const replies = await Promise.all([
      client.request('publish', payload, { topic, key }),
      client.request('publish', payload, { topic, key }),
    ]);
    for (const reply of replies) expect(reply.payload).toEqual({ topic, event: 'a.b' });
    expect((await post(topic, payload, { 'idempotency-key': key })).status).toBe(201);
    await client.request('publish', { event: 'a.end', data: 1 }, { topic });
    await client.next('a.end');
    expect(client.frames.filter(({ type }) => type === 'a.b')).toHaveLength(1);
  });

  test('[E6] what one connection publishes arrives in its order, ephemeral and durable mixed', async () => {
    const topic = newTopic();
    const [author, reader] = [await server.connect(ann), await connectTo(topic, bob)];
    for (let n = 0; n < 50; n += 1) {
      author.send({ type: 'publish', topic, payload: { event: 'a.b', data: n, durable: n % 3 === 0 } });
    }
    for (let n = 0; n < 50; n += 1) expect((await reader.next('a.b')).payload).toBe(n);
  });

  test('[T2] a topic that is not public takes a token that grants it, each right by itself', async () => {
    const name = `game.${crypto.randomUUID()}`;
    const topic = `app:${name}`;
    const payload = { event: 'a.b', data: 1 };
    const plain = await server.connect(ann);
    const error = async (reply: Promise<{ error?: { code: string } }>) => (await reply).error?.code;
    expect(await error(plain.request('subscribe', undefined, { topic }))).toBe('forbidden');
    expect(await error(plain.request('publish', payload, { topic }))).toBe('forbidden');
    expect((await list(topic)).status).toBe(403);
    expect((await post(topic, payload)).status).toBe(403);

    const readOnly = await signToken(ann, { topics: { subscribe: ['lobby', 'game.*'] } });
    const reader = await server.connect(readOnly);
    await reader.subscribe(topic);
    expect(await error(reader.request('presence.list', undefined, { topic }))).toBeUndefined();
    expect(await error(reader.request('publish', payload, { topic }))).toBe('forbidden');
    expect((await list(topic, '', { ...ann, accessToken: readOnly })).status).toBe(200);
    expect((await post(topic, payload, {}, { ...ann, accessToken: readOnly })).status).toBe(403);

    const writeOnly = await signToken(bob, { topics: { publish: [name] } });
    const writer = await server.connect(writeOnly);
    expect(await error(writer.request('subscribe', undefined, { topic }))).toBe('forbidden');
    expect((await writer.request('publish', payload, { topic })).type).toBe('ok');
    expect((await post(topic, payload, {}, { ...bob, accessToken: writeOnly })).status).toBe(201);
    expect((await list(topic, '', { ...bob, accessToken: writeOnly })).status).toBe(403);
    expect((await reader.next('a.b')).meta?.source).toBe('ws');
    expect((await reader.next('a.b')).meta?.source).toBe('http');
  });

  test('[T2] a claim that is malformed anywhere grants nothing, and the token is good otherwise', async () => {
    const malformed: unknown[] = [
      null,
      '*',
      ['*'],
      { subscribe: '*' },
      { subscribe: ['*'], publish: '*' },
      { subscribe: ['*', 1] },
      { subscribe: ['*', ''] },
      { subscribe: ['app:*'] },
      { subscribe: ['*', 'A'] },
      { subscribe: ['*'], admin: ['*'] },
    ];
    for (const topics of malformed) {
      const client = await server.connect(await signToken(ann, { topics }));
      const { error } = await client.request('subscribe', undefined, { topic: 'app:game' });
      expect([topics, error?.code]).toEqual([topics, 'forbidden']);
      await client.subscribe(newTopic());
      client.close();
    }
  });

  test('[T2] a token that grants needs a session that is good, like any other', async () => {
    const cid = await server.register('Cid');
    const token = await signToken(cid, { topics: { publish: ['*'] } });
    expect((await server.request('POST', '/v1/auth/logout', { token, body: {} })).status).toBe(200);
    expect(
      (await post('app:game', { event: 'a.b', data: 1 }, {}, { ...cid, accessToken: token })).status,
    ).toBe(401);
  });

  test('[H4] a renewed token brings its own grants: new ones count at once, lost ones end subscriptions', async () => {
    const [topic, kept] = ['app:renewed', newTopic()];
    const client = await connectTo(kept);
    const renew = async (topics: unknown, seconds: number) => {
      const token = await signToken(ann, { topics }, seconds);
      expect((await client.request('auth', { token })).type).toBe('ok');
    };
    await renew({ subscribe: ['renewed'] }, 1_000);
    await client.subscribe(topic);
    await renew(undefined, 2_000);
    expect(await client.next('unsubscribed')).toEqual({
      type: 'unsubscribed',
      topic,
      payload: { reason: 'forbidden' },
    });
    // An older token does not bring its grants back, nor lend them the newer one's time.
    await renew({ subscribe: ['renewed'] }, 1_500);
    expect((await client.request('subscribe', undefined, { topic })).error.code).toBe('forbidden');
    await post(kept, { event: 'a.b', data: 1 });
    expect((await client.next('a.b')).topic).toBe(kept);
  });

  test('[P1] presence works, and there is no snapshot', async () => {
    const topic = newTopic();
    const client = await connectTo(topic);
    await connectTo(topic, bob);
    expect(
      (await client.next(({ type, payload }) => type === 'presence.joined' && payload.userId === bob.id))
        .topic,
    ).toBe(topic);
    const { users } = (await client.request('presence.list', undefined, { topic })).payload;
    expect(users).toContainEqual({ userId: bob.id, devices: 1 });
    expect((await client.request('subscribe', { snapshot: true }, { topic })).error.code).toBe('invalid');
  });

  test('an event that only looks like a revocation or a new role does nothing', async () => {
    // Named after the user: whoever takes topics apart too simply would find the victim here.
    const topic = `app:${bob.id}`;
    const victim = await server.connect(await signToken(bob, { topics: { subscribe: ['*'] } }));
    await victim.subscribe(topic);
    // Refused by both; here they are in the log nevertheless.
    const forged = [
      { topic, type: 'session.revoked', payload: { sessionId: bob.sessionId, reason: 'logout' } },
      { topic, type: 'role.changed', payload: { role: 'admin' } },
    ];
    await server.db.transaction((tx) =>
      appendEvents(
        tx,
        forged.map((event) => ({ event, meta: { source: 'system' as const } })),
      ),
    );
    await victim.next('session.revoked');
    await victim.next('role.changed');
    expect((await victim.request('ping')).type).toBe('pong');
    expect((await victim.request('subscribe', undefined, { topic: `user:${ann.id}` })).error.code).toBe(
      'forbidden',
    );
  });
});
