// Typing on several instances: what one second lets through is one word, wherever the user is connected.

import { expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import type { TestClient } from '../../support/client.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase } from '../../support/server.ts';
import { createGroup, registerAll } from './setup.ts';

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
