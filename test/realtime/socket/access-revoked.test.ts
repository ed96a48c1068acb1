// A right that went with something else: word of it comes on the user's own topic, in no order with the topics that it was a
// right to. What is followed ends, what is about to be followed is asked for again, and what was gained since stays. [S7]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createHub, createSubscriberOn, type HubInHand, type KindInHand } from '../../support/hub.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);
const unsubscribed = (topic: string) => ({ type: 'unsubscribed', topic, payload: { reason: 'forbidden' } });

onEachDatabase('a right that was lost through another topic', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  /** A kind of the test's own, and a user who loses what the test says, when it says so. */
  async function create(kind: KindInHand = {}) {
    const hand = createHub(own.db);
    const userId = crypto.randomUUID();
    await hand.hub.follow(`user:${userId}`); // as every live connection does
    const revoked = await hand.write(`user:${userId}`, 1, { type: 'access.revoked' });
    return {
      hand,
      hub: hand.hub,
      topic: `app:${crypto.randomUUID()}`,
      userId,
      /** Word of it arrives. */
      lose: () => hand.publish(revoked),
      ...(await createSubscriberOn(hand, own.db, kind)),
    };
  }

  /** Answers the first question when it is told to, as it was when it was asked, and then what is so by then. */
  function createRight(first: boolean, then: boolean) {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    let questions = 0;
    const mayFollow = async () => {
      questions += 1;
      if (questions > 1) return then;
      asked.resolve();
      await answer.promise;
      return first;
    };
    return { asked: asked.promise, answer: answer.resolve, mayFollow, count: () => questions };
  }

  /** Behind everything that follows from what has happened so far, where nothing is to be seen of it. */
  const settle = async (hand: HubInHand, topic: string) => {
    hand.publish(await hand.write(topic, 1));
    await new Promise(setImmediate);
  };

  test('[S7] ends what is followed on every connection, live or in the middle of a replay, and tells it', async () => {
    let mayFollow = true;
    const { hand, topic, userId, subscriber, lose } = await create({ mayFollow: async () => mayFollow });
    await hand.write(topic, 3);
    const [live, replaying, other] = [hand.connect(userId), hand.connect(userId), hand.connect('other')];
    for (const { connection } of [live, other]) {
      (await subscriber.subscribe(connection, { topic })).afterReply();
    }
    const isFree = Promise.withResolvers<void>();
    replaying.connection.replayInTurn(() => isFree.promise); // of another topic, before this one
    (await subscriber.subscribe(replaying.connection, { topic, since: 0 })).afterReply();
    mayFollow = false;
    lose();
    const ended = [live, replaying];
    await until(() => ended.every(({ frames }) => frames.length > 0), 'both are told');
    isFree.resolve();
    await settle(hand, topic);
    for (const { connection, frames } of ended) {
      expect(frames).toEqual([unsubscribed(topic)]);
      expect(connection.follows(topic)).toBe(false);
    }
    expect(other.seqsOf(topic)).toEqual([4]);
  });

  test('[S7] asks for up to 100 topics in one query, and leaves those alone to which the right stayed', async () => {
    const questions: number[] = [];
    const lost = new Set<string>();
    const { hand, userId, subscriber, lose } = await create({
      async findFollowable(ids) {
        questions.push(ids.length);
        return new Set(ids).difference(lost);
      },
    });
    const { connection, frames } = hand.connect(userId);
    const topics = range(1, 250).map(() => `app:${crypto.randomUUID()}`);
    for (const some of [topics.slice(0, 100), topics.slice(100, 200), topics.slice(200)]) {
      const requests = some.map((topic) => ({ topic }));
      (await subscriber.subscribeMany(connection, requests)).afterReply();
    }
    questions.length = 0;
    const gone = topics.filter((_, index) => index % 3 === 0);
    for (const topic of gone) lost.add(topic.slice('app:'.length));
    lose();
    await until(() => frames.length >= gone.length, 'it is told');
    expect(questions).toEqual([100, 100, 50]);
    expect(frames).toEqual(gone.map(unsubscribed));
    expect([...connection.subscriptions.keys()]).toEqual(topics.filter((topic) => !gone.includes(topic)));
  });

  test('[S7] lets nobody in whose right was read before the loss, and answered behind it', async () => {
    for (const request of [{}, { since: 0 }, { snapshot: true }]) {
      const { asked, answer, mayFollow, count } = createRight(true, false);
      const { hand, hub, topic, userId, subscriber, refused, lose } = await create({
        mayFollow,
        snapshot: {},
      });
      const { connection } = hand.connect(userId);
      const subscribing = subscriber.subscribe(connection, { topic, ...request });
      await asked;
      lose();
      answer();
      await expect(subscribing).rejects.toMatchObject({ code: 'forbidden' });
      expect(count()).toBe(2);
      expect(refused).toEqual([topic]);
      expect(connection.follows(topic)).toBe(false);
      expect(hub.topics()).not.toContain(topic);
    }
  });

  test('[S7] of many topics in one frame each is asked for again that was not joined yet', async () => {
    const { asked, answer, mayFollow } = createRight(true, false);
    const { hand, userId, subscriber, lose } = await create({ mayFollow });
    const { connection } = hand.connect(userId);
    const requests = range(1, 3).map(() => ({ topic: `app:${crypto.randomUUID()}` }));
    const subscribing = subscriber.subscribeMany(connection, requests);
    await asked;
    lose();
    answer();
    const { payload } = await subscribing;
    for (const result of payload.results) expect(result).toMatchObject({ error: { code: 'forbidden' } });
    expect(connection.subscriptions.size).toBe(0);
  });

  test('[S7] a loss between the joining and its answer is told behind the answer, and nothing is sent', async () => {
    for (const since of [undefined, 0]) {
      const rights = [true];
      const { hand, hub, topic, userId, subscriber, lose } = await create({
        mayFollow: async () => rights.shift() ?? false,
      });
      const events = await hand.write(topic, 2);
      const { connection, frames } = hand.connect(userId);
      const { payload, afterReply } = await subscriber.subscribe(connection, {
        topic,
        ...(since !== undefined && { since }),
      });
      expect(payload.head).toBe(events.length);
      lose();
      await until(() => !connection.follows(topic), 'it has ended');
      expect(frames).toEqual([]); // the answer comes first
      afterReply();
      await settle(hand, topic);
      expect(frames).toEqual([unsubscribed(topic)]);
      expect(hub.topics()).not.toContain(topic);
    }
  });

  test('[S7] leaves a subscription alone that was made in the place of the one that is checked', async () => {
    const check = createRight(false, true);
    let mayFollow = async () => true;
    const { hand, topic, userId, subscriber, lose } = await create({ mayFollow: () => mayFollow() });
    const { connection, frames, seqsOf } = hand.connect(userId);
    (await subscriber.subscribe(connection, { topic })).afterReply();
    mayFollow = check.mayFollow;
    lose();
    await check.asked;
    // Added again, and back, before the answer is here.
    (await subscriber.subscribe(connection, { topic })).afterReply();
    check.answer();
    await settle(hand, topic);
    expect(frames.map(({ type }) => type)).toEqual(['test.written']);
    expect(seqsOf(topic)).toEqual([1]);
    expect(check.count()).toBe(2);
  });

  test('[S7] takes away what cannot be checked', async () => {
    let mayFollow = async () => true;
    const { hand, topic, userId, subscriber, lose } = await create({ mayFollow: () => mayFollow() });
    const { connection, frames } = hand.connect(userId);
    (await subscriber.subscribe(connection, { topic })).afterReply();
    mayFollow = () => Promise.reject(new Error('no answer'));
    lose();
    await until(() => !connection.follows(topic), 'it has ended');
    expect(frames).toEqual([unsubscribed(topic)]);
  });

  test('[S7] an event that is withheld ends the subscription before it, whatever was read meanwhile', async () => {
    for (const first of ['withheld', 'word'] as const) {
      const { asked, answer, mayFollow } = createRight(true, true);
      const { hand, topic, userId, subscriber, lose } = await create({ mayFollow });
      const { connection, frames } = hand.connect(userId);
      const subscribing = subscriber.subscribe(connection, { topic });
      await asked;
      if (first === 'word') lose();
      hand.publish(await hand.write(topic, 2, { withheldFrom: [userId] }));
      answer();
      const { payload, afterReply } = await subscribing;
      afterReply();
      await settle(hand, topic);
      // With the word, the right was read again, and behind these events: added again, it sees what comes then.
      expect(payload.seq).toBe(first === 'word' ? 2 : 0);
      const types = frames.map(({ type, seq }) => [type, seq]);
      expect(types).toEqual(first === 'word' ? [['test.written', 3]] : [['unsubscribed', undefined]]);
    }
  });
});
