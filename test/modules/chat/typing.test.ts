// Typing: it ends by itself, and on several instances what one second lets through is one word, wherever the user is.

import { expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { createGroup, registerAll } from './setup.ts';

/** From the first word of typing to the last one. */
async function untilStopped(follower: TestClient): Promise<{ actives: boolean[]; ms: number; last: Frame }> {
  const first = await follower.next('typing');
  const last = await follower.next(({ type, payload }) => type === 'typing' && !payload.active, 10_000);
  const actives = follower.frames
    .filter(({ type }) => type === 'typing')
    .map(({ payload }) => payload.active);
  return { actives, ms: Date.parse(last.at ?? '') - Date.parse(first.at ?? ''), last };
}

// Beside one another: each waits for 6 s, on a server of its own.
onEachDatabase('the end of typing', (open, database) => {
  async function begin(server: TestServer, elsewhere = server) {
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    const chat = await createGroup(server, ann, bob);
    const [typist, second, other] = [
      await server.connect(ann),
      await elsewhere.connect(ann),
      await elsewhere.connect(bob),
    ];
    for (const client of [second, other]) await client.subscribe(chatTopic(chat.id));
    const type = (active: boolean) => typist.request('typing', { chatId: chat.id, active });
    return { chatId: chat.id as string, ann, typist, second, other, type };
  }

  test.concurrent('[P5] who is cut off has stopped 6 s later, for everyone but their own connections', async () => {
    const { chatId, ann, typist, second, other, type } = await begin(await open());
    await type(true);
    typist.terminate();
    const { actives, ms, last } = await untilStopped(other);
    expect(actives).toEqual([true, false]);
    expect(ms).toBeGreaterThanOrEqual(5_990);
    expect(ms).toBeLessThan(7_000);
    expect(last).toMatchObject({
      payload: { chatId, userId: ann.id, active: false },
      meta: { source: 'system' },
    });
    await second.request('ping');
    expect(second.frames.filter(({ type: of }) => of === 'typing')).toEqual([]);
    for (const client of [second, other]) client.close();
  }, 15_000);

  test.concurrent('[P5] who types on has not stopped, even where that was too soon to be passed on', async () => {
    const { typist, second, other, type } = await begin(await open());
    await type(true);
    await type(true);
    const { actives, ms } = await untilStopped(other);
    expect(actives).toEqual([true, true, false]); // the second word came when its second began
    expect(ms).toBeGreaterThanOrEqual(6_980);
    for (const client of [typist, second, other]) client.close();
  }, 15_000);

  test.concurrent('[P5] who has stopped does not stop again', async () => {
    const { chatId, typist, second, other, type } = await begin(await open());
    await type(true);
    await type(false);
    expect((await untilStopped(other)).actives).toEqual([true, false]);
    // Typing anew, by another user, ends later than the first one would have.
    await other.request('typing', { chatId, active: true });
    await second.next(({ type: of, payload }) => of === 'typing' && !payload.active, 10_000);
    await other.request('ping');
    expect(other.frames.filter(({ type: of }) => of === 'typing')).toHaveLength(2);
    for (const client of [typist, second, other]) client.close();
  }, 15_000);

  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test.concurrent('[P5] each instance says it to its own followers, also when the one that passed it on is gone', async () => {
      const redis = await startRedis();
      const server = await open({ REDIS_URL: redis.url });
      const { second, other, type } = await begin(server, await open(server.env));
      await type(true);
      await other.next('typing');
      await server.stop();
      const stopped = await other.next('typing', 10_000);
      expect(stopped.payload.active).toBe(false);
      await other.request('ping');
      expect(other.frames.filter(({ type: of }) => of === 'typing')).toHaveLength(2);
      for (const client of [second, other]) client.close();
      await redis.stop();
    }, 15_000);

    test.concurrent('[P5] a word that comes through another instance holds off the end on all of them', async () => {
      const redis = await startRedis();
      const server = await open({ REDIS_URL: redis.url });
      const elsewhere = await open(server.env);
      const { chatId, ann, typist, second, other, type } = await begin(server, elsewhere);
      const here = await server.connect(await server.login(ann));
      await here.subscribe(chatTopic(chatId));
      await type(true);
      const first = await other.next('typing');
      await second.request('typing', { chatId, active: true }); // passed on a second later
      await other.next('typing');
      const last = await other.next('typing', 10_000);
      expect(last.payload.active).toBe(false);
      expect(Date.parse(last.at ?? '') - Date.parse(first.at ?? '')).toBeGreaterThan(6_900);
      expect(other.frames.filter(({ type: of }) => of === 'typing')).toHaveLength(3);
      for (const client of [typist, here, second, other]) client.close();
      await redis.stop();
    }, 15_000);
  });
});

onEachDatabase('typing on two instances', (open, database) => {
  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test('at most one word a second is passed on, and the last one always; by instance while Redis is away', async () => {
      const redis = await startRedis();
      const server = await open({ REDIS_URL: redis.url });
      const elsewhere = await open(server.env);
      const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
      const chat = await createGroup(server, ann, bob);
      const [here, there] = [await server.connect(ann), await elsewhere.connect(ann)];
      const other = await server.connect(bob);
      await other.subscribe(chatTopic(chat.id));
      const type = async (client: TestClient, active: boolean) =>
        (await client.request('typing', { chatId: chat.id, active })).type;

      expect(await type(here, true)).toBe('ok');
      expect(await type(there, true)).toBe('ok');
      expect(await type(there, false)).toBe('ok');
      const [first, second] = [await other.next('typing'), await other.next('typing')];
      expect([first.payload.active, second.payload.active]).toEqual([true, false]);
      expect(Date.parse(second.at ?? '') - Date.parse(first.at ?? '')).toBeGreaterThan(900);

      await redis.kill9();
      expect(await type(here, true)).toBe('ok');
      expect((await other.next('typing')).payload.active).toBe(true);
      for (const client of [here, there, other]) client.close();
    });
  });
});
