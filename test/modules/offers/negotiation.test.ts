// A negotiation from an offer through three counters to its acceptance, by turns over HTTP and the socket, on two instances; a
// third member follows it live on each, and both see the same.

import { expect, test } from 'bun:test';
import { apply, type ChatState } from '../../../src/modules/chat/state.ts';
import type { Offer } from '../../../src/modules/offers/contract.ts';
import { applyOffers } from '../../../src/modules/offers/state.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase } from '../../support/server.ts';
import { createGroup, must, outputOf, registerAll } from '../chat/setup.ts';
import { act, offer } from './setup.ts';

type State = ChatState & { readonly offers: Offer[] };

onEachDatabase('a negotiation', (open, database) => {
  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test('goes through three counters to acceptance on two instances, and a third member sees it live on each', async () => {
      const redis = await startRedis();
      const first = await open({ REDIS_URL: redis.url });
      const second = await open(first.env);
      const [ann, bob, cid] = await registerAll(first, 'Ann', 'Bob', 'Cid');
      const { id: chatId } = await createGroup(first, ann, bob, cid);
      const topic = `chat:${chatId}`;
      const watchers = [await first.connect(cid), await second.connect(cid)];
      const snapshots = await Promise.all(
        watchers.map((client) => client.subscribe(topic, { snapshot: true })),
      );
      const [anns, bobs] = [await first.connect(ann), await second.connect(bob)];
      await anns.subscribe(userTopic(ann.id));
      await bobs.subscribe(userTopic(bob.id));
      const command = async (client: TestClient, type: string, payload: object): Promise<Offer> => {
        const reply = await client.request(type, payload);
        if (reply.type !== 'ok') throw new Error(`${type}: ${JSON.stringify(reply.error)}`);
        return outputOf(reply.payload);
      };
      const told = async (client: TestClient, type: string) => (await client.next(type)).payload.offer;

      const asked = await offer(first, ann, chatId, { recipientId: bob.id, amount: '100' });
      expect(await told(bobs, 'offer.received')).toEqual(asked);
      const lower = await command(bobs, 'offer.update', {
        offerId: asked.id,
        action: 'counter',
        counter: { amount: '60' },
      });
      expect(await told(anns, 'offer.countered')).toMatchObject({ id: asked.id, status: 'countered' });
      expect(await told(anns, 'offer.received')).toEqual(lower);
      const higher = await act(second, ann, lower, 'counter', { amount: '90', note: 'It is new' });
      expect(await told(bobs, 'offer.received')).toEqual(higher);
      const middle = await act(first, bob, higher, 'counter', { amount: '75' });
      expect(await told(anns, 'offer.received')).toEqual(middle);
      const accepted = await command(anns, 'offer.update', { offerId: middle.id, action: 'accept' });
      expect(accepted).toMatchObject({ status: 'accepted', amount: '75.00', createdBy: bob.id });
      expect(await told(bobs, 'offer.accepted')).toEqual(accepted);

      const { items } = await must(second, cid, 'GET', `/chats/${chatId}/offers`);
      expect(items.map(({ amount, status, parentId }: Offer) => [amount, status, parentId])).toEqual([
        ['75.00', 'accepted', higher.id],
        ['90.00', 'countered', lower.id],
        ['60.00', 'countered', asked.id],
        ['100.00', 'countered', null],
      ]);
      const seen = await Promise.all(watchers.map((client) => readUntilAccepted(client, topic)));
      expect(seen[1]).toEqual(seen[0] ?? []);
      expect(seen[0]?.map(({ type }) => type)).toEqual([
        ...['message.created', 'offer.created'],
        ...Array.from({ length: 3 }, () => ['message.created', 'offer.updated', 'offer.created']).flat(),
        ...['message.created', 'offer.updated'],
      ]);
      const late = await second.connect(cid);
      const { snapshot } = await late.subscribe(topic, { snapshot: true });
      for (const [n, joined] of snapshots.entries()) {
        const before = joined.snapshot as State; // the contract of the chat's topic, with this module
        expect((seen[n] ?? []).reduce(applyAll, before)).toEqual(snapshot as State); // as above
      }
      for (const client of [...watchers, anns, bobs, late]) client.close();
      await redis.stop();
    });
  });
});

/** The durable events of the topic up to the acceptance, as they came. */
async function readUntilAccepted(client: TestClient, topic: string): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (;;) {
    const frame = await client.next((one) => one.topic === topic && one.seq !== undefined);
    frames.push(frame);
    if (frame.payload.change === 'accepted') return frames;
  }
}

function applyAll({ offers, ...state }: State, { type, payload }: Frame): State {
  return { ...apply(state, { type, payload }), offers: applyOffers(offers, { type, payload }) };
}
