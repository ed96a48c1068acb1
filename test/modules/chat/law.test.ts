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
import { createGroup, eventsOf } from './setup.ts';
import { anyStep, at, type Step, take, tour, userCount } from './steps.ts';

const seed = Number(process.env.LAW_SEED ?? Math.floor(Math.random() * 2 ** 31));

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

  /** How much was said: nothing twice, so that it can be told what is gone. */
  let said = 0;
  async function takeStep(chatId: string, step: Step, state: ChatState): Promise<void> {
    said += 1;
    await take({ server, users, clients }, chatId, step, { state, content: `said ${said}.` });
  }
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
      fc.asyncProperty(fc.array(anyStep, { minLength: 10, maxLength: 40 }), async (steps) => {
        const chatId = await startChat();
        let state = await readState(server.db, chatId);
        let head = 1;
        const past: [ChatState, number][] = [];
        for (const next of steps) {
          past.push([state, head]);
          await takeStep(chatId, next, state);
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
        fc.array(fc.array(anyStep, { minLength: 2, maxLength: 12 }), { minLength: 1, maxLength: 4 }),
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
            await Promise.all(steps.map((next) => takeStep(chatId, next, known)));
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
