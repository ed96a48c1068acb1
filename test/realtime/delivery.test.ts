// The promise under load on one instance: senders race, subscribers drop and resume, and every ledger equals the log.

import { expect, test } from 'bun:test';
import { chatTopic } from '../../src/modules/chat/contract.ts';
import type { Api, TestUser } from '../support/api.ts';
import type { TestClient } from '../support/client.ts';
import { createLedger, type Ledger } from '../support/ledger.ts';
import { createRandom, type Random } from '../support/random.ts';
import { onEachDatabase } from '../support/server.ts';

const loadMs = 10_000;
const senderCount = 50;
const subscriberCount = 10;

/** Sends until the deadline, each message when the one before is acknowledged; answers the seqs it was told. */
async function sendUntil(deadline: number, client: TestClient, chatId: string): Promise<number[]> {
  const seqs: number[] = [];
  while (performance.now() < deadline) {
    const reply = await client.request('message.send', { chatId, content: `message ${seqs.length}` });
    if (reply.type !== 'ok') throw new Error(JSON.stringify(reply.error));
    seqs.push(reply.payload.seq);
  }
  return seqs;
}

/** Follows the topic, drops after a random number of events, resumes, again and again until the deadline. */
async function followUntil(
  deadline: number,
  server: Api,
  user: TestUser,
  topic: string,
  ledger: Ledger,
  random: Random,
): Promise<TestClient> {
  for (;;) {
    const limit = random.below(200);
    let received = 0;
    const enough = Promise.withResolvers<void>();
    const client = await server.connect(user, {
      onFrame(frame) {
        ledger.record(frame);
        received += frame.seq === undefined ? 0 : 1;
        if (received >= limit) enough.resolve();
      },
    });
    await ledger.follow(client, topic);
    if (performance.now() >= deadline) return client;
    await Promise.race([enough.promise, Bun.sleep(deadline - performance.now())]);
    // What was still on its way to this client is gone with it, and must come again.
    if (random.below(2) === 0) client.terminate();
    else client.close();
    await client.closed;
  }
}

onEachDatabase('delivery', (open) => {
  test(`${senderCount} senders and ${subscriberCount} subscribers that drop and resume: every ledger equals the log`, async () => {
    const random = createRandom('DELIVERY_SEED');
    console.log(`DELIVERY_SEED=${random.seed}`);
    const server = await open();
    const users = await Promise.all(
      Array.from({ length: senderCount + subscriberCount }, (_, index) => server.register(`User ${index}`)),
    );
    const [owner, ...others] = users as [TestUser, ...TestUser[]]; // 60 were registered
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: owner.accessToken,
      body: { type: 'group', name: 'Load', participantIds: others.map(({ id }) => id) },
    });
    const topic = chatTopic(chat.id);
    const deadline = performance.now() + loadMs;
    const subscribers = users.slice(senderCount).map(async (user) => {
      const ledger = createLedger();
      return { ledger, client: await followUntil(deadline, server, user, topic, ledger, random) };
    });
    const sent = await Promise.all(
      users
        .slice(0, senderCount)
        .map(async (user) => sendUntil(deadline, await server.connect(user), chat.id)),
    );
    const acknowledged = sent.flat();
    const head = Math.max(...acknowledged);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    const rows = [];
    for (const { ledger, client } of await Promise.all(subscribers)) {
      if ((ledger.newest(topic) ?? 0) < head) await client.next((frame) => frame.seq === head);
      const { lost, repeated, reordered, invented, received } = await ledger.compare(server.db, topic);
      rows.push(received);
      expect({ lost, repeated, reordered, invented }).toEqual({
        lost: 0,
        repeated: 0,
        reordered: 0,
        invented: 0,
      });
    }
    console.log(
      `acknowledged ${acknowledged.length}, received ${rows.join(' ')}, lost = repeated = reordered = 0`,
    );
  }, 60_000);
});
