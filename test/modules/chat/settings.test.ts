// What members set up for themselves: mutes, for a time or for ever, and hidden chats.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createDirect, createGroup, eventsOf, must, outputOf, registerAll, send } from './setup.ts';

onEachDatabase('settings of chats', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
  const setUp = (chatId: string, body: object) => attempt(server, bob, 'PATCH', `/chats/${chatId}/me`, body);
  const plain = { muted: 'none', mutedUntil: null, hidden: false };

  test('what is given changes, what is left out stays; my connections hear of it, and nobody else', async () => {
    const chat = await createGroup(server, ann, bob);
    const head = (await eventsOf(server, userTopic(bob.id))).length;
    const [mine, anns] = [await server.connect(bob), await server.connect(ann)];
    await Promise.all([mine.subscribe(userTopic(bob.id)), anns.subscribe(chatTopic(chat.id))]);
    const until = inAnHour();
    const steps: [given: object, settings: object][] = [
      [{ muted: 'all' }, { ...plain, muted: 'all' }],
      [{ hidden: true }, { ...plain, muted: 'all', hidden: true }],
      [
        { muted: 'mentions', mutedUntil: until },
        { muted: 'mentions', mutedUntil: until, hidden: true },
      ],
      [
        { muted: 'mentions', mutedUntil: null },
        { muted: 'mentions', mutedUntil: null, hidden: true },
      ],
      [{ muted: 'none', hidden: false }, plain],
    ];
    for (const [given, settings] of steps) {
      const { status, body } = await setUp(chat.id, given);
      expect([status, outputOf(body)]).toEqual([200, { chatId: chat.id, ...settings }]);
      expect(await mine.next('chat.configured')).toMatchObject({
        payload: outputOf(body),
        ...body.events[0],
      });
    }
    expect(await eventsOf(server, userTopic(bob.id), head)).toHaveLength(steps.length);
    expect(await eventsOf(server, chatTopic(chat.id))).toHaveLength(1);
    await anns.request('ping');
    expect(anns.frames.filter(({ type }) => type === 'chat.configured')).toEqual([]);
    for (const client of [mine, anns]) client.close();
  });

  test('what is so already is answered, and no event is written', async () => {
    const chat = await createGroup(server, ann, bob);
    const given = { muted: 'mentions', mutedUntil: inAnHour(), hidden: true };
    expect((await setUp(chat.id, given)).body.events).toHaveLength(1);
    expect((await setUp(chat.id, given)).body).toEqual({ chatId: chat.id, ...given, events: [] });
    expect((await setUp(chat.id, { hidden: true })).body.events).toEqual([]);
  });

  test('over the socket it is a command', async () => {
    const chat = await createGroup(server, ann, bob);
    const client = await server.connect(bob);
    const { payload } = await client.request('chat.configure', { chatId: chat.id, muted: 'all' });
    expect(payload).toMatchObject({ chatId: chat.id, ...plain, muted: 'all' });
    client.close();
  });

  test.each([
    ['an end without a mute', { mutedUntil: '2999-01-01T00:00:00Z' }],
    ['no end without a mute', { mutedUntil: null }],
    ['an end of no mute', { muted: 'none', mutedUntil: '2999-01-01T00:00:00Z' }],
    ['an end that is over', { muted: 'all', mutedUntil: '2020-01-01T00:00:00Z' }],
    ['a date that does not exist', { muted: 'all', mutedUntil: '2999-02-30T00:00:00Z' }],
    ['a year that PostgreSQL does not know', { muted: 'all', mutedUntil: '0000-01-01T00:00:00Z' }],
    ['an end in another time zone', { muted: 'all', mutedUntil: '2999-01-01T00:00:00+01:00' }],
  ])('%s is invalid, and nothing changes', async (_, given) => {
    const chat = await createGroup(server, ann, bob);
    const { status, body } = await setUp(chat.id, given);
    expect([status, body.error]).toMatchObject([
      400,
      { code: 'invalid', details: [{ path: '/body/mutedUntil' }] },
    ]);
    expect(outputOf((await setUp(chat.id, { hidden: false })).body)).toEqual({ chatId: chat.id, ...plain });
  });

  test('what says nothing, or what there is not, is invalid; a stranger sets up nothing', async () => {
    const chat = await createGroup(server, ann, bob);
    for (const given of [{}, { muted: 'some' }, { hidden: 'yes' }, { volume: 3 }]) {
      expect((await setUp(chat.id, given)).body.error.code).toBe('invalid');
    }
    const stranger = await attempt(server, cid, 'PATCH', `/chats/${chat.id}/me`, { hidden: true });
    expect([stranger.status, stranger.body.error.code]).toEqual([404, 'not_found']);
  });

  test('settings as they are answered can be sent back', async () => {
    const chat = await createGroup(server, ann, bob);
    const { chatId: _, ...settings } = outputOf((await setUp(chat.id, { hidden: true })).body);
    expect((await setUp(chat.id, settings)).body.events).toEqual([]);
  });

  test('a hidden direct chat is shown again by a message; a hidden group stays hidden', async () => {
    const direct = await createDirect(server, ann, bob);
    const group = await createGroup(server, ann, bob);
    for (const chat of [direct, group]) {
      await setUp(chat.id, { hidden: true });
      expect(outputOf((await setUp(chat.id, { muted: 'none' })).body).hidden).toBe(true);
      await must(server, ann, 'POST', `/chats/${chat.id}/read`, { seq: 1 }); // no message, but an event
      expect(outputOf((await setUp(chat.id, { muted: 'none' })).body).hidden).toBe(true);
      await send(server, ann, chat.id, 'Are you there?');
    }
    expect(outputOf((await setUp(direct.id, { muted: 'none' })).body).hidden).toBe(false);
    expect(outputOf((await setUp(group.id, { muted: 'none' })).body).hidden).toBe(true);
  });

  test('who muted mentions only is told of those, who muted all of nothing, until the mute is over', async () => {
    const chat = await createGroup(server, ann, bob, cid);
    const clients: TestClient[] = [];
    for (const user of [bob, cid]) {
      const client = await server.connect(user);
      await client.subscribe(userTopic(user.id));
      clients.push(client);
    }
    await setUp(chat.id, { muted: 'mentions', mutedUntil: inAnHour() });
    await must(server, cid, 'PATCH', `/chats/${chat.id}/me`, { muted: 'all' });
    const say = (content: string, ...mentions: TestUser[]) =>
      must(server, ann, 'POST', `/chats/${chat.id}/messages`, {
        content,
        mentions: mentions.map(({ id }) => id),
      });
    await say('to nobody');
    await say('to both', bob, cid);
    const isOf = (preview: string) => (frame: Frame) =>
      frame.type === 'message.notified' && frame.payload.preview === preview;
    await clients[0]?.next(isOf('to both')); // the other one is told of it by then, or not at all
    await server.db.execute(
      sql`UPDATE chat_participants SET muted_until = now() - interval '1 second' WHERE chat_id = ${chat.id}`,
    );
    await say('behind the end');
    const heard = [];
    for (const client of clients) {
      await client.next(isOf('behind the end'));
      const notices = client.frames.filter(({ type }) => type === 'message.notified');
      heard.push(notices.map(({ payload }) => [payload.preview, payload.mention]));
      client.close();
    }
    expect(heard).toEqual([
      [
        ['to both', true],
        ['behind the end', false],
      ],
      [['behind the end', false]],
    ]);
    expect(outputOf((await setUp(chat.id, { hidden: false })).body)).toEqual({ chatId: chat.id, ...plain });
  });
});
