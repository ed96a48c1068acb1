// Presence on one instance, and the heartbeat. [P1] [P2]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { describeWith } from '../support/needs.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { createGroup, range, type TestChat } from './chat.ts';

onEachDatabase('presence', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cy: TestUser;
  let watcher: TestClient;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cy] = [
      await server.register('Ann'),
      await server.register('Bob'),
      await server.register('Cy'),
    ];
    watcher = await server.connect(ann);
  });
  afterAll(() => watcher.close());

  const listOn = async (chat: TestChat): Promise<Map<string, number>> => {
    const { payload } = await watcher.request('presence.list', {}, { topic: chat.topic });
    expect(payload.topic).toBe(chat.topic);
    const users: { userId: string; devices: number }[] = payload.users;
    return new Map(users.map(({ userId, devices }) => [userId, devices]));
  };
  const presenceOf = (client: TestClient, chat: TestChat): [string, string][] =>
    client.frames
      .filter(({ type, topic }) => topic === chat.topic && type.startsWith('presence.'))
      .map(({ type, payload }) => [type, payload.userId]);
  const isAbout = (user: TestUser, chat: TestChat, type: string) => (frame: Frame) =>
    frame.type === type && frame.topic === chat.topic && frame.payload.userId === user.id;

  test('[P1] lists who is subscribed, by user with devices, to everyone who may subscribe', async () => {
    const chat = await createGroup(server, ann, [bob, cy]);
    expect(await listOn(chat)).toEqual(new Map());
    const bobs = [await server.connect(bob), await server.connect(bob)];
    for (const client of bobs) await client.subscribe(chat.topic);
    const cys = await server.connect(cy);
    await cys.subscribe(chat.topic);
    await cys.subscribe(chat.topic); // again: still one device
    expect(await listOn(chat)).toEqual(
      new Map([
        [bob.id, 2],
        [cy.id, 1],
      ]),
    );
    await bobs[0]?.request('unsubscribe', {}, { topic: chat.topic });
    await cys.request('unsubscribe', {}, { topic: chat.topic });
    expect(await listOn(chat)).toEqual(new Map([[bob.id, 1]]));
    for (const client of [...bobs, cys]) client.close();
  });

  test('[P1] refuses the list to who may not subscribe, and on kinds without presence', async () => {
    const chat = await createGroup(server, ann);
    const bobs = await server.connect(bob);
    const refuse = async (topic: string | undefined, code: string) => {
      const reply = await bobs.request('presence.list', {}, topic === undefined ? {} : { topic });
      expect(reply.error.code).toBe(code);
    };
    await refuse(chat.topic, 'forbidden');
    await refuse(`chat:${crypto.randomUUID()}`, 'forbidden');
    await refuse(`user:${bob.id}`, 'invalid');
    await refuse('nothing:x', 'unknown_topic');
    await refuse(undefined, 'invalid');
    bobs.close();
  });

  test('[P1] announces the first device in, not the second, as an ephemeral event', async () => {
    const chat = await createGroup(server, ann, [bob, cy]);
    await watcher.subscribe(chat.topic);
    const [first, second] = [await server.connect(bob), await server.connect(bob)];
    await first.subscribe(chat.topic);
    const joined = await watcher.next(isAbout(bob, chat, 'presence.joined'));
    expect(joined).toEqual({
      type: 'presence.joined',
      topic: chat.topic,
      id: expect.any(String),
      at: expect.any(String),
      payload: { userId: bob.id },
      meta: { source: 'system' },
    });
    await second.subscribe(chat.topic);
    const cys = await server.connect(cy);
    await cys.subscribe(chat.topic);
    await watcher.next(isAbout(cy, chat, 'presence.joined'));
    expect(presenceOf(watcher, chat).filter(([, userId]) => userId === bob.id)).toEqual([
      ['presence.joined', bob.id],
    ]);
    for (const client of [first, second, cys]) client.close();
  });

  const expectOthersTold = async (on: TestServer) => {
    const [first, second] = [await on.register('Dee'), await on.register('Eve')];
    const chat = await createGroup(on, first, [second]);
    const [firsts, seconds] = [await on.connect(first), await on.connect(second)];
    await firsts.subscribe(chat.topic);
    await seconds.subscribe(chat.topic);
    await firsts.next(isAbout(second, chat, 'presence.joined'));
    await seconds.request('ping');
    expect(presenceOf(firsts, chat)).toEqual([['presence.joined', second.id]]);
    // Of the first one it may hear: over Redis its coming is announced a moment later.
    expect(presenceOf(seconds, chat)).not.toContainEqual(['presence.joined', second.id]);
    firsts.close();
    seconds.close();
  };

  test('[P1] tells the others who came, and not those who did', async () => {
    await expectOthersTold(server);
  });

  describeWith('counted in Redis', redisMissing, () => {
    test('[O4] it tells the others who came, and not those who did', async () => {
      const redis = await startRedis();
      const counting = await open({ REDIS_URL: redis.url });
      await expectOthersTold(counting);
      await counting.stop();
      await redis.stop();
    });
  });

  test('[P1] announces the last device out after 5 s, and nothing about who came back before', async () => {
    const chat = await createGroup(server, ann, [bob, cy]);
    await watcher.subscribe(chat.topic);
    const [bobs, cysFirst, cysSecond] = [
      await server.connect(bob),
      await server.connect(cy),
      await server.connect(cy),
    ];
    for (const client of [bobs, cysFirst, cysSecond]) await client.subscribe(chat.topic);
    bobs.terminate();
    cysFirst.close();
    await Promise.all([bobs.closed, cysFirst.closed]);
    const back = await server.connect(bob);
    await back.subscribe(chat.topic);
    const leftAt = performance.now();
    await cysSecond.request('unsubscribe', {}, { topic: chat.topic });
    expect((await listOn(chat)).has(cy.id)).toBe(false);
    await watcher.next(isAbout(cy, chat, 'presence.left'), 8_000);
    expect(performance.now() - leftAt).toBeGreaterThanOrEqual(4_900);
    // Bob was away before Cy was: his leaving would have come first.
    expect(presenceOf(watcher, chat)).toEqual([
      ['presence.joined', bob.id],
      ['presence.joined', cy.id],
      ['presence.left', cy.id],
    ]);
    back.close();
    cysSecond.close();
  }, 15_000);

  test('[P2] answers over HTTP who is online, on how many devices, and when last seen', async () => {
    const dee = await server.register('Dee');
    const presence = async (ids: string[]) => {
      const path = `/v1/presence?users=${ids.join(',')}`;
      const { status, body } = await server.request('GET', path, { token: ann.accessToken });
      expect(status).toBe(200);
      return body.items;
    };
    const before = await server.request('GET', `/v1/users/${dee.id}/presence`, { token: ann.accessToken });
    expect(before.body).toMatchObject({ userId: dee.id, online: false, devices: 0 });
    const clients = await Promise.all(range(1, 3).map(() => server.connect(dee)));
    const [online] = await presence([dee.id]);
    expect(online).toMatchObject({ userId: dee.id, online: true, devices: 3 });
    expect((await presence([dee.id, ann.id])).map(({ userId }: { userId: string }) => userId).sort()).toEqual(
      [ann.id, dee.id].sort(),
    );
    for (const client of clients) client.close();
    await Promise.all(clients.map(({ closed }) => closed));
    const after = await server.request('GET', `/v1/users/${dee.id}/presence`, { token: ann.accessToken });
    expect(after.body).toMatchObject({ online: false, devices: 0 });
    expect(after.body).toHaveProperty('lastSeenAt'); // written down now and then, and not at once
  });

  test('[heartbeat] ping is answered by pong with the time, and with the id if there was one', async () => {
    const pong = await watcher.request('ping', undefined, { id: 'beat' });
    expect(pong).toEqual({ type: 'pong', id: 'beat', payload: { at: expect.any(String) } });
    expect(Math.abs(Date.parse(pong.payload.at) - Date.now())).toBeLessThan(5_000);
    watcher.send({ type: 'ping' });
    expect(await watcher.next('pong')).toEqual({ type: 'pong', payload: { at: expect.any(String) } });
  });
});
