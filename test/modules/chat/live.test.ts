// What is live only: who is typing, and word of a message for those who look elsewhere.

import { beforeAll, expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { countUnread } from '../../../src/modules/chat/unread.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { addCrowd, attempt, createGroup, eventsOf, listed, must, registerAll, send } from './setup.ts';

onEachDatabase('chat live', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const framesOf = (client: TestClient, type: string) => client.frames.filter((frame) => frame.type === type);

  /** A connection that follows the user's own topic, where notices come. */
  async function connect(user: TestUser): Promise<TestClient> {
    const client = await server.connect(user);
    await client.subscribe(userTopic(user.id));
    return client;
  }

  test('a connected member who does not follow the chat is notified, with the number of unread messages', async () => {
    const chat = await createGroup(server, ann, bob);
    const client = await connect(bob);
    await send(server, ann, chat.id, 'one');
    await client.next('message.notified');
    const message = await send(server, ann, chat.id, '😀'.repeat(101));
    const notice = await client.next('message.notified');
    expect(notice).toMatchObject({
      topic: userTopic(bob.id),
      payload: {
        chatId: chat.id,
        messageId: message.id,
        senderName: 'Ann',
        preview: '😀'.repeat(100),
        unreadCount: 2,
      },
      meta: { actorId: ann.id },
    });
    expect(notice.seq).toBeUndefined();
    await must(server, bob, 'POST', `/chats/${chat.id}/read`, { seq: message.seq });
    await send(server, ann, chat.id, 'three');
    expect((await client.next('message.notified')).payload.unreadCount).toBe(1);
    client.close();
  });

  test('the number is right for each member, however far they have read and whatever they said themselves', async () => {
    const chat = await createGroup(server, ann, bob, cid);
    const clients = await Promise.all([connect(bob), connect(cid)]);
    const byBob = await send(server, bob, chat.id, 'of bob');
    const byCid = await send(server, cid, chat.id, 'of cid');
    await must(server, bob, 'POST', `/chats/${chat.id}/read`, { seq: byCid.seq });
    const gone = await send(server, ann, chat.id, 'gone');
    for (const sender of [cid, bob, ann, cid]) await send(server, sender, chat.id, 'more');
    await must(server, ann, 'DELETE', `/chats/${chat.id}/messages/${gone.id}`);
    await must(server, ann, 'PATCH', `/chats/${chat.id}`, { name: 'Renamed' }); // the system says so
    await send(server, ann, chat.id, 'last');
    const numbers = await Promise.all(
      clients.map(async (client) => {
        const isLast = ({ type, payload }: Frame) =>
          type === 'message.notified' && payload.preview === 'last';
        return (await client.next(isLast)).payload.unreadCount;
      }),
    );
    expect(numbers).toEqual([4, 4]);
    const unreadOf = async (user: TestUser) => (await listed(server, user, chat.id)).unreadCount;
    expect([await unreadOf(bob), await unreadOf(cid)]).toEqual(numbers);
    await must(server, cid, 'POST', `/chats/${chat.id}/read`, { seq: byBob.seq });
    expect(await countUnread(server.db, [{ chatId: chat.id, userId: cid.id }])).toMatchObject([
      { unread: 3 },
    ]);
    for (const client of clients) client.close();
  });

  test('nobody gets a message and a notice of it on one connection', async () => {
    const chat = await createGroup(server, ann, bob);
    const [following, elsewhere] = await Promise.all([connect(bob), connect(bob)]);
    await following.subscribe(chatTopic(chat.id));
    await send(server, ann, chat.id, 'hello');
    await elsewhere.next('message.notified'); // whatever else is announced of it has been announced with it
    await following.next('message.created');
    await Promise.all([following.request('ping'), elsewhere.request('ping')]);
    expect(framesOf(following, 'message.notified')).toEqual([]);
    expect(framesOf(elsewhere, 'message.created')).toEqual([]);
    following.close();
    elsewhere.close();
  });

  test('neither the sender nor a stranger is notified, nor anyone of a repeated request', async () => {
    const chat = await createGroup(server, ann, bob);
    const [sender, witness, stranger] = await Promise.all([connect(ann), connect(bob), connect(cid)]);
    const key = { 'Idempotency-Key': 'notify-once' };
    const path = `/chats/${chat.id}/messages`;
    await attempt(server, ann, 'POST', path, { content: 'once' }, key);
    await witness.next('message.notified');
    await attempt(server, ann, 'POST', path, { content: 'once' }, key);
    await send(server, ann, chat.id, 'last');
    await witness.next('message.notified');
    await Promise.all([sender.request('ping'), stranger.request('ping')]);
    expect(framesOf(witness, 'message.notified').map(({ payload }) => payload.preview)).toEqual([
      'once',
      'last',
    ]);
    expect(framesOf(sender, 'message.notified')).toEqual([]);
    expect(framesOf(stranger, 'message.notified')).toEqual([]);
    for (const client of [sender, witness, stranger]) client.close();
  });

  test('in chats of up to 200 members everyone is notified, in larger ones nobody', async () => {
    const full = await createGroup(server, ann, bob);
    await addCrowd(server, full.id, cid, 198);
    const crowded = await createGroup(server, ann, bob);
    await addCrowd(server, crowded.id, cid, 199);
    const client = await connect(bob);
    for (const chat of [crowded, full, crowded, full]) await send(server, ann, chat.id, 'hello');
    const notices = [await client.next('message.notified'), await client.next('message.notified')];
    expect(notices.map(({ payload }) => payload.chatId)).toEqual([full.id, full.id]);
    await client.request('ping');
    expect(framesOf(client, 'message.notified')).toHaveLength(2);
    client.close();
  });

  test('typing reaches the other followers, not the typing user’s own connections, and never the log', async () => {
    const chat = await createGroup(server, ann, bob);
    const topic = chatTopic(chat.id);
    const [typist, second, other] = await Promise.all([
      server.connect(ann),
      server.connect(ann),
      server.connect(bob),
    ]);
    await Promise.all([typist, second, other].map((client) => client.subscribe(topic)));
    expect(await typist.request('typing', { chatId: chat.id, active: true })).toMatchObject({ type: 'ok' });
    const typing = await other.next('typing');
    expect(typing).toMatchObject({ topic, payload: { chatId: chat.id, userId: ann.id, active: true } });
    expect(typing.seq).toBeUndefined();
    await Promise.all([typist.request('ping'), second.request('ping')]);
    expect([...framesOf(typist, 'typing'), ...framesOf(second, 'typing')]).toEqual([]);
    expect(await eventsOf(server, topic)).toHaveLength(1);
    for (const client of [typist, second, other]) client.close();
  });

  test('at most one word a second is passed on, and the last one always', async () => {
    const chat = await createGroup(server, ann, bob);
    const [typist, other] = await Promise.all([server.connect(ann), server.connect(bob)]);
    await other.subscribe(chatTopic(chat.id));
    const type = (active: boolean) => typist.request('typing', { chatId: chat.id, active });
    for (const active of [true, false, true, true, false]) await type(active);
    const first = await other.next('typing');
    const second = await other.next('typing');
    expect([first.payload.active, second.payload.active]).toEqual([true, false]);
    expect(Date.parse(second.at ?? '') - Date.parse(first.at ?? '')).toBeGreaterThanOrEqual(990);
    // Said at once again: what was conflated before is no longer there.
    await type(true);
    expect((await other.next('typing')).payload.active).toBe(true);
    expect(framesOf(other, 'typing')).toHaveLength(3);
    typist.close();
    other.close();
  });

  test('who was removed a moment ago types in no chat of theirs', async () => {
    const chat = await createGroup(server, ann, bob);
    const typist = await server.connect(bob);
    const type = () => typist.request('typing', { chatId: chat.id, active: true });
    expect((await type()).type).toBe('ok');
    await must(server, ann, 'DELETE', `/chats/${chat.id}/members/${bob.id}`);
    expect((await type()).error.code).toBe('not_found');
    typist.close();
  });

  test('what was typed before a removal is not passed on behind it', async () => {
    const chat = await createGroup(server, ann, bob, cid);
    const [typist, other] = await Promise.all([server.connect(bob), server.connect(cid)]);
    await other.subscribe(chatTopic(chat.id));
    await typist.request('typing', { chatId: chat.id, active: true });
    await typist.request('typing', { chatId: chat.id, active: false });
    await must(server, ann, 'DELETE', `/chats/${chat.id}/members/${bob.id}`);
    const witness = await server.connect(ann);
    await witness.request('typing', { chatId: chat.id, active: true });
    await witness.request('typing', { chatId: chat.id, active: false });
    // Passed on after a second of its own, which began behind that of the removed one.
    await other.next(
      ({ type, payload }) => type === 'typing' && payload.userId === ann.id && !payload.active,
    );
    expect(framesOf(other, 'typing').filter(({ payload }) => payload.userId === bob.id)).toHaveLength(1);
    for (const client of [typist, other, witness]) client.close();
  });
});
