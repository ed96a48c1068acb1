// Subscribing while something else happens: the right is lost, the role changes, the connection closes, the events of
// another instance have not come yet. Who may follow, and when that is answered, is the test's to say. [S2] to [S7]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createHub, createSubscriberOn, type KindInHand } from '../../support/hub.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';

onEachDatabase('subscribing', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  /** A topic of a kind of the test's own. */
  async function create(kind: KindInHand = {}) {
    const hand = createHub(own.db);
    return {
      hand,
      hub: hand.hub,
      topic: `app:${crypto.randomUUID()}`,
      ...(await createSubscriberOn(hand, own.db, kind)),
    };
  }

  test('[S7] reads the position first and the right second: a removal in between ends the subscription', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    const { hand, topic, subscriber } = await create({
      mayFollow() {
        asked.resolve();
        return answer.promise;
      },
    });
    const { connection, frames, seqsOf } = hand.connect('ann');
    const subscribing = subscriber.subscribe(connection, { topic });
    await asked.promise;
    hand.publish(await hand.write(topic, 1, { revokes: ['ann'] }));
    answer.resolve(true); // as it was when the question was asked
    (await subscribing).afterReply();
    hand.publish(await hand.write(topic, 1));
    expect(seqsOf(topic)).toEqual([1]);
    expect(frames.at(-1)).toEqual({ type: 'unsubscribed', topic, payload: { reason: 'forbidden' } });
    expect(connection.follows(topic)).toBe(false);
  });

  test('[S7] asks again where the actor has got another role while the right was read', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const { hand, topic, subscriber, refused, hub } = await create({
      async mayFollow({ role }) {
        asked.resolve();
        await answer.promise;
        return role === 'admin';
      },
    });
    const { connection } = hand.connect('ann', 'admin');
    const subscribing = subscriber.subscribe(connection, { topic });
    await asked.promise;
    if (connection.phase.name === 'live') {
      connection.phase = { ...connection.phase, actor: { ...connection.actor, role: 'user' } };
    }
    answer.resolve();
    await expect(subscribing).rejects.toMatchObject({ code: 'forbidden' });
    expect(refused).toEqual([topic]);
    expect(connection.follows(topic)).toBe(false);
    expect(hub.topics()).toEqual([]);
  });

  test('leaves nothing behind of a connection that closed while its right was read', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    const { hub, hand, topic, presence, subscriber } = await create({
      mayFollow() {
        asked.resolve();
        return answer.promise;
      },
    });
    const { connection } = hand.connect('ann');
    const subscribing = subscriber.subscribe(connection, { topic });
    await asked.promise;
    connection.onClose();
    answer.resolve(true);
    await expect(subscribing).rejects.toMatchObject({ code: 'unavailable' });
    expect(connection.subscriptions.size).toBe(0);
    expect(await presence.list(topic)).toEqual(new Map());
    expect(hub.topics()).toEqual([]);
    expect(hand.told).toEqual([`serve ${topic}`, `release ${topic}`]);
  });

  test('[S5] serves no topic any longer that nobody was let in to', async () => {
    const { hub, hand, topic, subscriber } = await create({ mayFollow: async () => false });
    const { connection } = hand.connect('ann');
    await expect(subscriber.subscribe(connection, { topic })).rejects.toMatchObject({ code: 'forbidden' });
    expect(hub.topics()).toEqual([]);
    expect(hand.told).toEqual([`serve ${topic}`, `release ${topic}`]);
  });

  test('[S6] keeps serving a topic that is followed already when subscribing again is refused', async () => {
    let mayFollow = true;
    const { hand, topic, subscriber } = await create({ mayFollow: async () => mayFollow });
    const { connection, seqsOf } = hand.connect('ann');
    (await subscriber.subscribe(connection, { topic })).afterReply();
    mayFollow = false;
    await expect(subscriber.subscribe(connection, { topic })).rejects.toMatchObject({ code: 'forbidden' });
    hand.publish(await hand.write(topic, 1));
    expect(seqsOf(topic)).toEqual([1]);
  });

  test('[S4] resets nobody who was ahead of this instance, but not of the log', async () => {
    const { hub, hand, topic, subscriber } = await create();
    const { connection, seqsOf } = hand.connect('ann');
    await hub.follow(topic);
    await hand.write(topic, 10); // elsewhere, and seen there
    const { payload, afterReply } = await subscriber.subscribe(connection, { topic, since: 8 });
    expect(payload).toMatchObject({ topic, seq: 8, head: 10, replay: 2 });
    expect(payload).not.toHaveProperty('reset');
    afterReply();
    hand.publish(await hand.write(topic, 1));
    expect(seqsOf(topic)).toEqual([9, 10, 11]);
  });

  test('[S3] no snapshot goes out that has more bytes than clients are told', async () => {
    for (const request of [{ snapshot: true }, { since: 99 }]) {
      const { hand, hub, topic, subscriber } = await create({ snapshot: { text: 'ä'.repeat(262_144) } });
      const { connection } = hand.connect('ann');
      await expect(subscriber.subscribe(connection, { topic, ...request })).rejects.toThrow(
        'has 524299 bytes: more than 524288',
      );
      expect(connection.follows(topic)).toBe(false);
      expect(hub.topics()).toEqual([]);
    }
  });

  test('[S3] sends nothing again that a snapshot has, though this instance had not heard of it', async () => {
    const { hub, hand, topic, subscriber } = await create({ snapshot: { state: 'all of it' } });
    const { connection, seqsOf, closes } = hand.connect('ann');
    await hub.follow(topic);
    const events = await hand.write(topic, 10);
    const { payload, afterReply } = await subscriber.subscribe(connection, { topic, snapshot: true });
    expect(payload).toMatchObject({ seq: 10, head: 10, replay: 0, snapshot: { state: 'all of it' } });
    afterReply();
    for (const event of events) hand.arrive(event); // late
    hand.publish(await hand.write(topic, 1));
    expect(seqsOf(topic)).toEqual([11]);
    expect(closes).toEqual([]);
  });
});
