// The law: apply(snapshot before, events) = snapshot after, for random sequences of every command by several users, one
// after another and all at once. LAW_SEED repeats a run.

import { beforeAll, expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { eq } from 'drizzle-orm';
import fc from 'fast-check';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { messages } from '../../../src/modules/chat/schema.ts';
import { apply, type ChatState } from '../../../src/modules/chat/state.ts';
import { chat, readState } from '../../../src/modules/chat/topics.ts';
import type { TestUser } from '../../support/api.ts';
import type { TestClient } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createGroup, eventsOf } from './setup.ts';

/** What a user tries; most of it is allowed now and then, all of it may be refused. Numbers choose among what is there. */
interface Step {
  readonly by: number;
  readonly what: What;
  readonly on: number;
  readonly overSocket: boolean;
}
const whats = [
  'send',
  'reply',
  'edit',
  'delete',
  'mention',
  'react',
  'unreact',
  'read',
  'rename',
  'add',
  'remove',
  'leave',
  'promote',
  'demote',
  'profile',
] as const;
type What = (typeof whats)[number];

const userCount = 4;
const seed = Number(process.env.LAW_SEED ?? Math.floor(Math.random() * 2 ** 31));

const step = fc.record({
  by: fc.nat(userCount - 1),
  what: fc.constantFrom(...whats, 'send' as const, 'send' as const),
  on: fc.nat(1_000),
  overSocket: fc.boolean(),
});

/** Every kind of event once, whatever chance brings beside. */
const tour: Step[] = (
  [
    [0, 'send', 0],
    [0, 'edit', 1],
    [1, 'react', 1],
    [1, 'mention', 1],
    [1, 'unreact', 1],
    [0, 'edit', 1],
    [0, 'reply', 1],
    [0, 'edit', 2],
    [0, 'edit', 2],
    [1, 'read', 2],
    [0, 'delete', 1],
    [0, 'rename', 1],
    [0, 'promote', 1],
    [0, 'add', 3],
    [1, 'profile', 1],
    [2, 'leave', 0],
  ] as const
).map(([by, what, on]) => ({ by, what, on, overSocket: true }));

