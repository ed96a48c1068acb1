// Who comes and goes while messages are sent: each connection hears of a message in the chat or by a notice, never both.

import { expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { createGroup, registerAll, send } from './setup.ts';

onEachDatabase('chat notices', (open, database) => {
  test('who leaves the chat as a message arrives gets no notice of it, but of the next one', async () => {
    const server = await open();
    await leaveAsMessagesArrive(server, server);
  });

  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test('nor does who leaves it on another instance', async () => {
      const redis = await startRedis();
      const server = await open({ REDIS_URL: redis.url });
      await leaveAsMessagesArrive(server, await open(server.env));
      await redis.stop();
    });
  });
});

/** Ann sends through the one, Bob is connected to the other. */
async function leaveAsMessagesArrive(server: TestServer, elsewhere: TestServer): Promise<void> {
  const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
  const chat = await createGroup(server, ann, bob);
  const topic = chatTopic(chat.id);
  const [client, witness] = [await elsewhere.connect(bob), await elsewhere.connect(bob)];
  await Promise.all([client, witness].map((each) => each.subscribe(userTopic(bob.id))));
  for (let count = 1; count <= 40; count += 1) {
    await client.subscribe(topic);
    await send(server, ann, chat.id, `${count}`);
    await client.next('message.created');
    await client.request('unsubscribe', undefined, { topic });
    await witness.next('message.notified'); // whom else there is a notice for has been sent it
  }
  await send(server, ann, chat.id, 'last');
  await client.next(({ type, payload }) => type === 'message.notified' && payload.preview === 'last');
  const notices = client.frames.filter(({ type }) => type === 'message.notified');
  expect(notices.map(({ payload }) => payload.preview)).toEqual(['last']);
  client.close();
  witness.close();
}
