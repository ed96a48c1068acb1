// What the client adds to its connection: states by the names of topics, a store for frameworks, events over all topics, keys.

import { describe, expect, test } from 'bun:test';
import { createClient, Disconnected, isEvent } from '../../src/client/index.ts';
import type { Topic } from '../../src/client/typed.ts';
import { createByHand, event, type HandSocket, joined } from './hand.ts';

const id = '01a1fed0-de9e-7326-9a60-1c10e2dc0664';
const name = `chat:${id}` as const;
const emptyChat = { chat: { id }, members: [], messages: [], readPositions: {} };

const enterTyped = async (options = {}) => {
  const hand = createByHand(options, createClient);
  const socket = await hand.enter();
  return { ...hand, socket };
};

/** Answers the newest subscribe, to one topic, at this seq. */
const join = (socket: HandSocket, topic: string, seq: number, more = {}) =>
  socket.answers('subscribe', { results: [{ ...joined(topic, seq), ...more }] });

const views = (topic: Topic) => {
  const seen: string[] = [];
  topic.subscribe(() => seen.push(topic.getSnapshot().status));
  return seen;
};

describe('a topic', () => {
  test('keeps the state of a chat by its name, with its offers, where the server has them', async () => {
    for (const offers of [[], undefined]) {
      const { client, socket } = await enterTyped();
      const topic = client.topic(name);
      expect(socket.sent.at(-1)?.payload).toEqual({ topics: [{ topic: name, snapshot: true }] });
      join(socket, name, 3, { snapshot: { ...emptyChat, offers } });
      socket.says({ ...event(name, 4), type: 'message.created', payload: { content: 'Hi', replyTo: null } });
      socket.says({
        ...event(name, 5),
        type: 'offer.created',
        payload: { offer: { id, title: 'A bicycle' } },
      });
      expect(topic.state?.messages.map(({ content }) => content)).toEqual(['Hi']);
      expect(topic.state?.offers?.map(({ title }) => title)).toEqual(offers && ['A bicycle']);
    }
  });

  test('is a store: the view is another one when something changed, and only then', async () => {
    const { client, socket, newest, clock } = await enterTyped();
    const topic = client.topic(name);
    const seen = views(topic);
    const before = topic.getSnapshot();
    expect(before).toEqual({ state: undefined, status: 'joining', error: undefined });
    join(socket, name, 0, { snapshot: { ...emptyChat, offers: [] } });
    const live = topic.getSnapshot();
    socket.says({ ...event(name, 1), type: 'chat.renamed.to.nothing.known' });
    const { seq: _, ...typing } = event(name, 0);
    socket.says({ ...typing, type: 'typing' });
    expect(topic.getSnapshot()).toBe(live);
    socket.ends(1006);
    expect([topic.status, topic.state]).toEqual(['paused', live.state]);
    await clock.advance(1_000);
    newest().welcomes();
    join(newest(), name, 1);
    newest().says({ type: 'unsubscribed', topic: name, payload: {} });
    expect(seen).toEqual(['live', 'paused', 'live', 'ended']);
    expect(topic.getSnapshot().error?.message).toBe(`The right to follow ${name} is lost.`);
    expect(client.topic(name)).not.toBe(topic);
  });

  test('begins behind an event instead, where it is asked to', async () => {
    const { client, newest, enter } = createByHand({ findApply: () => (state) => state });
    client.topic('chat:x', { since: 3 });
    await enter();
    expect(newest().sent.at(-1)?.payload).toEqual({ topics: [{ topic: 'chat:x', since: 3 }] });
  });

  test('is left when the last one lets go who holds it, and not before', async () => {
    const { client } = await enterTyped();
    const topic = client.topic(name);
    const releases = [topic.hold(), topic.hold()];
    releases[0]?.();
    releases[0]?.();
    await Promise.resolve();
    expect(topic.status).toBe('joining');
    releases[1]?.();
    const again = topic.hold();
    await Promise.resolve();
    expect(topic.status).toBe('joining');
    again();
    await Promise.resolve();
    expect(topic.status).toBe('ended');
    const next = client.topic(name);
    topic.close();
    expect([next === topic, next.status]).toEqual([false, 'joining']);
  });

  test('calls a listener no more once it is stopped, be it by another one', async () => {
    const { client, socket } = await enterTyped();
    const topic = client.topic('app:public.lobby');
    join(socket, topic.name, 0);
    let heard = 0;
    const listener = () => {
      heard += 1;
    };
    topic.on('thing.happened', () => stops[1]?.());
    const stops = [topic.on('thing.happened', listener), topic.on('thing.happened', listener)];
    socket.says(event(topic.name, 1));
    expect(heard).toBe(1);
    stops[0]?.();
    socket.says(event(topic.name, 2));
    expect(heard).toBe(1);
  });
});

