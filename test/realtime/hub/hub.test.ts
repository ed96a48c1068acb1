// The hub at its seams: listening begins, the log is read, a topic is given up, and what happens in between. The log is
// real; what arrives from other instances, and when, is the test's to say. [O1] [S4]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import type { Stream } from '../../../src/realtime/hub/stream.ts';
import type { LoggedEvent } from '../../../src/realtime/log/event-log.ts';
import type { Subscription } from '../../../src/realtime/socket/connection.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createHub, type HubInHand } from '../../support/hub.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const newTopic = () => `app:${crypto.randomUUID()}`;
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

onEachDatabase('hub', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  const prune = (topic: string, upTo: number) =>
    own.db.execute(sql`DELETE FROM events WHERE topic = ${topic} AND seq <= ${upTo}`);

  /** A topic that is followed, by the hub's caller and by a connection of Ann's. */
  async function follow(topic = newTopic()) {
    const hand = createHub(own.db);
    const ann = hand.connect('ann');
    const stream = await hand.hub.follow(topic);
    // As subscribing does it; the connection's own `follow` is the one above.
    ann.connection.subscriptions.set(topic, { topic, stream, authorizedAt: 0, phase: 'replaying' });
    return { ...hand, hand, ann, stream, topic };
  }

  /** Makes the hub give the stream up: the log lost what it waits for. */
  async function giveUp(hand: HubInHand, stream: Stream): Promise<void> {
    const events = await hand.write(stream.topic, 3);
    await prune(stream.topic, events[1]?.seq ?? 0);
    await hand.hub.catchUp(stream.topic, events[2]?.seq ?? 0);
    expect(hand.hub.serves(stream)).toBe(false);
  }

  test('reads the head only when the bridge listens: what commits before that is behind nobody', async () => {
    const { hub, hold, write } = createHub(own.db);
    const topic = newTopic();
    const listen = hold('serve');
    const following = hub.follow(topic);
    await write(topic, 3); // its frames find nobody who listens
    listen();
    expect((await following).position).toBe(3);
  });

  test('keeps what arrives while the head is read, and delivers what is behind it', async () => {
    const hand = createHub(own.db);
    const { hub, hold, arrive, write, left } = hand;
    const topic = newTopic();
    const early = await write(topic, 2);
    const answer = hold('readHead');
    const following = hub.follow(topic);
    await until(() => hand.headsRead === 1, 'the head is read');
    for (const event of [...early, ...(await write(topic, 2))]) arrive(event);
    answer();
    expect((await following).position).toBe(4);
    expect(left(topic)).toEqual([3, 4]);
  });

  test('reads a hole from the log to its end, however many pages that takes', async () => {
    const { stream, topic, write, arrive, left } = await follow();
    const events = await write(topic, 1_201);
    arrive(events.at(-1));
    await until(() => stream.position === 1_201, 'the hole is closed');
    expect(left(topic)).toEqual(range(1, 1_201));
  });

  test('[S4] gives a topic up whose log has lost what the hole needs, by itself, and says so to its followers', async () => {
    const { hub, stream, topic, ann, write, arrive, left, told } = await follow();
    const events = await write(topic, 5);
    await prune(topic, 3);
    arrive(events.at(-1));
    await until(() => !hub.serves(stream), 'the topic is given up');
    expect(ann.closes).toEqual([1012]);
    expect(left(topic)).toEqual([]);
    expect(told).toEqual([`serve ${topic}`, `release ${topic}`]);
  });

  test('does not give a topic up for one reading that began before the event was committed', async () => {
    const { hub, stream, topic, ann, write, arrive, left, hold, hand } = await follow();
    const [first] = await write(topic, 1);
    const answer = hold('readEvents');
    const earlier = hub.catchUp(topic, 1);
    arrive(first); // meanwhile it came over the bridge
    await until(() => hand.reads === 1, 'the log is read');
    await write(topic, 1);
    const later = hub.catchUp(topic, 2); // shares the reading under way, which finds nothing new
    answer();
    await Promise.all([earlier, later]);
    expect(hub.serves(stream)).toBe(true);
    expect(left(topic)).toEqual([1, 2]);
    expect(ann.closes).toEqual([]);
  });

  test('[S4] gives a topic up when the log answers twice that it does not have what it promised', async () => {
    const { hub, stream, topic, ann, write } = await follow();
    await write(topic, 2);
    await prune(topic, 2);
    await hub.catchUp(topic, 2);
    expect(hub.serves(stream)).toBe(false);
    expect(ann.closes).toEqual([1012]);
  });

  test('[O1] sends away whoever missed an event that could not be delivered', async () => {
    const { hub, stream, topic, ann, bugs, write, publish, left, failDelivery, told } = await follow();
    const other = await hub.follow(newTopic());
    const events = await write(topic, 3);
    failDelivery(topic, 2);
    publish(events);
    expect(bugs).toHaveLength(1);
    expect(ann.closes).toEqual([1012]);
    expect(hub.serves(stream)).toBe(false);
    expect(hub.serves(other)).toBe(true);
    expect(left(topic)[0]).toBe(1);
    expect(told.at(-1)).toBe(`release ${topic}`);
    // It comes back, and the log has it all.
    expect((await hub.follow(topic)).position).toBe(3);
  });

  test('ends no more than was begun: to leave a stream that was given up leaves the one in its place alone', async () => {
    const { hub, stream, topic, hand, told } = await follow();
    await giveUp(hand, stream);
    const next = await hub.follow(topic);
    hub.unfollow(stream);
    expect(hub.serves(next)).toBe(true);
    hub.unfollow(next);
    expect(hub.serves(next)).toBe(false);
    expect(told).toEqual([`serve ${topic}`, `release ${topic}`, `serve ${topic}`, `release ${topic}`]);
  });

  test('[O1] delivers nothing for a stream that was left while the log was read for it', async () => {
    const { hub, stream, topic, write, arrive, left, hold, hand } = await follow();
    const events = await write(topic, 3);
    const answer = hold('readEvents');
    arrive(events.at(-1));
    await until(() => hand.reads === 1, 'the hole is read');
    hub.unfollow(stream);
    const next = await hub.follow(topic);
    expect(next.position).toBe(3);
    answer();
    await new Promise(setImmediate); // behind everything that follows from the answer
    expect(left(topic)).toEqual([]); // its followers began behind them
    expect(hub.serves(next)).toBe(true);
  });

  test('catches up no further for a stream that was left, and gives up none in its place', async () => {
    const { hub, stream, topic, ann, write, left, hold, hand } = await follow();
    await write(topic, 2);
    const answer = hold('readEvents');
    const catching = hub.catchUp(topic, 2);
    await until(() => hand.reads === 1, 'the log is read');
    hub.unfollow(stream);
    const next = await hub.follow(topic);
    answer();
    await catching;
    expect(hub.serves(next)).toBe(true);
    expect(left(topic)).toEqual([]);
    expect(ann.closes).toEqual([]);
    expect(hand.reads).toBe(1);
  });

  /** The payloads in memory behind `after`, as far back as it reaches. */
  const remembered = (stream: Stream, after: number) =>
    stream.since(after)?.map(({ frame }) => JSON.parse(frame).payload);
  const rewrite = (hand: HubInHand, topic: string, seq: number) =>
    hand.write(topic, 1, { payload: 'the rewriting', rewrites: [{ seq, payload: 'new' }] });

  test('[O5] an event that rewrites others takes them out of memory, however it came: from here, over the bridge, from the log', async () => {
    const come = {
      fromHere: (hand: HubInHand, [event]: LoggedEvent[]) => event && hand.publish([event]),
      overTheBridge: (hand: HubInHand, [event]: LoggedEvent[]) => hand.arrive(event),
      fromTheLog: (hand: HubInHand, [event]: LoggedEvent[]) =>
        hand.hub.catchUp(event?.topic ?? '', event?.seq ?? 0),
    };
    for (const deliver of Object.values(come)) {
      const { hub, hand, stream, topic, write, publish } = await follow();
      publish(await write(topic, 3, { payload: 'old' }));
      await deliver(hand, await rewrite(hand, topic, 2));
      expect(remembered(stream, 2)).toEqual(['old', 'the rewriting']);
      expect(stream.since(1)).toBeUndefined();
      await hub.warm(stream, 0);
      expect(remembered(stream, 0)).toEqual(['old', 'new', 'old', 'the rewriting']);
    }
  });

  test('[O5] memory takes nothing in that was read from the log before it was rewritten', async () => {
    const { hub, hand, stream, topic, write, publish, hold } = await follow();
    publish(await write(topic, 3, { payload: 'old' }));
    publish(await rewrite(hand, topic, 3)); // so that memory is short, and is filled
    const answer = hold('readNewestEvents');
    const warming = hub.warm(stream, 0);
    await until(() => hand.newestRead === 1, 'the log is read');
    publish(await rewrite(hand, topic, 2));
    answer();
    await warming;
    expect(remembered(stream, 3)).toEqual(['the rewriting', 'the rewriting']);
    expect(stream.since(2)).toBeUndefined();
    await hub.warm(stream, 0);
    expect(remembered(stream, 0)).toEqual(['old', 'new', 'new', 'the rewriting', 'the rewriting']);
  });

  test('[O5] what was read from the log before it was rewritten, and came behind it, is gone as well', async () => {
    const { hub, hand, stream, topic, write, hold } = await follow();
    await write(topic, 2, { payload: 'old' });
    const answer = hold('readEvents');
    const healing = hub.catchUp(topic, 2);
    await until(() => hand.reads === 1, 'the log is read');
    const [rewriting] = await rewrite(hand, topic, 1);
    hand.arrive(rewriting); // too early
    answer();
    await healing;
    expect(stream.position).toBe(3);
    expect(remembered(stream, 1)).toEqual(['old', 'the rewriting']);
    expect(stream.since(0)).toBeUndefined();
  });

  test('[S7] an event reaches none of those from whom it is withheld, however it came, and whom it revokes is told behind it', async () => {
    const come = {
      fromHere: (hand: HubInHand, events: LoggedEvent[]) => hand.publish(events),
      overTheBridge: (hand: HubInHand, events: LoggedEvent[]) => events.forEach(hand.arrive),
      fromTheLog: (hand: HubInHand, events: LoggedEvent[]) =>
        hand.hub.catchUp(events[0]?.topic ?? '', events.at(-1)?.seq ?? 0),
    };
    for (const deliver of Object.values(come)) {
      const { hub, hand, ann, topic, write } = await follow();
      const [bob, cy, dee] = [hand.connect('bob'), hand.connect('cy'), hand.connect('dee')];
      for (const { connection } of [ann, bob, cy, dee]) {
        const stream = await hub.follow(topic);
        const subscription: Subscription = { topic, stream, authorizedAt: 0, phase: 'replaying' };
        connection.subscriptions.set(topic, subscription);
        connection.goLive(subscription);
      }
      const events = [
        ...(await write(topic, 1)),
        ...(await write(topic, 1, { withheldFrom: ['ann', 'nobody', 'dee'], revokes: ['bob', 'dee'] })),
        ...(await write(topic, 1, { withheldFrom: ['ann'] })),
      ];
      await deliver(hand, events);
      const typesOf = ({ frames }: typeof ann) => frames.map(({ type, seq }) => seq ?? type);
      expect(typesOf(ann)).toEqual([1, 'unsubscribed']);
      expect(typesOf(bob)).toEqual([1, 2, 'unsubscribed']);
      expect(typesOf(cy)).toEqual([1, 2, 3]);
      expect(typesOf(dee)).toEqual([1, 'unsubscribed']);
      expect(ann.connection.follows(topic)).toBe(false);
    }
  });

  test('[S7] the last one from whom an event is withheld takes the topic along', async () => {
    const { hub, hand, ann, stream, topic, write, publish, told, bugs } = await follow();
    const subscription = ann.connection.subscriptions.get(topic);
    if (subscription !== undefined) ann.connection.goLive(subscription);
    publish(await write(topic, 2, { withheldFrom: ['ann'] }));
    expect([hub.serves(stream), ann.seqsOf(topic), told.at(-1)]).toEqual([false, [], `release ${topic}`]);
    expect(bugs).toEqual([]);
    expect((await hand.hub.follow(topic)).position).toBe(2);
  });

  test('tells the bridge when the last one has left, and not before', async () => {
    const { hub, stream, topic, told } = await follow();
    await hub.follow(topic);
    hub.unfollow(stream);
    expect(hub.serves(stream)).toBe(true);
    expect(told).toEqual([`serve ${topic}`]);
    hub.unfollow(stream);
    expect(hub.serves(stream)).toBe(false);
    expect(told).toEqual([`serve ${topic}`, `release ${topic}`]);
  });
});
