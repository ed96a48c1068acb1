// Members of a group: add, promote, remove, leave. A group with members always has an admin, also when all act at once.

import { beforeAll, expect, test } from 'bun:test';
import { chatTopic, maxMembers } from '../../../src/modules/chat/contract.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  addCrowd,
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

interface Member {
  userId: string;
  role: string;
}

onEachDatabase('chat members', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;
  let dan: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid, dan] = await registerAll(server, 'Ann', 'Bob', 'Cid', 'Dan');
  });

  const add = (admin: TestUser, chatId: string, user: TestUser) =>
    must(server, admin, 'POST', `/chats/${chatId}/members`, { userId: user.id });
  const setRole = (admin: TestUser, chatId: string, user: TestUser, role: string) =>
    attempt(server, admin, 'PATCH', `/chats/${chatId}/members/${user.id}`, { role });
  const remove = (actor: TestUser, chatId: string, user: TestUser) =>
    attempt(server, actor, 'DELETE', `/chats/${chatId}/members/${user.id}`);
  const membersOf = async (user: TestUser, chatId: string): Promise<Member[]> =>
    (await must(server, user, 'GET', `/chats/${chatId}`)).members;

  test('an admin adds a member, for whom nothing that was said before is unread', async () => {
    const chat = await createGroup(server, ann, bob);
    await send(server, ann, chat.id, 'before');
    const { status, body: member } = await attempt(server, ann, 'POST', `/chats/${chat.id}/members`, {
      userId: cid.id,
    });
    expect(status).toBe(201);
    expect(outputOf(member)).toEqual({
      userId: cid.id,
      role: 'member',
      joinedAt: expect.any(String),
      lastReadSeq: 3,
    });
    const events = await eventsOf(server, chatTopic(chat.id), 2);
    expect(typesOf(events)).toEqual(['message.created', 'member.joined']);
    expect(events[0]?.payload).toMatchObject({ seq: 3, messageType: 'system' });
    expect(events[1]?.payload).toEqual(outputOf(member));
    expect((await eventsOf(server, userTopic(cid.id))).at(-1)).toMatchObject({
      type: 'chat.added',
      payload: { chatId: chat.id, type: 'group', name: 'Book club' },
    });
    expect((await listed(server, cid, chat.id)).unreadCount).toBe(0);
    expect((await listed(server, bob, chat.id)).unreadCount).toBe(1);
    await send(server, ann, chat.id, 'behind');
    expect((await listed(server, cid, chat.id)).unreadCount).toBe(1);
    expect((await membersOf(cid, chat.id)).map(({ userId }) => userId)).toEqual([ann.id, bob.id, cid.id]);
  });

  test('adding is for admins, of users who are there and no members yet', async () => {
    const chat = await createGroup(server, ann, bob);
    const path = `/chats/${chat.id}/members`;
    expect((await attempt(server, bob, 'POST', path, { userId: cid.id })).status).toBe(403);
    expect((await attempt(server, ann, 'POST', path, { userId: bob.id })).status).toBe(409);
    const unknown = await attempt(server, ann, 'POST', path, { userId: unknownId });
    expect(unknown.status).toBe(400);
    expect(unknown.body.error.details[0].path).toBe('/body/userId');
    expect(await eventsOf(server, chatTopic(chat.id), 1)).toEqual([]);
  });

  test(`a group has at most ${maxMembers} members`, async () => {
    const chat = await createGroup(server, ann);
    await addCrowd(server, chat.id, cid, maxMembers - 1);
    const { status, body } = await attempt(server, ann, 'POST', `/chats/${chat.id}/members`, {
      userId: bob.id,
    });
    expect(status).toBe(409);
    expect(body.error.message).toContain(String(maxMembers));
  });

  test('admins promote and demote, but the last one stays; the same role changes nothing', async () => {
    const chat = await createGroup(server, ann, bob);
    expect((await setRole(bob, chat.id, ann, 'member')).status).toBe(403);
    expect((await setRole(ann, chat.id, ann, 'member')).status).toBe(409);
    expect((await setRole(ann, chat.id, cid, 'admin')).status).toBe(404);
    const promoted = await setRole(ann, chat.id, bob, 'admin');
    expect(promoted).toMatchObject({ status: 200, body: { userId: bob.id, role: 'admin' } });
    expect(await setRole(ann, chat.id, bob, 'admin')).toMatchObject({
      status: 200,
      body: { ...promoted.body, events: [] },
    });
    expect((await setRole(bob, chat.id, ann, 'member')).status).toBe(200);
    const events = await eventsOf(server, chatTopic(chat.id), 1);
    expect(events.map(({ type, payload }) => [type, payload])).toEqual([
      ['member.updated', { userId: bob.id, role: 'admin' }],
      ['member.updated', { userId: ann.id, role: 'member' }],
    ]);
  });

  test('[S7] who is removed hears of it as the last thing, and has no way back in', async () => {
    const chat = await createGroup(server, ann, bob, cid);
    const topic = chatTopic(chat.id);
    const message = await send(server, bob, chat.id, 'mine');
    const [removed, witness] = await Promise.all([server.connect(bob), server.connect(cid)]);
    await Promise.all([removed.subscribe(topic), witness.subscribe(topic)]);

    const answer = await remove(ann, chat.id, bob);
    expect(answer).toMatchObject({ status: 200, body: { chatId: chat.id, userId: bob.id } });
    await send(server, ann, chat.id, 'he is gone');
    await witness.next(({ payload }) => payload?.content === 'he is gone');
    const out = await removed.next('unsubscribed');
    expect(out).toMatchObject({ topic, payload: { reason: 'forbidden' } });
    await removed.request('ping');
    const heard = removed.frames.filter((frame) => frame.topic === topic && frame.type !== 'presence.joined');
    expect(typesOf(heard)).toEqual(['message.created', 'member.left', 'unsubscribed']);
    expect(heard[1]?.payload).toEqual({ userId: bob.id, removedBy: ann.id });
    expect((await eventsOf(server, userTopic(bob.id))).at(-1)).toMatchObject({
      type: 'chat.removed',
      payload: { chatId: chat.id },
    });

    const path = `/chats/${chat.id}`;
    for (const [method, tail, body] of [
      ['GET', '', undefined],
      ['GET', '/messages', undefined],
      ['POST', '/messages', { content: 'still here?' }],
      ['PATCH', `/messages/${message.id}`, { content: 'changed' }],
      ['DELETE', `/messages/${message.id}`, undefined],
      ['POST', '/read', { seq: 1 }],
      ['DELETE', `/members/${bob.id}`, undefined],
    ] as const) {
      expect((await attempt(server, bob, method, path + tail, body)).status).toBe(404);
    }
    for (const [type, payload] of [
      ['message.send', { chatId: chat.id, content: 'still here?' }],
      ['message.edit', { messageId: message.id, content: 'changed' }],
      ['message.delete', { messageId: message.id }],
      ['message.read', { chatId: chat.id, seq: 1 }],
      ['typing', { chatId: chat.id, active: true }],
    ] as const) {
      expect((await removed.request(type, payload)).error.code).toBe('not_found');
    }
    expect((await removed.request('subscribe', {}, { topic })).error.code).toBe('forbidden');
    expect(await listed(server, bob, chat.id)).toBeUndefined();
  });

  test('who comes back is a member like any other', async () => {
    const chat = await createGroup(server, ann, bob);
    await must(server, ann, 'PATCH', `/chats/${chat.id}/members/${bob.id}`, { role: 'admin' });
    await remove(ann, chat.id, bob);
    await add(ann, chat.id, bob);
    expect((await membersOf(bob, chat.id)).at(-1)).toMatchObject({ userId: bob.id, role: 'member' });
    const client = await server.connect(bob);
    await client.subscribe(chatTopic(chat.id));
    await send(server, ann, chat.id, 'welcome back');
    expect((await client.next('message.created')).payload.content).toBe('welcome back');
  });

  test('only admins remove others, and only members can be removed', async () => {
    const chat = await createGroup(server, ann, bob, cid);
    expect((await remove(bob, chat.id, cid)).status).toBe(403);
    expect((await remove(ann, chat.id, dan)).status).toBe(404);
    expect(await eventsOf(server, chatTopic(chat.id), 1)).toEqual([]);
  });

  test('when the last admin leaves, the oldest member becomes one, before the leaving itself', async () => {
    const chat = await createGroup(server, ann);
    await add(ann, chat.id, bob);
    await add(ann, chat.id, cid);
    const { seq: before = 0 } = (await eventsOf(server, chatTopic(chat.id))).at(-1) ?? {};
    expect((await remove(ann, chat.id, ann)).status).toBe(200);
    const events = await eventsOf(server, chatTopic(chat.id), before);
    expect(typesOf(events)).toEqual(['message.created', 'member.updated', 'member.left']);
    expect(events[1]?.payload).toEqual({ userId: bob.id, role: 'admin' });
    expect(events[2]?.payload).toEqual({ userId: ann.id, removedBy: null });
    expect(await membersOf(bob, chat.id)).toMatchObject([
      { userId: bob.id, role: 'admin' },
      { userId: cid.id, role: 'member' },
    ]);
  });

  test('when the last member leaves, the chat stays, empty', async () => {
    const chat = await createGroup(server, ann);
    expect((await remove(ann, chat.id, ann)).status).toBe(200);
    expect((await attempt(server, ann, 'GET', `/chats/${chat.id}`)).status).toBe(404);
    expect(typesOf(await eventsOf(server, chatTopic(chat.id)))).toEqual([
      'message.created',
      'message.created',
      'member.left',
    ]);
  });

  test('a direct chat keeps its two members', async () => {
    const chat = await createDirect(server, ann, bob);
    const added = await attempt(server, ann, 'POST', `/chats/${chat.id}/members`, { userId: cid.id });
    const results = [
      added,
      await setRole(ann, chat.id, bob, 'admin'),
      await remove(ann, chat.id, bob),
      await remove(ann, chat.id, ann),
    ];
    for (const { status, body } of results) {
      expect(status).toBe(409);
      expect(body.error.code).toBe('conflict');
    }
    expect(await membersOf(bob, chat.id)).toHaveLength(2);
  });

  test('however many leave and step down at once, whoever stays has an admin', async () => {
    for (let round = 0; round < 10; round += 1) {
      const chat = await createGroup(server, ann, bob, cid, dan);
      await Promise.all([setRole(ann, chat.id, bob, 'admin'), setRole(ann, chat.id, cid, 'admin')]);
      await Promise.all([
        remove(ann, chat.id, ann),
        setRole(bob, chat.id, bob, 'member'),
        remove(cid, chat.id, cid),
        setRole(bob, chat.id, cid, 'member'),
      ]);
      expect((await membersOf(dan, chat.id)).filter(({ role }) => role === 'admin')).not.toBeEmpty();
    }
  });

  test('what is sent at once with a removal comes before it or not at all', async () => {
    for (let round = 0; round < 5; round += 1) {
      const chat = await createGroup(server, ann, bob);
      const sends = Array.from({ length: 8 }, (_, n) =>
        attempt(server, bob, 'POST', `/chats/${chat.id}/messages`, { content: `${n}` }),
      );
      const [removal, ...answers] = await Promise.all([remove(ann, chat.id, bob), ...sends]);
      expect(removal.status).toBe(200);
      const events = await eventsOf(server, chatTopic(chat.id));
      const left = events.findIndex(({ type }) => type === 'member.left');
      const said = events.filter(({ payload }) => payload.senderId === bob.id);
      expect(left).toBe(events.length - 1);
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(said.length);
      for (const { status } of answers) expect([201, 404]).toContain(status);
    }
  });
});
