// The promise, proved by breaking things: each fault strikes three instances under load, and afterwards every ledger
// equals the log. A table at the end says what was sent, and that nothing was lost, repeated or reordered.

import { expect, test } from 'bun:test';
import Redis from 'ioredis';
import { chatTopic } from '../../src/modules/chat/contract.ts';
import type { TestUser } from '../support/api.ts';
import type { TestClient } from '../support/client.ts';
import { createRandom } from '../support/random.ts';
import { until } from '../support/until.ts';
import { type Cluster, drainSeconds, instanceIndexes } from './cluster.ts';
import { countByPart, formatHistogram } from './report.ts';
import { carryOut, formatPlan, planStrikes } from './strikes.ts';
import { Subscriber } from './subscriber.ts';
import { describeChaos } from './suite.ts';

const seconds = Number(process.env.CHAOS_SECONDS ?? 15);
const random = createRandom('CHAOS_SEED');
const plan = planStrikes(random, seconds); // first of all, so that it depends on nothing but the seed

describeChaos('chaos', ({ prove, getCluster }) => {
  prove(
    'kill -9 of an instance',
    'its clients resume elsewhere, and it comes back',
    async (load, cluster) => {
      for (const index of [0, 1]) {
        await cluster.killInstance(index);
        await load.moveOn();
        await cluster.startInstance(index);
        await load.moveOn();
      }
    },
  );

  prove('kill -9 of Redis, and a restart', 'an instance starts without it, too', async (load, cluster) => {
    await cluster.killRedis();
    await load.moveOn();
    await cluster.killInstance(2);
    await cluster.startInstance(2);
    await load.moveOn();
    await cluster.restartRedis();
    await load.moveOn();
  });

  prove(
    'Redis frozen for 10 s',
    'nobody waits for it longer than 2 s',
    async (load, cluster) => {
      const frozen = cluster.freezeRedis(10_000);
      await load.moveOn(500);
      await frozen;
      await load.moveOn();
    },
    {
      check({ lostConnections, slowestAnswerMs }) {
        expect(lostConnections).toBe(0);
        expect(slowestAnswerMs).toBeLessThan(2_000);
      },
    },
  );

  prove(
    'Redis gone for good',
    'what one instance commits reaches the others within 2 s',
    async (load, cluster) => {
      await cluster.killRedis();
      await load.moveOn(1_000);
    },
    {
      writeTo: 0, // else what others write shows an instance what it has missed
      check({ lostConnections, slowestDeliveryMs }) {
        expect(lostConnections).toBe(0);
        expect(slowestDeliveryMs).toBeLessThan(2_000);
      },
    },
  );

  prove(
    'PostgreSQL crashes, and is back after 3 s',
    'commands are refused meanwhile, and connections stay',
    async (load, cluster) => {
      const listPids = () => instanceIndexes.map((index) => cluster.instance(index).pid);
      const pids = listPids();
      const client = await cluster.instance(1).connect(load.owner);
      const [chatId = ''] = load.chatIds;
      await cluster.crashPostgres();

      const { error } = await client.request('message.send', { chatId, content: 'nobody keeps this' });
      expect(error).toMatchObject({ code: 'unavailable', retryAfterMs: expect.any(Number) });
      const { status, headers, body } = await cluster
        .instance(2)
        .request('GET', `/v1/chats/${chatId}`, { token: load.owner.accessToken });
      expect(status).toBe(503);
      expect(Number(headers.get('Retry-After'))).toBeGreaterThan(0);
      expect(body.error).toMatchObject({ code: 'unavailable', retryAfterMs: expect.any(Number) });
      expect((await cluster.instance(0).request('GET', '/health/live')).status).toBe(200);
      // What it answers may be a second old.
      const isReady = async () => (await cluster.instance(0).request('GET', '/health/ready')).status === 200;
      await until(async () => !(await isReady()), 'the instance is not ready');
      await Bun.sleep(3_000);

      await cluster.restartPostgres();
      await load.moveOn();
      expect(listPids()).toEqual(pids);
      expect((await client.request('ping')).type).toBe('pong');
      client.close();
    },
    { check: ({ lostConnections }) => expect(lostConnections).toBe(0) },
  );

  prove(
    'connections cut in the middle of a frame',
    'in both directions, and sliced before',
    async (load, cluster) => {
      console.log(`CHAOS_SEED=${random.seed}`);
      for (const { toClient, toServer } of cluster.proxies) toClient.sliceBytes = toServer.sliceBytes = 211;
      for (let round = 0; round < 10; round += 1) {
        for (const { toClient, toServer } of cluster.proxies) {
          toClient.bytesUntilCut = 1 + random.below(50_000);
          toServer.bytesUntilCut = 1 + random.below(5_000);
        }
        await load.moveOn(50);
      }
    },
    {
      through: 'proxies',
      check: ({ lostConnections }) => expect(lostConnections).toBeGreaterThan(20),
    },
  );

  prove(
    'a subscriber that never reads',
    'it is cut off, resumes when it reads, and others notice nothing',
    async (load, cluster) => {
      const [proxy] = cluster.proxies;
      if (proxy === undefined) throw new Error('There is no proxy.');
      const topics = load.chatIds.map(chatTopic);
      await load.join(new Subscriber({ user: load.owner, urls: [proxy.url], first: 0, topics }));
      proxy.toClient.isPaused = true;
      await untilOffline(load.owner, cluster);
      await load.moveOn();
      proxy.toClient.isPaused = false;
    },
    { contentChars: 8_000, check: ({ lostConnections }) => expect(lostConnections).toBe(1) },
  );

  prove(
    'SIGTERM of each instance in turn',
    '200 clients resume, and come back spread over the drain time',
    async (load, cluster) => {
      const herd = Array.from({ length: 200 }, (_, index) => {
        const user = cluster.users.at(-1 - (index % 6)) ?? load.owner;
        const topics = [chatTopic(load.chatIds[index % load.chatIds.length] ?? '')];
        return new Subscriber({ user, urls: cluster.urls, first: index, topics });
      });
      await Promise.all(herd.map((subscriber) => load.join(subscriber)));
      const leftAfterMs: number[] = [];
      for (const index of instanceIndexes) {
        const startedAt = performance.now();
        expect(await cluster.drainInstance(index)).toBe(0);
        const endings = herd.flatMap(({ client }) => client.endings).filter(({ atMs }) => atMs >= startedAt);
        expect(endings.filter(({ code }) => code !== 1012)).toEqual([]);
        leftAfterMs.push(...endings.map(({ atMs }) => atMs - startedAt));
        await cluster.startInstance(index);
        await load.moveOn();
      }
      const parts = 10;
      const counts = countByPart(leftAfterMs, drainSeconds * 1_000, parts);
      console.log(
        `Clients sent away, by time since SIGTERM:\n${formatHistogram(counts, drainSeconds * 1_000)}`,
      );
      expect(leftAfterMs.length).toBeGreaterThanOrEqual(200);
      expect(Math.max(...counts)).toBeLessThan((3 * leftAfterMs.length) / parts);
    },
    { pauseMs: 60 },
  );

  prove(
    'an instance paused for 5 s',
    'whoever stays goes on, and whoever left loses nothing',
    async (load, cluster) => {
      const paused = cluster.freezeInstance(1, 5_000);
      await load.moveOn();
      await paused;
      await load.moveOn();
    },
  );

  test('one key racing on three instances: one effect and one answer', async () => {
    const cluster = getCluster();
    const instances = instanceIndexes.map((index) => cluster.instance(index));
    const [ann, ben] = [await cluster.instance(0).register('Ann'), await cluster.instance(1).register('Ben')];
    const { body: chat } = await cluster.instance(0).request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [ben.id] },
    });
    const clients = await Promise.all(instances.map((instance) => instance.connect(ann)));
    for (let round = 0; round < 100; round += 1) {
      const payload = { chatId: chat.id, content: `round ${round}` };
      const key = crypto.randomUUID();
      const replies = await Promise.all(
        clients.map((client) => client.request('message.send', payload, { key })),
      );
      const seq = round + 2; // the chat's creation has seq 1
      for (const { type, payload: sent } of replies)
        expect({ type, seq: sent.seq }).toEqual({ type: 'ok', seq });
      expect(new Set(replies.map((reply) => JSON.stringify(reply.payload))).size).toBe(1);
    }
    for (const client of clients) client.close();
  });

  for (const [withRedis, limitMs] of [
    ['with Redis', 1_000],
    ['without Redis', 5_000],
  ] as const) {
    prove(
      `a member removed on another instance, ${withRedis}`,
      `hears nothing behind its removal, and that within ${limitMs} ms`,
      async (load, cluster) => {
        if (withRedis === 'without Redis') await cluster.killRedis();
        const [chatId = ''] = load.chatIds;
        const member = await joinChat(chatId, load.owner, cluster);
        const topic = chatTopic(chatId);
        const clients: TestClient[] = [];
        for (const index of [1, 2]) {
          const client = await cluster.instance(index).connect(member);
          await client.subscribe(topic);
          clients.push(client);
        }
        await load.moveOn(20);
        const startedAt = performance.now();
        const { status } = await cluster
          .instance(0)
          .request('DELETE', `/v1/chats/${chatId}/members/${member.id}`, { token: load.owner.accessToken });
        expect(status).toBe(200);
        for (const client of clients) {
          expect(await client.next('unsubscribed')).toMatchObject({
            topic,
            payload: { reason: 'forbidden' },
          });
        }
        expect(performance.now() - startedAt).toBeLessThan(limitMs);
        await load.moveOn(50);
        for (const client of clients) {
          await client.request('ping');
          const [last, end] = client.frames.filter((frame) => frame.topic === topic).slice(-2);
          expect([last?.type, end?.type]).toEqual(['member.left', 'unsubscribed']);
          client.close();
        }
      },
    );
  }

  prove(
    `everything at random for ${seconds} s`,
    'the same seed strikes in the same way again',
    async (load, cluster) => {
      console.log(`CHAOS_SEED=${random.seed}\n${formatPlan(plan)}`);
      await carryOut(plan, cluster);
      await load.moveOn();
    },
    { through: 'proxies', timeoutMs: 1_000 * seconds + 90_000 },
  );

  test('when all clients are gone, Redis carries no topic any more', async () => {
    const redis = new Redis(getCluster().redisUrl);
    const deadline = performance.now() + 5_000;
    for (;;) {
      const channels = [await redis.pubsub('CHANNELS', '*chat:*'), await redis.pubsub('CHANNELS', '*user:*')];
      if (channels.flat().length === 0) break;
      if (performance.now() > deadline) throw new Error(`Nobody follows, and Redis carries ${channels}.`);
    }
    redis.disconnect();
  });
});

/** A new user who is a member of the chat. */
async function joinChat(chatId: string, owner: TestUser, cluster: Cluster): Promise<TestUser> {
  const user = await cluster.instance(0).register('Guest');
  const { status } = await cluster.instance(0).request('POST', `/v1/chats/${chatId}/members`, {
    token: owner.accessToken,
    body: { userId: user.id },
  });
  expect(status).toBe(201);
  return user;
}

/** Resolves when no instance counts a connection of the user; fails when one still does after 20 s. */
async function untilOffline(user: TestUser, cluster: Cluster): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const { body } = await cluster
      .instance(0)
      .request('GET', `/v1/users/${user.id}/presence`, { token: user.accessToken });
    if (body.online === false) return;
    if (performance.now() > deadline) throw new Error(`${user.name} is still online: nobody cut it off.`);
    await Bun.sleep(100);
  }
}