describe('the client', () => {
  test('hears an event that is on several topics once, and each topic hears its own', async () => {
    const { client, socket } = await enterTyped();
    const [one, other] = [client.topic(`user:${id}`), client.topic('app:public.lobby')];
    join(socket, one.name, 0);
    socket.says({ type: 'ok', payload: joined(other.name, 0) });
    const heard = { named: 0, all: 0, one: 0, other: 0 };
    const stop = client.on('profile.updated', () => {
      heard.named += 1;
    });
    client.on('*', () => {
      heard.all += 1;
    });
    one.on('*', () => {
      heard.one += 1;
    });
    other.on('*', () => {
      heard.other += 1;
    });
    const shared = { ...event(one.name, 1), type: 'profile.updated' };
    socket.says(shared);
    socket.says({ ...shared, topic: other.name });
    socket.says({ ...event('app:public.elsewhere', 1) });
    expect(heard).toEqual({ named: 1, all: 1, one: 1, other: 1 });
    stop();
    socket.says({ ...shared, id: 'another', seq: 2 });
    expect(heard).toEqual({ named: 1, all: 2, one: 2, other: 1 });
  });

  test('[K1] gives a key to what takes one, but not to what is announced and forgotten', async () => {
    const { client, socket } = await enterTyped();
    const key = () => socket.sent.at(-1)?.key;
    const topic = 'app:public.lobby';
    const answers: Promise<unknown>[] = [];
    answers.push(client.send('message.send', { chatId: id, content: 'Hi' }));
    const first = key();
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    answers.push(client.send('message.send', { chatId: id, content: 'Hi' }));
    expect(key()).not.toBe(first);
    answers.push(client.send('message.send', { chatId: id, content: 'Hi' }, { key: 'mine' }));
    expect(key()).toBe('mine');
    answers.push(client.send('publish', { event: 'thing.happened', data: 1, durable: true }, { topic }));
    expect(key()).toMatch(/^[0-9a-f]{32}$/);
    answers.push(client.send('publish', { event: 'thing.happened', data: 1 }, { topic }));
    expect(key()).toBeUndefined();
    answers.push(client.send('message.edit', { messageId: id, content: 'Ho' }));
    expect(key()).toBeUndefined();
    client.close();
    await Promise.allSettled(answers);
  });

  test('sends again what only reads, over the next connection, and nothing else without a key', async () => {
    const { client, socket, newest, clock } = await enterTyped();
    const list = client.send('chat.list');
    const edited = client.send('message.edit', { messageId: id, content: 'Ho' }).catch((error) => error);
    const typing = client.send('typing', { chatId: id, active: true }).catch((error) => error);
    socket.ends(1006);
    expect(await edited).toBeInstanceOf(Disconnected);
    expect(await typing).toBeInstanceOf(Disconnected);
    await clock.advance(1_000);
    newest().welcomes();
    expect(newest().sent.map(({ type }) => type)).toEqual(['chat.list']);
    newest().answers('chat.list', { items: [], nextCursor: null });
    expect(await list).toEqual({ items: [], nextCursor: null });
  });

  test('says what to do where the platform has no WebSocket', async () => {
    const { client, clock } = createByHand({ WebSocket: undefined as never }, createClient);
    const failed = client.connect().catch((error) => error);
    await clock.advance(0);
    expect((await failed).message).toStartWith(
      'There is no WebSocket here. Give the client one as an option',
    );
    expect(client.state.name).toBe('error');
  });
});

test('isEvent knows an event, of any type and of one', () => {
  const frame = event(name, 1);
  expect([isEvent(frame), isEvent({ type: 'ok', id: '1' })]).toEqual([true, false]);
  expect(isEvent({ ...frame, type: 'message.created' }, 'message.created')).toBe(true);
  expect(isEvent(frame, 'message.created')).toBe(false);
});
