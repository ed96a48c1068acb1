// The durable events of any topic in pages: who may read them, from where, and what is a reset. [V7]

import { beforeAll, expect, test } from 'bun:test';
import { createGroup, fillLog, pruneLog, range, readLog, removeMember } from '../protocol/chat.ts';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

onEachDatabase('polling', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
  });

  const poll = async (user: TestUser, topic: string, query = '') =>
    await server.request('GET', `/v1/topics/${topic}/events${query}`, { token: user.accessToken });
  const seqsIn = (items: { seq: number }[]): number[] => items.map(({ seq }) => seq);

  test('[V7] a topic of any kind is read in pages, the same envelopes as over the WebSocket', async () => {
    const chat = await createGroup(server, ann, [bob]);
    await fillLog(server.db, chat.topic, 3);
    const client = await server.connect(bob);
    await client.subscribe(chat.topic, { since: 0 });
    const first = (await poll(bob, chat.topic, '?limit=2')).body;
    expect(first).toMatchObject({ nextCursor: '2', seq: 0, head: 4 });
    expect(first).not.toHaveProperty('reset');
    const second = (await poll(bob, chat.topic, `?limit=2&after=2&epoch=${first.epoch}`)).body;
    expect(second).toMatchObject({ nextCursor: null, seq: 2, head: 4 });
    const items = [...first.items, ...second.items];
    expect(seqsIn(items)).toEqual([1, 2, 3, 4]);
    for (const item of items) expect(await client.next(({ seq }) => seq === item.seq)).toEqual(item);
    expect((await poll(bob, chat.topic, '?after=4')).body).toMatchObject({
      items: [],
      nextCursor: null,
      seq: 4,
    });
    expect((await poll(ann, `user:${ann.id}`)).status).toBe(200);
    const reply = await client.request('topic.events', { after: 3 }, { topic: chat.topic });
    expect(seqsIn(reply.payload.items)).toEqual([4]);
    client.close();
  });

  test('[V7] where the log cannot go on it says reset, with the state where there is one, and nothing of what was missed', async () => {
    const chat = await createGroup(server, ann);
    const topic = `app:public.${crypto.randomUUID()}`;
    for (const name of [chat.topic, topic]) {
      await fillLog(server.db, name, 5);
      await pruneLog(server.db, name, 2);
      const { head } = (await poll(ann, name)).body;
      for (const query of ['?after=0', '?after=1', `?after=${head + 1}`, '?after=3&epoch=another']) {
        const { body } = await poll(ann, name, query);
        expect(body).toMatchObject({ items: [], nextCursor: null, reset: true, seq: head, head });
        expect(body.snapshot).toEqual(
          name === topic
            ? undefined
            : expect.objectContaining({ chat: expect.objectContaining({ id: chat.id }) }),
        );
      }
      // Who has no position gets all that there is.
      const { items } = (await poll(ann, name)).body;
      expect(seqsIn(items)).toEqual(range(3, head));
      expect(seqsIn((await poll(ann, name, '?after=2')).body.items)).toEqual(range(3, head));
    }
  });

  test('[V7] large events make pages of fewer, but never of none', async () => {
    const topic = `app:public.${crypto.randomUUID()}`;
    await fillLog(server.db, topic, 40, 60_000);
    const seen: number[] = [];
    let pages = 0;
    for (let after: string | null = '0'; after !== null; pages += 1) {
      const { body } = await poll(ann, topic, `?limit=100&after=${after}`);
      expect(JSON.stringify(body).length).toBeLessThan(1_300_000);
      expect(body.items.length).toBeGreaterThan(0);
      seen.push(...seqsIn(body.items));
      after = body.nextCursor;
    }
    expect(seen).toEqual(range(1, 40));
    expect(pages).toBeGreaterThan(1);
  });

  test('[V7] who may not subscribe may not read, a former member neither; one who is back reads everything', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const refused = async (topic: string) => {
      const { status, body } = await poll(bob, topic);
      return [status, body.error?.code];
    };
    await removeMember(server, chat, ann, bob);
    await fillLog(server.db, chat.topic, 1);
    expect(await refused(chat.topic)).toEqual([403, 'forbidden']);
    expect(await refused(`user:${ann.id}`)).toEqual([403, 'forbidden']);
    expect(await refused('app:of-others')).toEqual([403, 'forbidden']);
    expect(await refused('chat:1')).toEqual([404, 'unknown_topic']);
    expect(await refused('app:A')).toEqual([404, 'unknown_topic']);
    expect(await refused('nothing:1')).toEqual([404, 'unknown_topic']);
    const { status } = await server.request('POST', `/v1/chats/${chat.id}/members`, {
      token: ann.accessToken,
      body: { userId: bob.id },
    });
    expect(status).toBe(201);
    const { items } = (await poll(bob, chat.topic)).body;
    expect(seqsIn(items)).toEqual((await readLog(server.db, chat.topic)).map(({ seq }) => seq));
  });

  test('[V7] it is there whichever modules run', async () => {
    const chats = await open({ MODULES: 'chat' });
    const cy = await chats.register('Cy');
    const { topic } = await createGroup(chats, cy);
    const { body } = await chats.request('GET', `/v1/topics/${topic}/events`, { token: cy.accessToken });
    expect(seqsIn(body.items)).toEqual([1]);
  });
});
