// What happens while a connection is on its way into a topic: it is removed, it closes, the log moves on. [S2] [S3] [S7]

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { readEvents } from '../../../src/realtime/log/event-log.ts';
import type { Socket } from '../../../src/realtime/socket/connection.ts';
import { createSubscriber } from '../../../src/realtime/socket/subscribe.ts';
import { createTopicKinds, type TopicKind, topicKind } from '../../../src/realtime/topic-kind.ts';
import { createGroup, fillLog, range, reach, seqsOf } from '../../protocol/chat.ts';
import type { Frame } from '../../support/client.ts';
import { createConnection } from '../../support/connection.ts';
import { onEachDatabase } from '../../support/server.ts';
import { type OpenSocketServer, openSocketServer } from '../../support/socket-server.ts';
import { anyTopic } from '../../support/topics.ts';

describe('on the way into a topic', () => {
  let house: OpenSocketServer;
  beforeAll(async () => {
    house = await openSocketServer();
  }, 30_000);
  afterAll(() => house.stop());

  const actor = { userId: crypto.randomUUID(), sessionId: 's', role: 'user', source: 'ws' } as const;

  /** A live connection, and a subscriber that asks `findFollowable` for the right to `app:` topics. */
  const prepare = (findFollowable: TopicKind['findFollowable'], maxSubscriptions = 0) => {
    const { core } = house;
    const sent: Frame[] = [];
    const native: string[] = [];
    const connection = createConnection({ onEnded: (_, { stream }) => core.hub.unfollow(stream) });
    const socket = {
      send: (frame: string) => sent.push(JSON.parse(frame)),
      subscribe: (topic: string) => native.push(topic),
      unsubscribe: (topic: string) => native.splice(native.indexOf(topic), 1),
      getBufferedAmount: () => 0,
      close() {},
    };
    connection.open(socket as unknown as Socket, undefined); // all of a socket that a subscription touches
    connection.phase = { name: 'live', actor, expiresAtMs: 0, warnAtMs: 0 };
    const readSnapshot = async () => ({ filler: 'x'.repeat(150_000) }); // two of them fill an answer
    const subscriber = createSubscriber({
      ...core,
      topicKinds: createTopicKinds([
        topicKind('app', {
          id: '.+',
          findFollowable,
          snapshot: { schema: Type.Object({}), read: readSnapshot },
        }),
      ]),
      maxSubscriptions,
      onRefused() {},
    });
    return { connection, subscriber, sent, native };
  };
  const newTopic = () => `app:${crypto.randomUUID()}`;
  const everyone: TopicKind['findFollowable'] = async (_db, _actor, ids) => new Set(ids);

  test('[S7] a removal that commits while the right is read is still heard, and is the last', async () => {
    const topic = newTopic();
    const { connection, subscriber, sent, native } = prepare(async (_db, { userId }, ids) => {
      const found = new Set(ids); // the right as it was
      await house.core.commit(actor, async (_tx, emit) => {
        emit(anyTopic(topic), 'member.left', {}, { revokes: [userId] });
        return {};
      });
      return found;
    });
    const { payload, afterReply } = await subscriber.subscribe(connection, { topic });
    expect(payload).toMatchObject({ seq: 0 });
    afterReply();
    expect(sent.map(({ type, seq }) => [type, seq])).toEqual([
      ['member.left', 1],
      ['unsubscribed', undefined],
    ]);
    expect([connection.follows(topic), native, house.core.hub.topics()]).toEqual([false, [], []]);
  });

  test('[S2] a connection that closes meanwhile follows nothing, and nothing is served for it', async () => {
    const topic = newTopic();
    const { connection, subscriber } = prepare(async (_db, _actor, ids) => {
      connection.onClose();
      return new Set(ids);
    });
    const refusal = await subscriber.subscribe(connection, { topic }).catch((error) => error);
    expect(refusal).toMatchObject({ code: 'unavailable' });
    expect([connection.subscriptions.size, house.core.hub.topics()]).toEqual([0, []]);
  });

  test('[S7] a right that was read for a role which has changed since is read again', async () => {
    const { connection, subscriber } = prepare(async (_db, { role }, ids) => {
      if (role === 'admin') become('user'); // behind the reading, and before its answer is here
      return new Set(role === 'admin' ? ids : []);
    });
    const become = (role: 'admin' | 'user') => {
      connection.phase = { name: 'live', actor: { ...actor, role }, expiresAtMs: 0, warnAtMs: 0 };
    };
    become('admin');
    const refusal = await subscriber.subscribe(connection, { topic: newTopic() }).catch((error) => error);
    expect(refusal).toMatchObject({ code: 'forbidden' });
    become('admin');
    const { payload } = await subscriber.subscribeMany(
      connection,
      range(1, 3).map(() => ({ topic: newTopic() })),
    );
    for (const result of payload.results) expect(result).toMatchObject({ error: { code: 'forbidden' } });
    expect([connection.subscriptions.size, house.core.hub.topics()]).toEqual([0, []]);
  });

  test('[S5] whatever a topic is refused for, it is not served any longer', async () => {
    const refusals: [code: string, TopicKind['findFollowable']][] = [
      ['forbidden', async () => new Set()],
      ['internal', () => Promise.reject(new Error('no answer'))],
    ];
    for (const [code, findFollowable] of refusals) {
      const { connection, subscriber } = prepare(findFollowable);
      for (const more of [{}, { since: 7 }, { snapshot: true }]) {
        const one = await subscriber
          .subscribe(connection, { topic: newTopic(), ...more })
          .catch((error) => error);
        expect(code === 'internal' ? one.message : one.code).toBe(code === 'internal' ? 'no answer' : code);
        const topics = range(1, 3).map(() => ({ topic: newTopic(), ...more }));
        const { payload } = await subscriber.subscribeMany(connection, topics);
        for (const result of payload.results) expect(result).toMatchObject({ error: { code } });
      }
      expect(house.core.hub.topics()).toEqual([]);
    }
  });

  test('[S5] the last place goes to the first topic of a frame, and the others are not served', async () => {
    const { connection, subscriber } = prepare(everyone, 2);
    const topics = range(1, 4).map(newTopic);
    const { payload } = await subscriber.subscribeMany(
      connection,
      topics.map((topic) => ({ topic })),
    );
    expect(payload.results.map((result) => ('error' in result ? result.error.code : result.seq))).toEqual([
      0,
      0,
      'too_many_subscriptions',
      'too_many_subscriptions',
    ]);
    expect(house.core.hub.topics().toSorted()).toEqual(topics.slice(0, 2).toSorted());
    connection.onClose();
    expect(house.core.hub.topics()).toEqual([]);
  });

  test('[S1] behind snapshots that fill the answer, the others are not served', async () => {
    const { connection, subscriber } = prepare(everyone);
    const topics = range(1, 4).map(newTopic);
    const { payload } = await subscriber.subscribeMany(
      connection,
      topics.map((topic) => ({ topic, snapshot: true })),
    );
    expect(payload.results.map((result) => 'error' in result && result.error.code)).toEqual([
      false,
      false,
      'unavailable',
      'unavailable',
    ]);
    expect(house.core.hub.topics().toSorted()).toEqual(topics.slice(0, 2).toSorted());
    connection.onClose();
  });
});

