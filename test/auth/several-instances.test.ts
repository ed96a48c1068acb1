// What instances decide together over Redis, and each for itself when it is gone: rate limits, and the end of sessions.

import { expect, test } from 'bun:test';
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