onEachDatabase('the law of chat', (open) => {
  let server: TestServer;
  /** The first one is never removed and does not leave, so that there is always a state to look at. */
  let users: TestUser[];
  let clients: TestClient[];

  beforeAll(async () => {
    console.log(`LAW_SEED=${seed}`);
    server = await open();
    users = await Promise.all(Array.from({ length: userCount }, (_, n) => server.register(`User ${n}`)));
    clients = await Promise.all(users.map((user) => server.connect(user)));
  });

  async function startChat(): Promise<string> {
    const [creator, ...others] = users;
    if (creator === undefined) throw new Error('There are no users.');
    const chat = await createGroup(server, creator, ...others.slice(0, 2));
    return chat.id;
  }

  async function take(chatId: string, { by, what, on, overSocket }: Step, state: ChatState): Promise<void> {
    const user = at(users, by);
    const other = at(users, 1 + (on % (userCount - 1)));
    const message = at(state.messages, on);
    const client = overSocket ? at(clients, by) : undefined;
    const http = async (method: string, path: string, body?: unknown) => {
      const { status } = await attempt(server, user, method, `/chats/${chatId}${path}`, body);
      expect(status).toBeLessThan(500);
    };
    const command = async (type: string, payload: object, method: string, path: string, body?: object) => {
      if (client === undefined) return await http(method, path, body);
      const reply = await client.request(type, payload);
      expect(reply.error?.code).not.toBe('internal');
    };
    said += 1;
    const content = `said ${said}.`;
    const messageId = message.id;
    switch (what) {
      case 'send':
        return await command('message.send', { chatId, content }, 'POST', '/messages', { content });
      case 'reply': {
        const body = { content, replyTo: messageId, metadata: { on, list: [{ by }] } };
        return await command('message.send', { chatId, ...body }, 'POST', '/messages', body);
      }
      case 'mention': {
        const body = { content, mentions: [user.id, other.id, user.id].slice(on % 3) };
        return await command('message.send', { chatId, ...body }, 'POST', '/messages', body);
      }
      case 'react':
      case 'unreact': {
        const emoji = at(['👍', '🎉', '❤️'], Math.floor(on / 7));
        const path = `/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`;
        const isRemoval = what === 'unreact';
        const payload = { messageId, emoji, remove: isRemoval };
        return await command('message.react', payload, isRemoval ? 'DELETE' : 'PUT', path);
      }
      case 'edit':
        return await command('message.edit', { messageId, content }, 'PATCH', `/messages/${messageId}`, {
          content,
        });
      case 'delete':
        return await command('message.delete', { messageId }, 'DELETE', `/messages/${messageId}`);
      case 'read': {
        const body = { seq: message.seq + (on % 3) };
        return await command('message.read', { chatId, ...body }, 'POST', '/read', body);
      }
      case 'rename':
        return await http('PATCH', '', { name: `Club ${on % 5}` });
      case 'add':
        return await http('POST', '/members', { userId: at(users, on).id });
      case 'remove':
        return await http('DELETE', `/members/${other.id}`);
      case 'leave':
        return by === 0 ? undefined : await http('DELETE', `/members/${user.id}`);
      case 'promote':
        return await http('PATCH', `/members/${other.id}`, { role: 'admin' });
      case 'demote':
        return await http('PATCH', `/members/${at(users, on).id}`, { role: 'member' });
      case 'profile': {
        const body = { name: `User ${by} of ${on}` };
        const { status } = await attempt(server, user, 'PATCH', '/users/me', body);
        return expect(status).toBe(200);
      }
    }
  }

  /** How much was said: nothing twice, so that it can be told what is gone. */
  let said = 0;
  const seen = new Set<string>();
  const durables = Object.fromEntries(
    Object.entries(chat.events ?? {}).filter(([, { isDurable }]) => isDurable),
  );

  /** Applies what the log says behind `seq`, and answers the new head. */
  async function follow(chatId: string, state: ChatState, seq: number): Promise<[ChatState, number]> {
    const events = await eventsOf(server, chatTopic(chatId), seq);
    for (const event of events) {
      seen.add(event.type);
      const schema = chat.events?.[event.type as keyof typeof chat.events]?.payload; // a test of the names, too
      expect([...Value.Errors(schema ?? Type.Never(), event.payload)]).toEqual([]);
      state = apply(state, { type: event.type, payload: event.payload });
    }
    expect(events.map((event) => event.seq)).toEqual(events.map((_, n) => seq + 1 + n));
    return [state, seq + events.length];
  }

  /**
   * From wherever a follower left off, what the log says by now leads to the present: though it may say less than it did, and
   * nothing at all of texts that were edited away or deleted since. [O5]
   */
  async function expectLaw(
    chatId: string,
    past: readonly (readonly [ChatState, number])[],
    present: ChatState,
  ) {
    const events = await eventsOf(server, chatTopic(chatId));
    const frames = events.map(({ type, payload }) => ({ type, payload }));
    for (const [before, seq] of past) expect(frames.slice(seq).reduce(apply, before)).toEqual(present);
    const rows = await server.db.select().from(messages).where(eq(messages.chatId, chatId));
    const isPresent = (text: string) => rows.some(({ content }) => content === text);
    const texts = JSON.stringify(events).match(/said \d+\./g) ?? [];
    expect(texts.filter((text) => !isPresent(text))).toEqual([]);
  }

  test('one after another: the law holds behind every command, and from each to the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const chatId = await startChat();
        let state = await readState(server.db, chatId);
        let head = 1;
        const past: [ChatState, number][] = [];
        for (const next of steps) {
          past.push([state, head]);
          await take(chatId, next, state);
          [state, head] = await follow(chatId, state, head);
          expect(state).toEqual(await readState(server.db, chatId));
        }
        await expectLaw(chatId, past, state);
        expect(state.members.some(({ role }) => role === 'admin')).toBe(true);
      }),
      { seed, numRuns: 12, examples: [[tour]], endOnFailure: true },
    );
    expect([...seen].sort()).toEqual(Object.keys(durables).sort());
  }, 60_000);

  test('all at once: what a follower builds from a snapshot and frames is the next snapshot', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 2, maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        async (rounds) => {
          const chatId = await startChat();
          const topic = chatTopic(chatId);
          const follower = await server.connect(at(users, 0));
          const joined = await follower.subscribe(topic, { snapshot: true });
          let state = joined.snapshot as ChatState; // the contract of the chat's topic
          const past: [ChatState, number][] = [];
          for (const steps of rounds) {
            const known = state;
            past.push([state, joined.seq]);
            await Promise.all(steps.map((next) => take(chatId, next, known)));
            const late = await server.connect(at(users, 0));
            const { snapshot, seq } = await late.subscribe(topic, { snapshot: true });
            late.close();
            const first = joined.seq + 1;
            for (let n = first; n <= seq; n += 1) {
              const event = await follower.next((frame) => frame.seq !== undefined);
              expect(event.seq).toBe(n);
              state = apply(state, { type: event.type, payload: event.payload });
            }
            joined.seq = seq;
            expect(state).toEqual(snapshot as ChatState); // as above
            expect(state.members.some(({ role }) => role === 'admin')).toBe(true);
          }
          follower.close();
          await expectLaw(chatId, past, state);
        },
      ),
      { seed, numRuns: 8, endOnFailure: true },
    );
  }, 60_000);
});

/** The nth, counted round and round. */
function at<Item>(items: readonly Item[], n: number): Item {
  const item = items[n % items.length];
  if (item === undefined) throw new Error('There is nothing to choose from.');
  return item;
}
