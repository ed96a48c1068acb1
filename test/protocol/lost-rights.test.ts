// Who loses the right to a topic hears the transaction that took it, then that it is over, then nothing. [S7]

import { beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import type { TestClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import {
  createGroup,
  fillLog,
  holdTable,
  range,
  reach,
  readLog,
  removeMember,
  sendMessage,
  seqsOf,
  type TestChat,
  untilWaiting,
} from './chat.ts';

onEachDatabase('lost rights', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cy: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cy] = [
      await server.register('Ann'),
      await server.register('Bob'),
      await server.register('Cy'),
    ];
  });

  /** Expects `client` to have heard everything up to the removal of Bob, its end, and nothing more. */
  const expectEnd = async (client: TestClient, chat: TestChat, from: number) => {
    const end = await client.next('unsubscribed');
    expect(end).toEqual({ type: 'unsubscribed', topic: chat.topic, payload: { reason: 'forbidden' } });
    const leftAt =
      (await readLog(server.db, chat.topic)).findLast(({ type }) => type === 'member.left')?.seq ?? 0;
    // What is written now must not reach it, and the reply comes behind whatever would have.
    const admin = await server.connect(ann);
    await sendMessage(admin, chat, 'not for Bob');
    await client.request('ping');
    expect(seqsOf(client, chat.topic)).toEqual(range(from, leftAt));
    const onTopic = client.frames.filter(({ topic }) => topic === chat.topic);
    expect(onTopic.at(-1)).toBe(end);
    expect(onTopic.at(-2)).toMatchObject({ type: 'member.left', payload: { userId: bob.id } });
    admin.close();
  };

  test('[S7] a removed member hears of the removal, then that it is over, then nothing', async () => {
    const chat = await createGroup(server, ann, [bob, cy]);
    const [bobs, bobsOther, cys] = [
      await server.connect(bob),
      await server.connect(bob),
      await server.connect(cy),
    ];
    for (const client of [bobs, bobsOther, cys]) await client.subscribe(chat.topic);
    const removedAt = performance.now();
    await removeMember(server, chat, ann, bob);
    await expectEnd(bobs, chat, 2);
    await expectEnd(bobsOther, chat, 2);
    expect(performance.now() - removedAt).toBeLessThan(1_000);
    // The others hear everything.
    const head = (await readLog(server.db, chat.topic)).length;
    await reach(cys, chat.topic, head);
    expect(seqsOf(cys, chat.topic)).toEqual(range(2, head));
    expect(cys.frames.some(({ type }) => type === 'unsubscribed')).toBe(false);
    for (const client of [bobs, bobsOther, cys]) client.close();
  });

  test('[S7] a member who leaves is out in the same way, and hears no ephemeral events either', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const [bobs, anns] = [await server.connect(bob), await server.connect(ann)];
    await bobs.subscribe(chat.topic);
    await removeMember(server, chat, bob, bob);
    await expectEnd(bobs, chat, 2);
    await anns.request('typing', { chatId: chat.id, active: true });
    await bobs.request('ping');
    expect(bobs.frames.some(({ type }) => type === 'typing')).toBe(false);
    bobs.close();
    anns.close();
  });

  test('[S7] holds for a batch of messages in flight around the removal', async () => {
    for (const round of range(1, 5)) {
      const chat = await createGroup(server, ann, [bob, cy]);
      const [bobs, anns, cys] = [
        await server.connect(bob),
        await server.connect(ann),
        await server.connect(cy),
      ];
      await bobs.subscribe(chat.topic);
      const sends = (client: TestClient) =>
        range(1, 30).map((n) => client.request('message.send', { chatId: chat.id, content: `${n}` }));
      const inFlight = [...sends(anns), ...sends(cys)];
      if (round > 1) await reach(bobs, chat.topic, round * 5);
      await removeMember(server, chat, ann, bob);
      await Promise.all(inFlight);
      await expectEnd(bobs, chat, 2);
      for (const client of [bobs, anns, cys]) client.close();
    }
  });

  test('[S7] refuses what the removed member sends behind its removal', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const bobs = await server.connect(bob);
    const sends = range(1, 40).map((n) => bobs.request('message.send', { chatId: chat.id, content: `${n}` }));
    await Promise.race(sends);
    await removeMember(server, chat, ann, bob);
    const replies = await Promise.all(sends);
    const log = await readLog(server.db, chat.topic);
    const leftAt = log.find(({ type }) => type === 'member.left')?.seq ?? 0;
    const accepted = replies.filter(({ type }) => type === 'ok');
    const refused = replies.filter(({ type }) => type === 'error');
    expect(replies).toEqual([...accepted, ...refused]);
    for (const { payload } of accepted) expect(payload.seq).toBeLessThan(leftAt);
    for (const { error } of refused) expect(error.code).toBe('not_found');
    expect(log.at(-1)?.seq).toBe(leftAt);
    bobs.close();
  });

  test('[S7] ends a replay at the event that revokes', async () => {
    const chat = await createGroup(server, ann, [bob]);
    await fillLog(server.db, chat.topic, 3_000, 4_000);
    const proxy = await startTcpProxy(server.port);
    const bobs = await server.connect(bob, { url: proxy.url });
    const replaying = bobs.request('subscribe', { since: 0 }, { topic: chat.topic });
    expect((await replaying).payload.replay).toBe(3_001);
    proxy.toClient.isPaused = true;
    await removeMember(server, chat, ann, bob);
    proxy.toClient.isPaused = false;
    await expectEnd(bobs, chat, 1);
    bobs.close();
    await proxy.stop();
  });

  test('[S7] an old removal in a replay shuts nobody out who was added again', async () => {
    const chat = await createGroup(server, ann, [bob]);
    await removeMember(server, chat, ann, bob);
    const path = `/v1/chats/${chat.id}/members`;
    await server.request('POST', path, { token: ann.accessToken, body: { userId: bob.id } });
    const bobs = await server.connect(bob);
    const { head } = await bobs.subscribe(chat.topic, { since: 0 });
    const anns = await server.connect(ann);
    await sendMessage(anns, chat, 'welcome back');
    await reach(bobs, chat.topic, head + 1);
    expect(seqsOf(bobs, chat.topic)).toEqual(range(1, head + 1));
    expect(bobs.frames.some(({ type }) => type === 'unsubscribed')).toBe(false);
    bobs.close();
    anns.close();
  });

  // An embedded database belongs to one process, and has one connection.
  if (database.kind === 'postgres') {
    test('[S7] lets nobody in behind the own removal, not even who guesses where that will stand', async () => {
      const chat = await createGroup(server, ann, [bob]);
      const [anns, bobs] = [await server.connect(ann), await server.connect(bob)];
      const { head } = await anns.subscribe(chat.topic);
      const release = await holdTable(server.db, 'event_log'); // where positions ahead of this instance are looked up
      const guess = bobs.request('subscribe', { since: head + 2 }, { topic: chat.topic });
      await untilWaiting(server.db, 1);
      await removeMember(server, chat, ann, bob);
      expect((await readLog(server.db, chat.topic)).at(-1)).toMatchObject({
        seq: head + 2,
        type: 'member.left',
      });
      await release();
      expect((await guess).error?.code).toBe('forbidden');
      await sendMessage(anns, chat, 'not for Bob');
      await bobs.request('ping');
      expect(seqsOf(bobs, chat.topic)).toEqual([]);
      bobs.close();
      anns.close();
    });

    test('[S7] holds on an instance that learns of the removal from the log', async () => {
      const elsewhere = await open(server.env);
      const chat = await createGroup(server, ann, [bob]);
      const bobs = await elsewhere.connect(bob);
      await bobs.subscribe(chat.topic);
      await removeMember(server, chat, ann, bob);
      const anns = await server.connect(ann);
      await sendMessage(anns, chat, 'not for Bob');
      await expectEnd(bobs, chat, 2);
      bobs.close();
      anns.close();
    });
  }
});
