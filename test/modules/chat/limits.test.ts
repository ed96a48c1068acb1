// What one user may do to chats in a while: every way to write to one counts, and what is repeated with its key does not
// count against the one who repeats it.

import { expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { onEachDatabase } from '../../support/server.ts';
import { attempt, createDirect, createGroup, eventsOf, must, registerAll, send } from './setup.ts';

onEachDatabase('limits of chats', (open, database) => {
  test('edits, deletions, reactions, names and members count as messages do, and leaving does not', async () => {
    const server = await open({ RATE_MESSAGES_PER_MINUTE: '9' });
    const [ann, bob, cid, dan] = await registerAll(server, 'Ann', 'Bob', 'Cid', 'Dan');
    const chat = await createGroup(server, ann, bob, dan);
    const path = `/chats/${chat.id}`;
    const message = await send(server, ann, chat.id, 'Hello');
    const members = `${path}/members`;
    const writes: [method: string, path: string, body?: unknown][] = [
      ['PATCH', `${path}/messages/${message.id}`, { content: 'Hello!' }],
      ['PUT', `${path}/messages/${message.id}/reactions/${encodeURIComponent('👍')}`],
      ['DELETE', `${path}/messages/${message.id}/reactions/${encodeURIComponent('👍')}`],
      ['DELETE', `${path}/messages/${message.id}`],
      ['PATCH', path, { name: 'Another name' }],
      ['POST', members, { userId: cid.id }],
      ['PATCH', `${members}/${cid.id}`, { role: 'admin' }],
      ['DELETE', `${members}/${cid.id}`],
    ];
    for (const write of writes) await must(server, ann, ...write);
    const head = (await eventsOf(server, chatTopic(chat.id))).length;
    writes[0] = ['POST', `${path}/messages`, { content: 'More' }];
    for (const write of writes) {
      const { status, body } = await attempt(server, ann, ...write);
      expect([write, status, body.error?.code]).toEqual([write, 429, 'rate_limited']);
      expect(body.error.retryAfterMs).toBeGreaterThan(0);
      expect(body.error.retryAfterMs).toBeLessThanOrEqual(60_000);
    }
    expect((await eventsOf(server, chatTopic(chat.id))).length).toBe(head);
    await send(server, bob, chat.id, 'I am another user');
    await must(server, ann, 'DELETE', `${members}/${ann.id}`);
  });

  test('over the socket edits, deletions and reactions are refused as well, with retryAfterMs', async () => {
    const server = await open({ RATE_MESSAGES_PER_MINUTE: '3' });
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    const chat = await createGroup(server, ann, bob);
    const client = await server.connect(ann);
    const message = (await client.request('message.send', { chatId: chat.id, content: 'Hello' })).payload;
    const edit = (content: string) => client.request('message.edit', { messageId: message.id, content });
    expect([(await edit('one')).type, (await edit('two')).type]).toEqual(['ok', 'ok']);
    const refusals = [
      await edit('three'),
      await client.request('message.delete', { messageId: message.id }),
      await client.request('message.react', { messageId: message.id, emoji: '👍' }),
    ];
    for (const { error } of refusals) {
      expect(error).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    }
    client.close();
  });

  test('settings and blocks are limited together, and apart from messages: who may say no more can still block', async () => {
    const server = await open({ RATE_MESSAGES_PER_MINUTE: '3' });
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    const chat = await createGroup(server, ann, bob);
    for (const content of ['one', 'two', 'three']) await send(server, ann, chat.id, content);
    const write = (method: string, path: string, body?: object) => attempt(server, ann, method, path, body);
    const settings = (hidden: boolean) => write('PATCH', `/chats/${chat.id}/me`, { hidden });
    const block = (method: string) => write(method, `/users/me/blocks/${bob.id}`);
    const answers = [await settings(true), await block('PUT'), await block('DELETE')];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const { status, body } of [await settings(false), await block('PUT'), await block('DELETE')]) {
      expect([status, body.error.code]).toEqual([429, 'rate_limited']);
    }
    expect((await write('GET', '/users/me/blocks')).status).toBe(200);
  });

  test('read positions that are to be written are limited, too, at ten times as many', async () => {
    const server = await open({ RATE_MESSAGES_PER_MINUTE: '1' });
    const [ann] = await registerAll(server, 'Ann');
    const chats = await Promise.all(Array.from({ length: 11 }, () => createGroup(server, ann)));
    const answers = await Promise.all(
      chats.map(({ id }) => attempt(server, ann, 'POST', `/chats/${id}/read`, { seq: 1 })),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.map(({ status, body }) => [status, body.error.code])).toEqual([[429, 'rate_limited']]);
    const events = await Promise.all(chats.map(({ id }) => eventsOf(server, chatTopic(id), 1)));
    expect(events.flat()).toHaveLength(10);
  });

  test('[K1] a member who was added is answered again over the limit, and no other is added', async () => {
    const server = await open({ RATE_MESSAGES_PER_MINUTE: '1' });
    const [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
    const chat = await createGroup(server, ann);
    const add = (userId: string, key: string) =>
      attempt(server, ann, 'POST', `/chats/${chat.id}/members`, { userId }, { 'Idempotency-Key': key });
    const first = await add(bob.id, 'the key');
    expect(first.status).toBe(201);
    const again = await add(bob.id, 'the key');
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect((await add(cid.id, 'another')).status).toBe(429);
    expect((await add(cid.id, 'the key')).body.error.code).toBe('conflict');
  });

  test('new chats are limited by user; a direct chat that is there is not new', async () => {
    const server = await open({ RATE_CHATS_PER_HOUR: '3' });
    const [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
    const group = (key: string, name = 'Unasked') => {
      const body = { type: 'group', name, participantIds: [bob.id] };
      return attempt(server, ann, 'POST', '/chats', body, { 'Idempotency-Key': key });
    };
    const direct = await createDirect(server, ann, bob);
    const first = await group('first');
    expect([first.status, (await createDirect(server, ann, bob)).id]).toEqual([201, direct.id]);
    expect((await group('second')).status).toBe(201);
    const refused = await group('third');
    expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
    expect(refused.body.error.retryAfterMs).toBeGreaterThan(3_000_000);
    const body = { type: 'direct', participantIds: [cid.id] };
    expect((await attempt(server, ann, 'POST', '/chats', body)).status).toBe(429);
    // What is there is answered: the direct chat, and what a key made. [K1]
    expect((await createDirect(server, ann, bob)).id).toBe(direct.id);
    const again = await group('first');
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect((await group('first', 'Another')).body.error.code).toBe('conflict');
    expect((await must(server, bob, 'GET', '/chats')).items).toHaveLength(3);
    await createGroup(server, bob, ann);
  });

  if (database.kind === 'postgres') {
    test('[K1] a repeat over the limit is answered on another instance, too', async () => {
      const server = await open({ RATE_CHATS_PER_HOUR: '1' });
      const elsewhere = await open(server.env);
      const [ann] = await registerAll(server, 'Ann');
      const create = (through: typeof server, key: string) => {
        const body = { type: 'group', name: 'One', participantIds: [] };
        return attempt(through, ann, 'POST', '/chats', body, { 'Idempotency-Key': key });
      };
      const first = await create(server, 'one');
      expect((await create(elsewhere, 'two')).status).toBe(201); // without Redis each instance counts for itself
      expect((await create(elsewhere, 'three')).status).toBe(429);
      expect((await create(elsewhere, 'one')).body).toEqual(first.body);
    });
  }
});
