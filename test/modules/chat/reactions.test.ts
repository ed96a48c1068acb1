// Reactions: what one is, what it does, and that a snapshot tells the same as the events, whoever came and went.
// REACTIONS_SEED repeats a run.

import { beforeAll, expect, test } from 'bun:test';
import fc from 'fast-check';
import { chatTopic, maxEmojis, maxNamedUsers } from '../../../src/modules/chat/contract.ts';
import { apply } from '../../../src/modules/chat/state.ts';
import { readState } from '../../../src/modules/chat/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createGroup, eventsOf, must, outputOf, registerAll, send, unknownId } from './setup.ts';

const seed = Number(process.env.REACTIONS_SEED ?? Math.floor(Math.random() * 2 ** 31));

interface Step {
  readonly by: number;
  readonly emoji: string;
  readonly remove: boolean;
}

onEachDatabase('reactions', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await registerAll(server, 'Ann', 'Bob');
  });

  async function start() {
    const chat = await createGroup(server, ann, bob);
    const message = await send(server, ann, chat.id, 'Hello');
    const path = (emoji: string) =>
      `/chats/${chat.id}/messages/${message.id}/reactions/${encodeURIComponent(emoji)}`;
    return { chatId: chat.id as string, topic: chatTopic(chat.id), message, path };
  }
  const reactionsIn = async (chatId: string) =>
    (await readState(server.db, chatId)).messages.at(-1)?.reactions;

  test('one is added, seen by followers and in snapshots, and taken back', async () => {
    const { chatId, topic, message, path } = await start();
    const follower = await server.connect(ann);
    await follower.subscribe(topic);
    const added = await attempt(server, bob, 'PUT', path('👍'));
    const expected = {
      messageId: message.id,
      seq: message.seq,
      emoji: '👍',
      userId: bob.id,
      removed: false,
      count: 1,
    };
    expect([added.status, added.body]).toEqual([200, { ...expected, events: [{ topic, seq: 3 }] }]);
    expect(await follower.next('message.reacted')).toMatchObject({ topic, seq: 3, payload: expected });
    expect(await must(server, ann, 'PUT', path('👍'))).toEqual({ ...expected, userId: ann.id, count: 2 });
    expect(await reactionsIn(chatId)).toEqual([{ emoji: '👍', count: 2, userIds: [bob.id, ann.id] }]);
    const { items } = await must(server, bob, 'GET', `/chats/${chatId}/messages`);
    expect(items.at(-1).reactions).toEqual([{ emoji: '👍', count: 2, mine: true }]);
    expect(await must(server, bob, 'DELETE', path('👍'))).toEqual({ ...expected, removed: true, count: 1 });
    expect(await must(server, ann, 'DELETE', path('👍'))).toMatchObject({
      userId: ann.id,
      removed: true,
      count: 0,
    });
    expect(await reactionsIn(chatId)).toEqual([]);
    follower.close();
  });

  test('over the socket one command does both, with the chat or without', async () => {
    const { chatId, topic, message } = await start();
    const client = await server.connect(bob);
    const react = async (payload: object) =>
      (await client.request('message.react', { messageId: message.id, emoji: '🎉', ...payload })).payload;
    const reacted = { messageId: message.id, seq: message.seq, emoji: '🎉', userId: bob.id };
    expect(await react({})).toEqual({ ...reacted, removed: false, count: 1, events: [{ topic, seq: 3 }] });
    expect(await react({ remove: true, chatId })).toEqual({
      ...reacted,
      removed: true,
      count: 0,
      events: [{ topic, seq: 4 }],
    });
    client.close();
  });

  test('what is so already is answered, and no event is written', async () => {
    const { topic, path } = await start();
    const first = await must(server, bob, 'PUT', path('👍'));
    await must(server, ann, 'PUT', path('👍'));
    const again = await attempt(server, bob, 'PUT', path('👍'));
    expect([outputOf(again.body), again.body.events]).toEqual([{ ...first, count: 2 }, []]);
    const absent = await attempt(server, bob, 'DELETE', path('🎉'));
    expect(absent.body).toMatchObject({ emoji: '🎉', removed: true, count: 0, events: [] });
    expect(await eventsOf(server, topic)).toHaveLength(4);
  });

  test('ten at once by one user are one', async () => {
    const { topic, path } = await start();
    const answers = await Promise.all(Array.from({ length: 10 }, () => must(server, bob, 'PUT', path('👍'))));
    expect(answers.map(({ count }) => count)).toEqual(answers.map(() => 1));
    expect(await eventsOf(server, topic)).toHaveLength(3);
  });

  const emojis = ['👍', '👍🏽', '❤️', '❤', '🇩🇪', '1️⃣', '#️⃣', '👨‍👩‍👧‍👦', '❤️‍🔥', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'];
  test.each(emojis)('%s is one emoji, also percent-encoded in a path', async (emoji) => {
    const { chatId, path } = await start();
    expect([...new Intl.Segmenter().segment(emoji)]).toHaveLength(1);
    await must(server, bob, 'PUT', path(emoji));
    expect(await reactionsIn(chatId)).toEqual([{ emoji, count: 1, userIds: [bob.id] }]);
    await must(server, bob, 'DELETE', path(emoji));
    expect(await reactionsIn(chatId)).toEqual([]);
  });

  test.each([
    ['a letter', 'a'],
    ['two letters', 'ab'],
    ['a digit', '1'],
    ['two emojis', '👍👍'],
    ['an emoji and a letter', '👍a'],
    ['an emoji with an accent', '👍\u0301'],
    ['an emoji with a joiner and nothing behind it', '👍\u200d'],
    ['half a flag', '🇩'],
    ['a flag of nowhere', '🇽🇽'],
    ['a space', ' '],
    ['a sequence of 35 bytes', '👩🏽‍❤️‍💋‍👨🏾'],
    ['NUL', '\0'],
  ])('%s is invalid, and the refusal says where it came', async (_, emoji) => {
    const { topic, message, path } = await start();
    const client = await server.connect(bob);
    const refused = await client.request('message.react', { messageId: message.id, emoji });
    expect(refused.error).toMatchObject({ code: 'invalid', details: [{ path: '/payload/emoji' }] });
    for (const method of ['PUT', 'DELETE']) {
      const { status, body } = await attempt(server, bob, method, path(emoji));
      expect([status, body.error]).toMatchObject([
        400,
        { code: 'invalid', details: [{ path: '/params/emoji' }] },
      ]);
    }
    expect(await eventsOf(server, topic)).toHaveLength(2);
    client.close();
  });

  test('half a surrogate pair and nothing at all are invalid', async () => {
    const { message } = await start();
    const client = await server.connect(bob);
    for (const emoji of ['\ud83d', '']) {
      const { error } = await client.request('message.react', { messageId: message.id, emoji });
      expect(error).toMatchObject({ code: 'invalid', details: [{ path: '/payload/emoji' }] });
    }
    client.close();
  });

  test('a message has at most 20 different ones; those that are there go on', async () => {
    const { path } = await start();
    const many = Array.from({ length: maxEmojis + 1 }, (_, n) => String.fromCodePoint(0x1f600 + n));
    const [first = '', ...others] = many;
    const last = others.pop() ?? '';
    for (const emoji of [first, ...others]) await must(server, ann, 'PUT', path(emoji));
    const refused = await attempt(server, bob, 'PUT', path(last));
    expect([refused.status, refused.body.error.code]).toEqual([409, 'conflict']);
    expect(refused.body.error.message).toContain(String(maxEmojis));
    expect(await must(server, bob, 'PUT', path(first))).toMatchObject({ count: 2 });
    await must(server, ann, 'DELETE', path(others[0] ?? ''));
    expect(await must(server, bob, 'PUT', path(last))).toMatchObject({ count: 1 });
  });

  test('a deleted message takes none, and gives none back', async () => {
    const { topic, message, path, chatId } = await start();
    await must(server, bob, 'PUT', path('👍'));
    await must(server, ann, 'DELETE', `/chats/${chatId}/messages/${message.id}`);
    for (const [method, emoji] of [
      ['PUT', '🎉'],
      ['DELETE', '👍'],
    ] as const) {
      const { status, body } = await attempt(server, bob, method, path(emoji));
      expect([status, body.error.code]).toEqual([409, 'conflict']);
    }
    expect(await eventsOf(server, topic)).toHaveLength(4);
  });

  test('a stranger, a wrong chat and a message that is not there are one answer', async () => {
    const { chatId, message, path } = await start();
    const [cid] = await registerAll(server, 'Cid');
    const other = await createGroup(server, bob);
    const answers = await Promise.all([
      attempt(server, cid, 'PUT', path('👍')),
      attempt(server, bob, 'PUT', path('👍').replace(chatId, other.id)),
      attempt(server, bob, 'PUT', path('👍').replace(message.id, unknownId)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(new Set(answers.map(({ body }) => body.error.message)).size).toBe(1);
  });

  test('with more users than it names, a snapshot is what the events make of it, in any order', async () => {
    console.log(`REACTIONS_SEED=${seed}`);
    const crowd = await Promise.all(
      Array.from({ length: maxNamedUsers + 4 }, (_, n) => server.register(`User ${n}`)),
    );
    const step = fc.record({
      by: fc.nat(crowd.length - 1),
      emoji: fc.constantFrom('👍', '👍', '👍', '🎉'),
      // Mostly added, so that there are often more than it names.
      remove: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
    });
    const everybody = crowd.map((_, by) => ({ by, emoji: '👍', remove: false }));
    let most = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(everybody, { minLength: maxNamedUsers + 1 }),
        fc.array(step, { minLength: 20, maxLength: 60 }),
        fc.boolean(),
        async (first, steps, atOnce) => {
          const chat = await createGroup(server, ann, ...crowd);
          const message = await send(server, ann, chat.id, 'Hello');
          let state = await readState(server.db, chat.id);
          let head = 2;
          const take = async ({ by, emoji, remove }: Step) => {
            const path = `/chats/${chat.id}/messages/${message.id}/reactions/${encodeURIComponent(emoji)}`;
            await must(server, crowd[by] ?? ann, remove ? 'DELETE' : 'PUT', path);
          };
          const compare = async () => {
            const events = await eventsOf(server, chatTopic(chat.id), head);
            head += events.length;
            for (const { type, payload } of events) state = apply(state, { type, payload });
            expect(state).toEqual(await readState(server.db, chat.id));
            most = Math.max(most, ...(state.messages.at(-1)?.reactions ?? []).map(({ count }) => count));
          };
          await Promise.all(first.map(take));
          await compare();
          if (atOnce) await Promise.all(steps.map(take));
          for (const next of atOnce ? [] : steps) {
            await take(next);
            await compare();
          }
          await compare();
        },
      ),
      { seed, numRuns: 8, endOnFailure: true },
    );
    expect(most).toBeGreaterThan(maxNamedUsers);
  }, 60_000);
});
