// A stream and those who write may be on different instances: over Redis, and without it through the log. [V4] [S7] [H5]

import { expect, test } from 'bun:test';
import { createGroup, removeMember } from '../protocol/chat.ts';
import { openStream } from '../support/event-stream.ts';
import { describeWith } from '../support/needs.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { onEachDatabase } from '../support/server.ts';

onEachDatabase('streams on several instances', (open, database) => {
  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test('[V4] [S7] a member removed on one loses the stream on the other within a second', async () => {
      const redis = await startRedis();
      const first = await open({ REDIS_URL: redis.url });
      const second = await open(first.env);
      const [ann, bob] = [await first.register('Ann'), await first.register('Bob')];
      const chat = await createGroup(first, ann, [bob]);
      const readers = [
        await openStream(second.url, chat.topic, { token: bob.accessToken }),
        await openStream(second.url, chat.topic, { token: ann.accessToken }),
      ] as const;
      for (const reader of readers) await reader.next('subscribed');
      const startedAt = performance.now();
      await removeMember(first, chat, ann, bob);
      expect(await readers[0].ended).toBe(true);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      expect(readers[0].frames.at(-2)?.type).toBe('member.left');
      expect(readers[0].frames.at(-1)?.type).toBe('unsubscribed');
      await readers[1].next('member.left');

      await first.request('POST', '/v1/auth/logout', { token: ann.accessToken });
      const loggedOutAt = performance.now();
      expect(await readers[1].ended).toBe(true);
      expect(performance.now() - loggedOutAt).toBeLessThan(1_000);
      await redis.stop();
    });
  });

  test('[V4] what was lost on the way comes from the log: without Redis everything arrives, and the end too', async () => {
    const first = await open();
    const second = await open(first.env);
    const [ann, bob] = [await first.register('Ann'), await first.register('Bob')];
    const chat = await createGroup(first, ann, [bob]);
    const reader = await openStream(second.url, chat.topic, { token: bob.accessToken });
    await reader.next('subscribed');
    await removeMember(first, chat, ann, bob);
    expect(await reader.ended).toBe(true);
    expect(reader.frames.at(-1)?.type).toBe('unsubscribed');
  });
});
