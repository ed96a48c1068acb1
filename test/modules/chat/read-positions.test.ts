// How far members have read: gathered for a second, written together, answered when it is written. [E6]

import { beforeAll, expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createGroup, eventsOf, listed, must, registerAll, send } from './setup.ts';

onEachDatabase('read positions', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;
  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const readsIn = async (chatId: string) =>
    (await eventsOf(server, chatTopic(chatId))).filter(({ type }) => type === 'message.read');
  const startChat = async (messages: number) => {
    const { id } = await createGroup(server, ann, bob, cid);
    for (let n = 0; n < messages; n += 1) await send(server, ann, id, `${n}`);
    return { id, head: 1 + messages };
  };

  test('a position moves forward only, up to the head', async () => {
    const chat = await startChat(2);
    const client = await server.connect(bob);
    const read = (seq: number) => client.request('message.read', { chatId: chat.id, seq });
    const own = { chatId: chat.id, userId: bob.id };

    const first = await read(2);
    expect(first.payload).toEqual({
      ...own,
      lastReadSeq: 2,
      events: [{ topic: chatTopic(chat.id), seq: 4 }],
    });
    expect((await readsIn(chat.id)).at(-1)).toMatchObject({
      payload: { positions: { [bob.id]: 2 } },
      meta: { actorId: bob.id },
    });
    expect((await listed(server, bob, chat.id)).unreadCount).toBe(1);
    const [lower, same, beyond] = await Promise.all([read(0), read(2), read(5)]);
    for (const { payload } of [lower, same]) expect(payload).toEqual({ ...own, lastReadSeq: 2, events: [] });
    expect(beyond.error).toMatchObject({ code: 'invalid', details: [{ path: '/payload/seq' }] });
    const answer = await must(server, bob, 'POST', `/chats/${chat.id}/read`, { seq: 3 });
    expect(answer).toEqual({ ...own, lastReadSeq: 3 });
    expect((await listed(server, bob, chat.id)).unreadCount).toBe(0);
    client.close();
  });

  test('everyone who reads within a second stands in one event, each as far as they came', async () => {
    const chat = await startChat(10);
    const clients = await Promise.all([ann, bob, cid].map((user) => server.connect(user)));
    const readAll = (from: number, to: number) =>
      Promise.all(
        clients.flatMap((client) =>
          Array.from({ length: to - from + 1 }, (_, n) =>
            client.request('message.read', { chatId: chat.id, seq: from + n }),
          ),
        ),
      );
    const replies = [...(await readAll(1, 6)), ...(await readAll(4, 11))];
    expect(replies.every(({ type }) => type === 'ok')).toBe(true);
    const events = await readsIn(chat.id);
    // The first one may have gone alone, before the others came.
    expect(events.length).toBeLessThanOrEqual(3);
    const everyone = Object.fromEntries([ann, bob, cid].map(({ id }) => [id, 11]));
    expect(events.at(-1)?.payload.positions).toEqual(everyone);
    for (const { payload } of replies.slice(-24)) expect(payload.lastReadSeq).toBe(11);
    for (const client of clients) client.close();
  });

  test('[E6] a position holds back no reply behind it, and is answered behind them', async () => {
    const chat = await startChat(2);
    const client = await server.connect(bob);
    await client.request('message.read', { chatId: chat.id, seq: 1 }); // from now on it is gathered
    const order: string[] = [];
    const ask = (name: string, type: string, payload: object) =>
      client.request(type, payload).then(() => order.push(name));
    await Promise.all([
      ask('read', 'message.read', { chatId: chat.id, seq: 2 }),
      ask('send', 'message.send', { chatId: chat.id, content: 'meanwhile' }),
      ask('ping', 'ping', {}),
    ]);
    expect(order).toEqual(['send', 'ping', 'read']);
    client.close();
  });

  test('who is removed before the position is written moves nothing and hears not_found', async () => {
    const chat = await startChat(1);
    const client = await server.connect(bob);
    await client.request('message.read', { chatId: chat.id, seq: 1 });
    const late = client.request('message.read', { chatId: chat.id, seq: 2 });
    const stays = must(server, cid, 'POST', `/chats/${chat.id}/read`, { seq: 2 });
    await must(server, ann, 'DELETE', `/chats/${chat.id}/members/${bob.id}`);
    expect((await late).error.code).toBe('not_found');
    expect((await stays).lastReadSeq).toBe(2);
    expect((await readsIn(chat.id)).at(-1)?.payload.positions).toEqual({ [cid.id]: 2 });
    client.close();
  });

  test('what is read on one device goes to the user’s others, and to nobody else', async () => {
    const chat = await startChat(3);
    const [phone, desk, other] = await Promise.all([
      server.connect(bob),
      server.connect(await server.login(bob)),
      server.connect(cid),
    ]);
    await desk.subscribe(`user:${bob.id}`);
    await other.subscribe(`user:${cid.id}`);
    await phone.request('message.read', { chatId: chat.id, seq: 3 });
    expect(await desk.next('chat.read')).toMatchObject({
      topic: `user:${bob.id}`,
      payload: { chatId: chat.id, lastReadSeq: 3, unreadCount: 1 },
    });
    await other.request('ping');
    expect(other.frames.filter(({ type }) => type === 'chat.read')).toEqual([]);
    for (const client of [phone, desk, other]) client.close();
  });

  test('only members read', async () => {
    const { id } = await createGroup(server, ann);
    expect((await attempt(server, bob, 'POST', `/chats/${id}/read`, { seq: 1 })).status).toBe(404);
  });
});