onEachDatabase('a log that is ahead of the instance', (open) => {
  test('[S2] is caught up with for who was elsewhere, and comes from ahead', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const [here, from] = [await server.connect(ann), await server.connect(ann)];
    await here.subscribe(chat.topic);
    await fillLog(server.db, chat.topic, 3); // another instance wrote them, and word of it is still on its way
    expect(await from.subscribe(chat.topic, { since: 4 })).toMatchObject({ seq: 4, head: 4, replay: 0 });
    expect(from.frames.at(-1)?.payload.reset).toBeUndefined();
    await reach(here, chat.topic, 4);
    expect(seqsOf(here, chat.topic)).toEqual([2, 3, 4]);
    expect((await readEvents(server.db, chat.topic, 0, 10)).length).toBe(4);
    here.close();
    from.close();
  });

  test('[S3] is caught up with for who gets a snapshot of it', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const [here, from] = [await server.connect(ann), await server.connect(ann)];
    await here.subscribe(chat.topic);
    await fillLog(server.db, chat.topic, 3);
    expect(await from.subscribe(chat.topic, { snapshot: true })).toMatchObject({
      seq: 4,
      head: 4,
      replay: 0,
    });
    await from.request('message.send', { chatId: chat.id, content: 'the next one' });
    for (const client of [here, from]) await reach(client, chat.topic, 5);
    expect([seqsOf(here, chat.topic), seqsOf(from, chat.topic)]).toEqual([[2, 3, 4, 5], [5]]);
    here.close();
    from.close();
  });
});
