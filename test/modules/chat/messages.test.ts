// Messages over HTTP and the socket: what may be said, keys, limits, edits, deletions, read positions, pages.
// Over 400 lines: what may be done with a message is one list, on one shared group.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { holdTable, untilWaiting } from '../../protocol/chat.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  createDirect,
  createGroup,
  eventsOf,
  listed,
  must,
  outputOf,
  registerAll,
  send,
  typesOf,
  unknownId,
} from './setup.ts';

onEachDatabase('chat messages', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;
  let chatId: string;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
    chatId = (await createGroup(server, ann, bob)).id;
  });

  const post = (user: TestUser, body: unknown, key?: string) =>
    attempt(server, user, 'POST', `/chats/${chatId}/messages`, body, key ? { 'Idempotency-Key': key } : {});

  test('[O3] over the socket the reply is the message and where its event stands; its seq is that event’s', async () => {
    const client = await server.connect(bob);
    await client.subscribe(chatTopic(chatId));
    const { payload } = await client.request('message.send', {
      chatId,
      content: 'hello',
      metadata: { a: 1 },
    });
    const { events, ...message } = payload;
    expect(message).toEqual({
      id: expect.any(String),
      chatId,
      seq: expect.any(Number),
      senderId: bob.id,
      content: 'hello',
      messageType: 'text',
      metadata: { a: 1 },
      replyTo: null,
      mentions: [],
      replyCount: 0,
      reactions: [],
      createdAt: expect.any(String),
      editedAt: null,
      deletedAt: null,
    });
    expect(events).toEqual([{ topic: chatTopic(chatId), seq: message.seq }]);
    const event = await client.next('message.created');
    expect(event).toMatchObject({
      seq: message.seq,
      payload: message,
      meta: { actorId: bob.id, source: 'ws' },
    });
  });

  test('[O3] over HTTP the answer is the message and where its event stands, which says so', async () => {
    const { status, body } = await post(ann, { content: 'hello' });
    expect(status).toBe(201);
    expect(body.events).toEqual([{ topic: chatTopic(chatId), seq: body.seq }]);
    expect((await eventsOf(server, chatTopic(chatId), body.seq - 1))[0]).toMatchObject({
      type: 'message.created',
      seq: body.seq,
      payload: outputOf(body),
      meta: { actorId: ann.id, source: 'http' },
    });
  });

  test.each([
    ['one character', 'x'],
    ['10,000 characters', 'x'.repeat(10_000)],
    ['tab, line feed and carriage return', 'a\tb\nc\r\nd'],
    ['spaces alone', '  '],
    ['markup, which stays text', '<script>alert(1)</script> &amp; \\u0000 %00'],
    ['any script', 'Привет 你好 🙋🏽‍♀️ \u202e \ufeff \u2028'],
  ])('content of %s is kept as written', async (_, content) => {
    const sent = await send(server, ann, chatId, content);
    expect(sent.content).toBe(content);
    const { items } = await must(server, bob, 'GET', `/chats/${chatId}/messages?limit=1`);
    expect(items).toEqual([sent]);
    expect((await eventsOf(server, chatTopic(chatId), sent.seq - 1))[0]?.payload).toEqual(sent);
  });

  const refused: [string, string][] = [
    ['empty content', '{"content":""}'],
    ['10,001 characters', JSON.stringify({ content: 'x'.repeat(10_001) })],
    ['no content', '{}'],
    ['a number', '{"content":1}'],
    ['NUL', '{"content":"a\\u0000b"}'],
    ['an escape character', '{"content":"a\\u001b[31m"}'],
    ['a C1 control character', '{"content":"a\\u0085b"}'],
    ['half a surrogate pair', '{"content":"a\\ud83db"}'],
    ['a pair in the wrong order', '{"content":"\\ude00\\ud83d"}'],
    ['an unknown field', '{"content":"x","contnet":"y"}'],
    ['metadata that is a list', '{"content":"x","metadata":[]}'],
    ['metadata that is null', '{"content":"x","metadata":null}'],
    ['metadata with NUL in a value', '{"content":"x","metadata":{"a":["\\u0000"]}}'],
    ['metadata with NUL in a key', '{"content":"x","metadata":{"a":{"\\u0000":1}}}'],
    ['metadata with half a surrogate pair', '{"content":"x","metadata":{"a":"\\ud800"}}'],
    ['metadata of 4,097 bytes', JSON.stringify({ content: 'x', metadata: { a: 'x'.repeat(4_089) } })],
    ['a reply to no id', '{"content":"x","replyTo":"first"}'],
    ['a reply to no message', JSON.stringify({ content: 'x', replyTo: unknownId })],
  ];
  test.each(refused)('%s is invalid over HTTP and the socket, and nothing is written', async (_, body) => {
    const before = await eventsOf(server, chatTopic(chatId));
    const { status, body: answer } = await post(ann, body);
    expect(status).toBe(400);
    expect(answer.error.code).toBe('invalid');
    expect(answer.error.details[0]).toEqual({ path: expect.any(String), message: expect.any(String) });
    const client = await server.connect(ann);
    client.sendRaw(
      `{"id":"x","type":"message.send","payload":{"chatId":"${chatId}",${body.slice(1)}}`.replace(',}', '}'),
    );
    const reply = await client.next((frame) => frame.id === 'x');
    client.close();
    expect(reply).toMatchObject({ type: 'error', error: { code: 'invalid' } });
    expect(await eventsOf(server, chatTopic(chatId))).toEqual(before);
  });

  test.each([
    ['nested', '{"a":{"b":[1,-0.5,true,null,"\\\\u0000"]},"":"x"}'],
    ['of 4,096 bytes', JSON.stringify({ a: 'x'.repeat(4_088) })],
    ['with names of objects’ own', '{"__proto__":{"x":1},"constructor":2,"toString":"3"}'],
    ['nested as deeply as it can be', `{"a":${'['.repeat(61)}${']'.repeat(61)}}`],
    ['with a huge number', '{"a":1e308,"b":5e-324}'],
  ])('metadata %s comes back as it was, over HTTP and the socket', async (_, metadata) => {
    const client = await server.connect(ann);
    const payload = `{"chatId":"${chatId}","content":"x","metadata":${metadata}}`;
    client.sendRaw(`{"id":"x","type":"message.send","payload":${payload}}`);
    const { payload: sent } = await client.next((frame) => frame.id === 'x');
    client.close();
    expect(JSON.stringify(sent.metadata)).toBe(JSON.stringify(JSON.parse(metadata)));
    const posted = await post(ann, `{"content":"x","metadata":${metadata}}`, crypto.randomUUID());
    expect(posted.status).toBe(201);
    expect(JSON.stringify(posted.body.metadata)).toBe(JSON.stringify(sent.metadata));
    const { items } = await must(server, bob, 'GET', `/chats/${chatId}/messages?limit=1`);
    expect(items[0].metadata).toEqual(JSON.parse(metadata));
    const edited = await must(server, ann, 'PATCH', `/chats/${chatId}/messages/${sent.id}`, { content: 'y' });
    expect(edited.metadata).toEqual(JSON.parse(metadata));
  });

  test('a reply names a message of the same chat', async () => {
    const first = await send(server, ann, chatId, 'question');
    const { status, body } = await post(bob, { content: 'answer', replyTo: first.id });
    expect(status).toBe(201);
    expect(body.replyTo).toBe(first.id);
    const direct = await createDirect(server, ann, bob);
    const foreign = await attempt(server, ann, 'POST', `/chats/${direct.id}/messages`, {
      content: 'answer',
      replyTo: first.id,
    });
    expect(foreign.status).toBe(400);
    expect(foreign.body.error.details[0].path).toBe('/body/replyTo');
  });

  test('[K1] one key is one message, over whichever of the two and however often at once', async () => {
    const before = await eventsOf(server, chatTopic(chatId));
    const clients = await Promise.all(Array.from({ length: 5 }, () => server.connect(ann)));
    const [answers, replies] = await Promise.all([
      Promise.all(Array.from({ length: 5 }, () => post(ann, { content: 'once' }, 'one'))),
      Promise.all(
        clients.map((client) => client.request('message.send', { chatId, content: 'once' }, { key: 'one' })),
      ),
    ]);
    const events = (await eventsOf(server, chatTopic(chatId))).slice(before.length);
    expect(events).toHaveLength(1);
    const message = events[0]?.payload;
    const first = { ...message, events: [{ topic: chatTopic(chatId), seq: message.seq }] };
    for (const { status, body } of answers) {
      expect(status).toBe(201);
      expect(body).toEqual(first);
    }
    for (const { payload } of replies) expect(payload).toEqual(first);
    const other = await post(ann, { content: 'twice' }, 'one');
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    expect((await post(bob, { content: 'my own key' }, 'one')).body.senderId).toBe(bob.id);
  });

  test('[E5] what the service refuses is named like what a schema refuses: from the root, over HTTP and the socket', async () => {
    const client = await server.connect(ann);
    const metadata = { a: '\0' };
    const { error } = await client.request('message.send', { chatId, content: 'x', metadata });
    client.close();
    expect(error.details).toEqual([{ path: '/payload/metadata', message: expect.any(String) }]);
    const { body } = await post(ann, { content: 'x', metadata });
    expect(body.error.details).toEqual([{ path: '/body/metadata', message: expect.any(String) }]);
    const group = { type: 'group', name: 'Ghosts', participantIds: [bob.id, unknownId] };
    const created = await attempt(server, ann, 'POST', '/chats', group);
    expect(created.body.error.details).toMatchObject([{ path: '/body/participantIds/1' }]);
  });

  test('30 sends at once by two senders have consecutive seqs, each the one of its event', async () => {
    const before = (await eventsOf(server, chatTopic(chatId))).length;
    const sent = await Promise.all(
      Array.from({ length: 30 }, (_, n) => send(server, n % 2 ? ann : bob, chatId, `${n}`)),
    );
    const events = await eventsOf(server, chatTopic(chatId), before);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, n) => before + 1 + n));
    expect(events.map(({ payload }) => payload)).toEqual(sent.toSorted((a, b) => a.seq - b.seq));
  });

  test('over the limit a send is refused until later, by user', async () => {
    const limited = await open({ RATE_MESSAGES_PER_MINUTE: '2' });
    const [dan, eve] = await Promise.all([limited.register('Dan'), limited.register('Eve')]);
    const chat = await createGroup(limited, dan, eve);
    await send(limited, dan, chat.id, '1');
    await send(limited, dan, chat.id, '2');
    const third = await attempt(limited, dan, 'POST', `/chats/${chat.id}/messages`, { content: '3' });
    expect(third).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
    expect(third.body.error.retryAfterMs).toBeGreaterThan(0);
    const client = await limited.connect(dan);
    const reply = await client.request('message.send', { chatId: chat.id, content: '4' });
    expect(reply.error).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    await send(limited, eve, chat.id, 'not me');
  });

  test('[K1] over the limit a repeated request is answered with its first result, and nothing is sent', async () => {
    const limited = await open({ RATE_MESSAGES_PER_MINUTE: '2' });
    const dan = await limited.register('Dan');
    const chat = await createGroup(limited, dan);
    const client = await limited.connect(dan);
    const say = (content: string, key: string) =>
      client.request('message.send', { chatId: chat.id, content }, { key });
    const first = await say('once', 'one');
    await say('twice', 'two');
    expect((await say('thrice', 'three')).error.code).toBe('rate_limited');
    const head = (await eventsOf(limited, chatTopic(chat.id))).length;
    for (let count = 0; count < 3; count += 1) {
      expect((await say('once', 'one')).payload).toEqual(first.payload);
    }
    expect((await say('another', 'one')).error.code).toBe('conflict');
    const overHttp = await attempt(
      limited,
      dan,
      'POST',
      `/chats/${chat.id}/messages`,
      { content: 'once' },
      { 'Idempotency-Key': 'one' },
    );
    expect(overHttp).toMatchObject({ status: 201, body: { id: first.payload.id } });
    await limited.db.execute(
      sql`UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second' WHERE key = 'one'`,
    );
    expect((await say('once', 'one')).error.code).toBe('rate_limited');
    expect(await eventsOf(limited, chatTopic(chat.id))).toHaveLength(head);
    client.close();
  });

  test('the sender edits, and everyone learns of it', async () => {
    const sent = await send(server, bob, chatId, 'frist');
    const client = await server.connect(bob);
    await client.subscribe(chatTopic(chatId));
    const { payload } = await client.request('message.edit', { messageId: sent.id, content: 'first' });
    const { events, ...edited } = payload;
    expect(edited).toEqual({ ...sent, content: 'first', editedAt: expect.any(String) });
    expect(events).toEqual([{ topic: chatTopic(chatId), seq: expect.any(Number) }]);
    expect((await client.next('message.edited')).payload).toEqual(edited);
    const path = `/chats/${chatId}/messages/${sent.id}`;
    expect((await attempt(server, ann, 'PATCH', path, { content: 'admin' })).status).toBe(403);
    expect((await attempt(server, cid, 'PATCH', path, { content: 'stranger' })).status).toBe(404);
    expect((await attempt(server, bob, 'PATCH', path, { content: 'a\0' })).status).toBe(400);
    expect((await must(server, bob, 'PATCH', path, { content: '1st' })).content).toBe('1st');
  });

  test('what the system said can be neither edited nor deleted', async () => {
    const { items } = await must(server, ann, 'GET', `/chats/${chatId}/messages?after=0&limit=1`);
    const path = `/chats/${chatId}/messages/${items[0].id}`;
    expect((await attempt(server, ann, 'PATCH', path, { content: 'I' })).status).toBe(403);
    expect((await attempt(server, ann, 'DELETE', path)).status).toBe(403);
  });

  test('a message is found in its own chat only', async () => {
    const sent = await send(server, ann, chatId, 'here');
    const other = await createGroup(server, ann);
    const path = `/chats/${other.id}/messages/${sent.id}`;
    expect((await attempt(server, ann, 'PATCH', path, { content: 'there' })).status).toBe(404);
    expect((await attempt(server, ann, 'DELETE', path)).status).toBe(404);
    const client = await server.connect(ann);
    const reply = await client.request('message.delete', { messageId: sent.id, chatId: other.id });
    expect(reply.error.code).toBe('not_found');
  });

  test('a deleted message keeps its place and loses its content, once', async () => {
    const sent = outputOf((await post(bob, { content: 'gone', metadata: { a: 1 } })).body);
    const unread = (await listed(server, ann, chatId)).unreadCount;
    const path = `/chats/${chatId}/messages/${sent.id}`;
    expect((await attempt(server, cid, 'DELETE', path)).status).toBe(404);
    const deleted = await must(server, bob, 'DELETE', path);
    expect(deleted).toEqual({ ...sent, content: null, metadata: null, deletedAt: expect.any(String) });
    expect((await listed(server, ann, chatId)).unreadCount).toBe(unread - 1);
    expect((await listed(server, ann, chatId)).lastMessage).toMatchObject({ id: sent.id, preview: null });
    const events = await eventsOf(server, chatTopic(chatId), sent.seq);
    expect(typesOf(events)).toEqual(['message.deleted']);
    expect(events[0]?.payload).toEqual(deleted);

    const client = await server.connect(bob);
    const again = await client.request('message.delete', { messageId: sent.id });
    expect(again.payload).toEqual({ ...deleted, events: [] });
    expect(await must(server, bob, 'DELETE', path)).toEqual(deleted);
    expect((await attempt(server, bob, 'PATCH', path, { content: 'back' })).status).toBe(409);
    expect((await must(server, ann, 'GET', `/chats/${chatId}/messages?limit=1`)).items).toEqual([deleted]);
    expect(await eventsOf(server, chatTopic(chatId), sent.seq)).toHaveLength(1);
  });

  test('admins delete what others said, members do not', async () => {
    const byBob = await send(server, bob, chatId, 'rude');
    const byAnn = await send(server, ann, chatId, 'fine');
    expect((await attempt(server, bob, 'DELETE', `/chats/${chatId}/messages/${byAnn.id}`)).status).toBe(403);
    const deleted = await must(server, ann, 'DELETE', `/chats/${chatId}/messages/${byBob.id}`);
    expect(deleted).toMatchObject({ senderId: bob.id, content: null });
  });

  test('messages come in pages by seq, backwards from the newest or forwards from one', async () => {
    const chat = await createGroup(server, ann, bob);
    for (let n = 2; n <= 7; n += 1) await send(server, ann, chat.id, `${n}`);
    const page = async (query: string) => {
      const { items, nextCursor } = await must(server, bob, 'GET', `/chats/${chat.id}/messages${query}`);
      return { seqs: items.map(({ seq }: { seq: number }) => seq), nextCursor };
    };
    expect(await page('')).toEqual({ seqs: [1, 2, 3, 4, 5, 6, 7], nextCursor: null });
    expect(await page('?limit=3')).toEqual({ seqs: [5, 6, 7], nextCursor: '5' });
    expect(await page('?limit=3&before=5')).toEqual({ seqs: [2, 3, 4], nextCursor: '2' });
    expect(await page('?limit=3&before=2')).toEqual({ seqs: [1], nextCursor: null });
    expect(await page('?limit=3&after=0')).toEqual({ seqs: [1, 2, 3], nextCursor: '3' });
    expect(await page('?limit=3&after=3&before=6')).toEqual({ seqs: [4, 5], nextCursor: null });
    expect(await page('?after=7')).toEqual({ seqs: [], nextCursor: null });
    for (const query of ['?limit=0', '?limit=101', '?before=x', '?after=-1', '?after=1.5', '?cursor=1']) {
      expect((await attempt(server, bob, 'GET', `/chats/${chat.id}/messages${query}`)).status).toBe(400);
    }
  });

  // The embedded database has one connection: there nothing comes between.
  if (database.kind === 'postgres') {
    test('a member who is removed while messages are read gets none', async () => {
      const chat = await createGroup(server, ann, bob);
      const release = await holdTable(server.db, 'messages');
      const reading = attempt(server, bob, 'GET', `/chats/${chat.id}/messages`);
      await untilWaiting(server.db, 1);
      await server.db.execute(
        sql`DELETE FROM chat_participants WHERE chat_id = ${chat.id} AND user_id = ${bob.id}`,
      );
      await release();
      expect((await reading).status).toBe(404);
    });
  }

  test('to a stranger every command answers as if there were no such chat', async () => {
    const sent = await send(server, ann, chatId, 'private');
    const client = await server.connect(cid);
    for (const [type, own, absent] of [
      ['message.send', { chatId, content: 'x' }, { chatId: unknownId, content: 'x' }],
      ['message.edit', { messageId: sent.id, content: 'x' }, { messageId: unknownId, content: 'x' }],
      ['message.delete', { messageId: sent.id }, { messageId: unknownId }],
      ['message.read', { chatId, seq: 1 }, { chatId: unknownId, seq: 1 }],
      ['typing', { chatId, active: true }, { chatId: unknownId, active: true }],
    ] as const) {
      const foreign = await client.request(type, own);
      expect(foreign.error.code).toBe('not_found');
      expect((await client.request(type, absent)).error).toEqual(foreign.error);
    }
  });
});
