// What instances decide together over Redis, and each for itself when it is gone: rate limits, and the end of sessions.

import { expect, test } from 'bun:test';
import { openClient } from '../support/client.ts';
import { describeWith } from '../support/needs.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { onEachDatabase } from '../support/server.ts';

onEachDatabase('several instances', (open, database) => {
  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test('limits are counted together, and by instance while Redis is away', async () => {
      const redis = await startRedis();
      const first = await open({ REDIS_URL: redis.url, RATE_MESSAGES_PER_MINUTE: '3' });
      const second = await open(first.env);
      const [ann, bob] = [await first.register('Ann'), await first.register('Bob')];
      const { body: chat } = await first.request('POST', '/v1/chats', {
        token: ann.accessToken,
        body: { type: 'direct', participantIds: [bob.id] },
      });
      const clients = [await first.connect(ann), await second.connect(ann)] as const;
      const send = async (index: 0 | 1) => {
        const reply = await clients[index].request('message.send', { chatId: chat.id, content: 'hello' });
        return reply.error?.code ?? reply.type;
      };
      expect([await send(0), await send(1), await send(0), await send(1), await send(0)]).toEqual([
        'ok',
        'ok',
        'ok',
        'rate_limited',
        'rate_limited',
      ]);
      await redis.kill9();
      // Nobody remembers what was counted; each instance starts a count of its own.
      expect([await send(1), await send(1), await send(1), await send(1), await send(0)]).toEqual([
        'ok',
        'ok',
        'ok',
        'rate_limited',
        'ok',
      ]);
      for (const client of clients) client.close();
    });

    test('[H7] the connections of a user and of an address are counted on both, those of a stopped instance no longer', async () => {
      const redis = await startRedis();
      const first = await open({
        REDIS_URL: redis.url,
        MAX_CONNECTIONS_PER_USER: '2',
        MAX_CONNECTIONS_PER_ADDRESS: '3',
        TRUST_PROXY: '1',
      });
      const second = await open(first.env);
      const [ann, bob] = [await first.register('Ann'), await first.register('Bob')];
      const knock = async (server: typeof first, user: typeof ann, ip: string) => {
        const client = await openClient(`${server.url.replace('http', 'ws')}/ws`, {
          headers: { Authorization: `Bearer ${user.accessToken}`, 'X-Forwarded-For': ip },
        });
        const frame = await client.next(({ type }) => type === 'welcome' || type === 'error');
        if (frame.type === 'error') expect((await client.closed).code).toBe(1013);
        return { client, answer: frame.error?.code ?? frame.type };
      };
      const own = [await knock(first, ann, '192.0.2.1'), await knock(second, ann, '192.0.2.1')];
      expect(own.map(({ answer }) => answer)).toEqual(['welcome', 'welcome']);
      const third = await knock(second, ann, '192.0.2.2');
      expect(third.answer).toBe('rate_limited');
      const others = [await knock(second, bob, '192.0.2.1'), await knock(first, bob, '192.0.2.1')];
      expect(others.map(({ answer }) => answer)).toEqual(['welcome', 'rate_limited']);
      await first.stop();
      expect((await knock(second, ann, '192.0.2.1')).answer).toBe('welcome');
      for (const { client } of [...own, ...others]) client.close();
      await redis.stop();
    });

    test('[H5] a logout on one closes the connections on the other within a second', async () => {
      const redis = await startRedis();
      const first = await open({ REDIS_URL: redis.url });
      const second = await open(first.env);
      const ann = await first.register('Ann');
      const client = await second.connect(ann);
      const startedAt = performance.now();
      await first.request('POST', '/v1/auth/logout', { token: ann.accessToken });
      expect(await client.closed).toEqual({ code: 4403, reason: 'logout' });
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      await redis.stop();
    });
  });
});
