// Forgotten topics: their rows go, their numbers do not. Nobody takes a position from before for one of today.

import { beforeAll, beforeEach, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { readPosition, readStarts } from '../../../src/realtime/log/event-log.ts';
import { forgetTopics, keepFollowed } from '../../../src/realtime/log/forgotten.ts';
import { prune, startRetention } from '../../../src/realtime/log/retention.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import type { TestUser } from '../../support/api.ts';
import { reportInto } from '../../support/reporter.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

onEachDatabase('forgotten topics', (open, database) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
  });
  // One test's topics could, once in some thousands of runs, have the bucket of another one's.
  beforeEach(() => server.db.execute(sql`TRUNCATE forgotten_topics`));

  const newTopic = () => `app:public.${crypto.randomUUID()}`;
  const publish = async (topic: string, data: unknown = null, through = server): Promise<number> => {
    const { body } = await through.request('POST', `/v1/topics/${topic}/events`, {
      token: ann.accessToken,
      body: { event: 'thing.happened', data, durable: true },
    });
    return body.events[0].seq;
  };
  /** Publishes so many events and has them pruned by age. */
  async function publishAndPrune(topic: string, count: number): Promise<void> {
    for (let n = 1; n <= count; n += 1) await publish(topic, n);
    await server.db.execute(sql`UPDATE events SET at = at - interval '30 hours' WHERE topic = ${topic}`);
    await pruneOnce();
  }
  const pruneOnce = () => prune(server.db, { hours: 24, perTopic: 0 });
  const passTime = (topic: string, hours: number) =>
    server.db.execute(
      sql`UPDATE topics SET idle_since = idle_since - make_interval(hours => ${hours}) WHERE name = ${topic}`,
    );
  async function forget(topic: string): Promise<void> {
    await passTime(topic, 25);
    await pruneOnce();
    expect(await isThere(topic)).toBe(false);
  }
  const isThere = async (topic: string) =>
    (await queryRows(server.db, sql`SELECT 1 FROM topics WHERE name = ${topic}`)).length > 0;

  test('a free topic without events is forgotten a day later, and no other', async () => {
    const [idle, again, busy] = [newTopic(), newTopic(), newTopic()];
    const chat = `chat:${crypto.randomUUID()}`;
    await server.db.execute(sql`INSERT INTO topics (name, head) VALUES (${chat}, 7)`);
    for (const topic of [idle, again]) await publishAndPrune(topic, 2);
    await publish(busy);
    await passTime(again, 20);
    await publishAndPrune(again, 1); // the day begins anew
    for (const topic of [idle, again]) await passTime(topic, 23);
    await pruneOnce();
    expect(await isThere(idle)).toBe(true);
    for (const topic of [idle, again, busy, chat]) await passTime(topic, 2);
    await pruneOnce();
    expect(await isThere(idle)).toBe(false);
    for (const topic of [busy, chat]) expect([topic, await isThere(topic)]).toEqual([topic, true]);
    expect(await readPosition(server.db, chat)).toMatchObject({ head: 7, reach: 7, base: 0 });
    await publishAndPrune(again, 1);
    expect(await isThere(again)).toBe(true);
  });

  test('gives no seq out twice, however often a topic is forgotten, and starts others at 1', async () => {
    const topic = newTopic();
    await publishAndPrune(topic, 3);
    await forget(topic);
    expect(await readStarts(server.db, [topic])).toEqual(new Map([[topic, { head: 3, id: null }]]));
    expect(await publish(topic)).toBe(4);
    expect(await publish(topic)).toBe(5);
    expect(await publish(newTopic())).toBe(1);
    await publishAndPrune(topic, 0);
    await forget(topic);
    expect(await publish(topic)).toBe(6);
  });

  test('a topic that shares its bucket with a forgotten one begins behind that', async () => {
    const topic = newTopic();
    await publishAndPrune(topic, 2);
    await forget(topic);
    const bucketOf = (name: ReturnType<typeof sql>) =>
      sql`get_byte(sha256(convert_to(${name}, 'UTF8')), 0) * 256 + get_byte(sha256(convert_to(${name}, 'UTF8')), 1)`;
    const [neighbour] = await queryRows<{ name: string }>(
      server.db,
      sql`SELECT 'app:public.' || n AS name FROM generate_series(1, 2000000) AS n
          WHERE ${bucketOf(sql`'app:public.' || n`)} = ${bucketOf(sql`${topic}::text`)} LIMIT 1`,
    );
    expect(await publish(neighbour?.name ?? '')).toBe(3);
  });

  test('[T4] a position from before is a reset, never a false continuation', async () => {
    const topic = newTopic();
    await publishAndPrune(topic, 4);
    await forget(topic);
    const client = await server.connect(ann);
    const subscribe = async (since: number) =>
      (await client.request('subscribe', { since }, { topic })).payload;
    expect(await subscribe(2)).toMatchObject({ seq: 4, head: 4, reset: true });
    expect(await subscribe(4)).toMatchObject({ seq: 4, head: 4, replay: 0 }); // it has seen everything
    expect(await subscribe(5)).toMatchObject({ seq: 4, reset: true });
    for (let n = 1; n <= 6; n += 1) await publish(topic, n); // beyond any number from before
    expect(await subscribe(2)).toMatchObject({ seq: 10, head: 10, reset: true });
    // Nothing came behind 4 but these.
    expect((await subscribe(4)).reset).toBeUndefined();
    client.close();
    await client.closed;
  });

  test('[T4] since 0 means from the first event on, whatever number it has', async () => {
    const topic = newTopic();
    await publishAndPrune(topic, 3);
    await forget(topic);
    const early = await server.connect(ann);
    expect((await early.request('subscribe', { since: 0 }, { topic })).payload).toMatchObject({
      seq: 3,
      head: 3,
      replay: 0,
    });
    for (let n = 1; n <= 3; n += 1) await publish(topic, n);
    const late = await server.connect(ann);
    const { payload } = await late.request('subscribe', { since: 0 }, { topic });
    expect(payload).toMatchObject({ seq: 3, head: 6, replay: 3 });
    expect(payload.reset).toBeUndefined();
    for (const client of [early, late]) {
      for (const n of [1, 2, 3]) {
        expect(await client.next('thing.happened')).toMatchObject({ seq: 3 + n, payload: n });
      }
    }
    // The first of them gone, there is a gap again.
    await server.db.execute(sql`DELETE FROM events WHERE topic = ${topic} AND seq = 4`);
    const elsewhere = await server.connect(ann);
    early.close();
    late.close();
    await Promise.all([early.closed, late.closed]);
    const answer = await elsewhere.request('subscribe', { since: 0 }, { topic });
    expect(answer.payload).toMatchObject({ seq: 6, reset: true });
    elsewhere.close();
  });

  test('who follows a topic without knowing that it was forgotten hears what is published on it anew', async () => {
    const elsewhere = database.kind === 'postgres' ? await open(server.env) : server;
    const topic = newTopic();
    await publishAndPrune(topic, 2);
    const client = await elsewhere.connect(ann);
    expect((await client.request('subscribe', {}, { topic })).payload.seq).toBe(2);
    await forget(topic); // which takes a day of rounds without a note, as from an instance that stood still
    expect(await publish(topic, 'anew')).toBe(3);
    expect(await client.next('thing.happened')).toMatchObject({ seq: 3, payload: 'anew' });
    client.close();
  });

  test('[S4] where the numbers move on under a follower, it has to come back, and gets a reset', async () => {
    const elsewhere = database.kind === 'postgres' ? await open(server.env) : server;
    const [topic, unused] = [newTopic(), newTopic()];
    await publishAndPrune(topic, 2);
    const clients = [await elsewhere.connect(ann), await elsewhere.connect(ann)];
    for (const [index, name] of [topic, unused].entries()) {
      expect((await clients[index]?.request('subscribe', {}, { topic: name }))?.type).toBe('ok');
    }
    await forget(topic);
    // As if others with their bucket had been forgotten at 9.
    const bucketOf = (name: string) =>
      sql`get_byte(sha256(convert_to(${name}, 'UTF8')), 0) * 256 + get_byte(sha256(convert_to(${name}, 'UTF8')), 1)`;
    await server.db.execute(sql`
      INSERT INTO forgotten_topics VALUES (${bucketOf(topic)}, 9), (${bucketOf(unused)}, 9)
      ON CONFLICT (bucket) DO UPDATE SET head = 9`);
    expect([await publish(topic), await publish(unused)]).toEqual([10, 10]);
    for (const client of clients) expect((await client.closed).code).toBe(1012);
    const back = await elsewhere.connect(ann);
    const answer = await back.request('subscribe', { since: 2 }, { topic });
    expect(answer.payload).toMatchObject({ seq: 10, reset: true });
    back.close();
  });

  test('a topic that is followed is not forgotten', async () => {
    const [followed, idle] = [newTopic(), newTopic()];
    for (const topic of [followed, idle]) await publishAndPrune(topic, 1);
    for (const topic of [followed, idle]) await passTime(topic, 25);
    await keepFollowed(server.db, [followed, 'chat:x', newTopic()]);
    await pruneOnce();
    expect([await isThere(followed), await isThere(idle)]).toEqual([true, false]);
  });

  test('each round notes what is followed, before it forgets', async () => {
    const [followed, idle] = [newTopic(), newTopic()];
    for (const topic of [followed, idle]) await publishAndPrune(topic, 1);
    for (const topic of [followed, idle]) await passTime(topic, 25);
    const failures: unknown[] = [];
    const policy = { hours: 24, perTopic: 0 };
    const stop = startRetention(server.db, policy, () => [followed], reportInto(failures), 20);
    await until(async () => !(await isThere(idle)), 'the other one is forgotten');
    await stop();
    expect([await isThere(followed), failures]).toEqual([true, []]);
  });

  if (database.kind === 'postgres') {
    test('what is published while its topic is being forgotten stands behind what was forgotten', async () => {
      const topic = newTopic();
      await publishAndPrune(topic, 5);
      await passTime(topic, 25);
      let publishing: Promise<number> | undefined;
      await server.db.transaction(async (tx) => {
        await forgetTopics(tx, '', topic);
        publishing = publish(topic);
        await untilWaiting(server.db, 1);
      });
      expect(await publishing).toBe(6);
    });

    test('a topic that is being published on is not forgotten', async () => {
      const topic = newTopic();
      await publishAndPrune(topic, 5);
      await passTime(topic, 25);
      await server.db.transaction(async (tx) => {
        await tx.execute(sql`UPDATE topics SET head = head + 1, idle_since = NULL WHERE name = ${topic}`);
        await pruneOnce();
      });
      expect(await isThere(topic)).toBe(true);
    });
  }
});
