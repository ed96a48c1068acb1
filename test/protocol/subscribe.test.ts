// Subscribing: the answer, the replay, the snapshot, the reset, and what is refused. [S1] to [S6]
// Over 400 lines: the six rules are one contract about one seq, and are told in its order on one shared group.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import { apply, type ChatState } from '../../src/modules/chat/state.ts';
import { readAudit } from '../auth/log.ts';
import type { TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import {
  createGroup,
  fillLog,
  pruneLog,
  range,
  reach,
  readLog,
  removeMember,
  sendMessage,
  seqsOf,
  type TestChat,
} from './chat.ts';

onEachDatabase('subscribe', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let stranger: TestUser;
  let sender: TestClient;
  let epoch: string;

  beforeAll(async () => {
    server = await open();
    [ann, bob, stranger] = [
      await server.register('Ann'),
      await server.register('Bob'),
      await server.register('Cy'),
    ];
    sender = await server.connect(ann);
    const rows = await queryRows<{ epoch: string }>(server.db, sql`SELECT epoch FROM event_log`);
    epoch = rows[0]?.epoch ?? '';
  });
  afterAll(() => sender.close());

  /** A group of Ann and Bob with that many messages behind its first event. */
  const createChat = async (messages: number): Promise<TestChat> => {
    const chat = await createGroup(server, ann, [bob]);
    for (const n of range(1, messages)) await sendMessage(sender, chat, `message ${n}`);
    return chat;
  };
  /** One more message, which must come as the next event and complete the seqs up to it. */
  const expectNext = async (client: TestClient, chat: TestChat, seqs: number[]) => {
    const content = `the next one ${crypto.randomUUID()}`;
    await sendMessage(sender, chat, content);
    await client.next((frame) => frame.payload?.content === content);
    expect(seqsOf(client, chat.topic)).toEqual(seqs);
  };

  test('[S1] subscribes to many topics with one frame, each answered on its own and in order', async () => {
    const [first, second] = [await createChat(2), await createChat(3)];
    const client = await server.connect(bob);
    const foreign = (await createGroup(server, stranger)).topic;
    const reply = await client.request('subscribe', {
      topics: [
        { topic: first.topic, since: 1 },
        { topic: foreign },
        { topic: 'nothing:like-this' },
        { topic: second.topic, snapshot: true },
        { topic: `user:${bob.id}`, snapshot: true },
      ],
    });
    expect(reply.type).toBe('ok');
    expect(reply.payload).toEqual({
      results: [
        { topic: first.topic, seq: 1, head: 3, epoch, replay: 2 },
        { topic: foreign, error: { code: 'forbidden', message: expect.any(String) } },
        { topic: 'nothing:like-this', error: { code: 'unknown_topic', message: expect.any(String) } },
        { topic: second.topic, seq: 4, head: 4, epoch, replay: 0, snapshot: expect.any(Object) },
        { topic: `user:${bob.id}`, error: { code: 'invalid', message: expect.any(String) } },
      ],
    });
    await expectNext(client, second, [5]);
    await expectNext(client, first, [2, 3, 4]);
    const okAt = client.frames.indexOf(reply);
    expect(client.frames.findIndex(({ seq }) => seq !== undefined)).toBeGreaterThan(okAt);
    client.close();
  });

  test('[S1] takes as many statements for 100 topics as for three', async () => {
    const own = (await createChat(0)).topic;
    const strangers = () => range(1, 97).map(() => `chat:${crypto.randomUUID()}`);
    const publicOnes = () => range(1, 97).map(() => `app:public.${crypto.randomUUID()}`);
    // Refusals are written down, ten a minute: let them be, first.
    const prober = await server.connect(bob);
    await prober.request('subscribe', { topics: strangers().map((topic) => ({ topic })) });
    await until(async () => (await readAudit(server.db, bob.id)).length >= 10, 'refusals written down');
    prober.close();
    for (const others of [strangers, publicOnes]) {
      for (const since of [undefined, 5]) {
        const client = await server.connect(bob);
        const count = async (names: string[]) => {
          const topics = names.map((topic) => ({ topic, ...(since && { since }) }));
          const statements = countStatements(server.db);
          expect((await client.request('subscribe', { topics })).type).toBe('ok');
          return statements();
        };
        const few = await count([own, ...others().slice(0, 2)]);
        expect(await count([own, ...others(), ...publicOnes().slice(0, 2)])).toBeLessThanOrEqual(few + 2);
        client.close();
      }
    }
  });

  test('[S1] takes each topic once', async () => {
    const chat = await createChat(3);
    const client = await server.connect(bob);
    const { payload } = await client.request('subscribe', {
      topics: [
        { topic: chat.topic, since: 1 },
        { topic: chat.topic, since: 2 },
      ],
    });
    expect(payload.results[0]).toMatchObject({ seq: 1, replay: 3 });
    expect(payload.results[1]).toEqual({
      topic: chat.topic,
      error: { code: 'invalid', message: expect.any(String) },
    });
    await expectNext(client, chat, [2, 3, 4, 5]);
    client.close();
  });

  test('[S1] answers with as many snapshots as one frame can hold, and the others can be asked for again', async () => {
    const chats = await Promise.all(range(1, 8).map(() => createChat(0)));
    for (const chat of chats) {
      const filler = 'x'.repeat(10_000);
      await Promise.all(range(1, 40).map(() => sendMessage(sender, chat, filler)));
    }
    const client = await server.connect(bob);
    const topics = chats.map(({ topic }) => ({ topic, snapshot: true }));
    const { payload } = await client.request('subscribe', { topics });
    const codes: (string | undefined)[] = payload.results.map(
      (result: { error?: { code: string } }) => result.error?.code,
    );
    // 400 KB each: the first one is more than half of what a snapshot may be.
    expect(codes).toEqual([undefined, ...range(1, 7).map(() => 'unavailable')]);
    expect(payload.results.at(-1).error.retryAfterMs).toBeNumber();
    expect((await client.subscribe(chats.at(-1)?.topic ?? '', { snapshot: true })).snapshot).toBeObject();
    client.close();
  });

  test('[S1] takes up to 100 topics at once, and either a topic or topics', async () => {
    const client = await server.connect(bob);
    const many = (count: number) => ({
      topics: range(1, count).map(() => ({ topic: `chat:${crypto.randomUUID()}` })),
    });
    const hundred = await client.request('subscribe', many(100));
    expect(hundred.payload.results.length).toBe(100);
    expect((await client.request('subscribe', many(101))).error.code).toBe('invalid');
    expect((await client.request('subscribe', many(0))).error.code).toBe('invalid');
    const topic = `user:${bob.id}`;
    expect((await client.request('subscribe', { topics: [{ topic }] }, { topic })).error.code).toBe(
      'invalid',
    );
    expect((await client.request('subscribe')).error.code).toBe('invalid');
    for (const payload of [
      { since: -1 },
      { since: 1.5 },
      { since: '1' },
      { epoch: 7 },
      { snapshot: 1 },
      { sicne: 1 },
    ]) {
      expect((await client.request('subscribe', payload, { topic })).error.code).toBe('invalid');
      const inList = await client.request('subscribe', { topics: [{ topic, ...payload }] });
      expect(inList.error.code).toBe('invalid');
    }
    client.close();
  });

  test('[S2] without since begins behind the head', async () => {
    const chat = await createChat(3);
    const client = await server.connect(bob);
    const subscribed = await client.subscribe(chat.topic);
    expect(subscribed).toEqual({ topic: chat.topic, seq: 4, head: 4, epoch, replay: 0 });
    await expectNext(client, chat, [5]);
    client.close();
  });

  test('[S2] with since replays what was missed behind the ok, then goes on live', async () => {
    const chat = await createChat(5);
    for (const since of range(0, 6)) {
      const client = await server.connect(bob);
      const reply = await client.request('subscribe', { since, epoch }, { topic: chat.topic });
      expect(reply.payload).toEqual({ topic: chat.topic, seq: since, head: 6, epoch, replay: 6 - since });
      if (since < 6) await reach(client, chat.topic, 6);
      await client.request('ping');
      expect(seqsOf(client, chat.topic)).toEqual(range(since + 1, 6));
      expect(client.frames[1]).toEqual(reply);
      client.terminate();
    }
    const client = await server.connect(bob);
    await client.subscribe(chat.topic, { since: 2 });
    await expectNext(client, chat, [3, 4, 5, 6, 7]);
    client.close();
  });

  test('[S2] replays frames exactly as they were when they were live', async () => {
    const chat = await createChat(0);
    const live = await server.connect(bob);
    const { seq } = await live.subscribe(chat.topic);
    await sendMessage(sender, chat, '“quotes” \\ \u2028 and 🎻');
    const event = await live.next('message.created');
    const replayed = await server.connect(ann);
    await replayed.subscribe(chat.topic, { since: seq });
    expect(await replayed.next('message.created')).toEqual(event);
    live.close();
    replayed.close();
  });

  test('[S2] has no gap and no repeat at the seam while others write', async () => {
    const chat = await createChat(0);
    await fillLog(server.db, chat.topic, 1_200);
    const writing = Promise.all(range(1, 60).map((n) => sendMessage(sender, chat, `live ${n}`)));
    const clients = await Promise.all(
      range(0, 9).map(async (n) => {
        const client = await server.connect(n % 2 === 0 ? ann : bob);
        const { seq } = await client.subscribe(chat.topic, { since: n * 130 });
        return { client, seq };
      }),
    );
    await writing;
    const head = (await readLog(server.db, chat.topic)).length;
    expect(head).toBe(1 + 1_200 + 60);
    for (const { client, seq } of clients) {
      await reach(client, chat.topic, head);
      expect(seqsOf(client, chat.topic)).toEqual(range(seq + 1, head));
      client.close();
    }
  });

  test('[S3] gives a snapshot as of seq; what follows leads on from it', async () => {
    const chat = await createChat(3);
    const client = await server.connect(bob);
    const before = await client.subscribe(chat.topic, { snapshot: true });
    expect(before).toEqual({
      topic: chat.topic,
      seq: 4,
      head: 4,
      epoch,
      replay: 0,
      snapshot: expect.any(Object),
    });
    await sendMessage(sender, chat, 'behind the snapshot');
    await sender.request('message.read', { chatId: chat.id, seq: 5 });
    const events: Frame[] = [await client.next('message.created'), await client.next('message.read')];
    const after = await client.subscribe(chat.topic, { snapshot: true });
    const state = events.reduce((was, event) => apply(was, asEvent(event)), before.snapshot as ChatState);
    expect(state).toEqual(after.snapshot as ChatState);
    client.close();
  });

  test('[S3] bounds a snapshot to what the welcome says: of a chat with long messages it holds the newest that fit', async () => {
    const client = await server.connect(bob);
    const welcome = client.frames.find(({ type }) => type === 'welcome');
    const { snapshotBytes } = welcome?.payload.limits ?? {};
    expect(snapshotBytes).toBe(524_288);
    const chat = await createChat(0);
    // Each character takes three bytes in UTF-8: thirty kilobytes a message.
    for (let n = 1; n <= 50; n += 1) await sendMessage(sender, chat, '€'.repeat(9_990) + n);
    const { snapshot } = await client.subscribe(chat.topic, { snapshot: true });
    const { messages } = snapshot as ChatState;
    const bytes = Buffer.byteLength(JSON.stringify(snapshot));
    expect(bytes).toBeLessThanOrEqual(snapshotBytes);
    expect(bytes).toBeGreaterThan(snapshotBytes - 31_000); // one more would not have fit
    expect(messages.map(({ seq }) => seq)).toEqual(range(52 - messages.length, 51));
    client.close();
  });

  test('[S3] begins at the head with a snapshot, whatever since says', async () => {
    const chat = await createChat(3);
    const client = await server.connect(bob);
    const subscribed = await client.subscribe(chat.topic, { since: 1, epoch, snapshot: true });
    expect(subscribed).toMatchObject({
      seq: 4,
      head: 4,
      replay: 0,
      snapshot: { messages: expect.any(Array) },
    });
    expect(subscribed).not.toHaveProperty('reset');
    await expectNext(client, chat, [5]);
    client.close();
  });

  test('[S3] refuses a snapshot where the kind has none, also to who may not follow', async () => {
    const client = await server.connect(bob);
    for (const topic of [`user:${bob.id}`, `user:${ann.id}`]) {
      expect((await client.request('subscribe', { snapshot: true }, { topic })).error.code).toBe('invalid');
    }
    client.close();
  });

  const expectReset = async (chat: TestChat, position: { since: number; epoch?: string }) => {
    const client = await server.connect(bob);
    const { head } = await sender.subscribe(chat.topic);
    await sender.request('unsubscribe', {}, { topic: chat.topic });
    const subscribed = await client.subscribe(chat.topic, position);
    expect(subscribed).toMatchObject({ reset: true, seq: head, head, epoch, replay: 0 });
    expect((subscribed.snapshot as ChatState).messages.at(-1)?.content).toBeString();
    await expectNext(client, chat, [head + 1]);
    client.close();
  };

  test('[S4] resets a position behind which the log was pruned, and none that it still reaches', async () => {
    const chat = await createChat(6);
    await pruneLog(server.db, chat.topic, 4);
    await expectReset(chat, { since: 3 });
    await expectReset(chat, { since: 0 });
    await pruneLog(server.db, chat.topic, 5); // the topic was served meanwhile, and is not any more
    await expectReset(chat, { since: 4, epoch });
    const client = await server.connect(bob);
    const { head } = await sender.subscribe(chat.topic);
    expect(await client.subscribe(chat.topic, { since: 5 })).toMatchObject({ seq: 5, replay: head - 5 });
    await client.next((frame) => frame.seq === head);
    expect(seqsOf(client, chat.topic)).toEqual(range(6, head));
    client.close();
  });

  test('[S4] resets when the whole log of a topic was pruned, and goes on behind the old head', async () => {
    const chat = await createChat(4);
    await pruneLog(server.db, chat.topic, 5);
    const client = await server.connect(bob);
    expect(await client.subscribe(chat.topic, { since: 5 })).toMatchObject({ seq: 5, head: 5, replay: 0 });
    client.close();
    await expectReset(chat, { since: 4 });
  });

  test('[S4] resets a position ahead of the head', async () => {
    const chat = await createChat(2);
    await expectReset(chat, { since: 4 });
    await expectReset(chat, { since: Number.MAX_SAFE_INTEGER, epoch });
  });

  test('[S4] resets a position from another epoch, even one that looks right', async () => {
    const chat = await createChat(2);
    await expectReset(chat, { since: 3, epoch: crypto.randomUUID() });
    await expectReset(chat, { since: 1, epoch: 'before the backup' });
  });

  test('[S4] resets without a snapshot where the kind has none', async () => {
    const client = await server.connect(bob);
    const topic = `user:${bob.id}`;
    const { head } = await client.subscribe(topic);
    const subscribed = await client.subscribe(topic, { since: head + 1 });
    expect(subscribed).toEqual({ topic, seq: head, head, epoch, replay: 0, reset: true });
    client.close();
  });

  test('[S5] answers alike for what is foreign and for what does not exist', async () => {
    const chat = await createChat(1);
    const client = await server.connect(stranger);
    const refusals = await Promise.all(
      [chat.topic, `chat:${crypto.randomUUID()}`, `user:${ann.id}`, `user:${crypto.randomUUID()}`].flatMap(
        (topic) =>
          [{}, { since: 0 }, { since: 99 }].map((payload) => client.request('subscribe', payload, { topic })),
      ),
    );
    expect(new Set(refusals.map(({ error }) => JSON.stringify(error))).size).toBe(1);
    expect(refusals[0]?.error.code).toBe('forbidden');
    const snapshots = await Promise.all(
      [chat.topic, `chat:${crypto.randomUUID()}`].map((topic) =>
        client.request('subscribe', { snapshot: true }, { topic }),
      ),
    );
    expect(snapshots.map(({ error }) => error)).toEqual([refusals[0]?.error, refusals[0]?.error]);
    await sendMessage(sender, chat, 'not for strangers');
    await client.request('ping');
    expect(seqsOf(client, chat.topic)).toEqual([]);
    client.close();
  });

  test('[S5] asks for the right again when somebody comes back after losing it', async () => {
    const chat = await createChat(3);
    await removeMember(server, chat, ann, bob);
    const client = await server.connect(bob);
    for (const payload of [{ since: 1 }, { snapshot: true }, {}]) {
      const { error } = await client.request('subscribe', payload, { topic: chat.topic });
      expect(error.code).toBe('forbidden');
    }
    client.close();
  });

  test('[S5] names unknown kinds and malformed topics', async () => {
    const client = await server.connect(bob);
    const id = crypto.randomUUID();
    const malformed = [
      '',
      'chat',
      'chat:',
      `chat:${id} `,
      `chat:${id.toUpperCase()}A`,
      `room:${id}`,
      `chat:${id}:jobs`,
      'x'.repeat(10_000),
    ];
    for (const topic of [...malformed, '__proto__:x', 'constructor', `chat:${id}\n`]) {
      expect((await client.request('subscribe', {}, { topic })).error.code).toBe('unknown_topic');
      expect((await client.request('subscribe', { topics: [{ topic }] })).payload.results[0].error.code).toBe(
        'unknown_topic',
      );
      expect((await client.request('unsubscribe', {}, { topic })).type).toBe('ok');
    }
    client.close();
  });

  test('[S5] bounds the subscriptions of a connection', async () => {
    const small = await open({ MAX_SUBSCRIPTIONS: '2' });
    const user = await small.register('Dee');
    const chats = [
      await createGroup(small, user),
      await createGroup(small, user),
      await createGroup(small, user),
    ];
    const topics = chats.map(({ topic }) => topic);
    const client = await small.connect(user);
    expect(client.welcome.limits.subscriptions).toBe(2);
    const reply = await client.request('subscribe', { topics: topics.map((topic) => ({ topic })) });
    expect(reply.payload.results[2].error.code).toBe('too_many_subscriptions');
    // What is followed already takes no further place; one that is given up makes room.
    expect((await client.request('subscribe', {}, { topic: topics[0] })).type).toBe('ok');
    expect((await client.request('subscribe', {}, { topic: topics[2] })).error.code).toBe(
      'too_many_subscriptions',
    );
    await client.request('unsubscribe', {}, { topic: topics[1] });
    expect((await client.request('subscribe', {}, { topic: topics[2] })).type).toBe('ok');
    client.close();
  });

  test('[S6] subscribing again starts over on the same connection, without doubling what is live', async () => {
    const chat = await createChat(3);
    const client = await server.connect(bob);
    await client.subscribe(chat.topic);
    await expectNext(client, chat, [5]);
    expect(await client.subscribe(chat.topic, { since: 3 })).toMatchObject({ seq: 3, head: 5, replay: 2 });
    await expectNext(client, chat, [5, 4, 5, 6]);
    expect(await client.subscribe(chat.topic)).toMatchObject({ seq: 6, replay: 0 });
    await expectNext(client, chat, [5, 4, 5, 6, 7]);
    client.close();
  });

  test('[S6] subscribing again ends what was before it, be it live or in the middle of a replay', async () => {
    const chat = await createChat(0);
    await fillLog(server.db, chat.topic, 2_000, 500);
    const client = await server.connect(bob);
    await client.subscribe(chat.topic);
    const writing = Promise.all(range(1, 60).map((n) => sendMessage(sender, chat, `live ${n}`)));
    const subscribing = [0, 1_900, 0, 1_990, 500, 0, 2_000, 1_000].map((since) =>
      client.request('subscribe', { since }, { topic: chat.topic }),
    );
    const oks = await Promise.all(subscribing);
    await writing;
    const head = (await readLog(server.db, chat.topic)).length;
    expect(head).toBe(2_061);
    await reach(client, chat.topic, head);
    await client.request('ping');
    for (const [index, ok] of oks.entries()) {
      const next = oks[index + 1];
      const until = next === undefined ? undefined : client.frames.indexOf(next);
      const seqs = client.frames.slice(client.frames.indexOf(ok), until).flatMap(({ seq }) => seq ?? []);
      expect(seqs).toEqual(range(ok.payload.seq + 1, ok.payload.seq + seqs.length));
    }
    client.close();
  });

  test('[S6] keeps the subscription when subscribing again is refused', async () => {
    const client = await server.connect(bob);
    const topic = `user:${bob.id}`;
    await client.subscribe(topic);
    expect((await client.request('subscribe', { snapshot: true }, { topic })).type).toBe('error');
    const chat = await createChat(0);
    expect((await client.next('chat.added')).payload.chatId).toBe(chat.id);
    client.close();
  });

  test('[S6] unsubscribe always answers ok, and nothing of the topic comes behind it', async () => {
    const chat = await createChat(1);
    const client = await server.connect(bob);
    for (const topic of [chat.topic, `chat:${crypto.randomUUID()}`, 'nothing:like-this']) {
      expect(await client.request('unsubscribe', {}, { topic })).toMatchObject({
        type: 'ok',
        payload: { topic },
      });
    }
    expect((await client.request('unsubscribe')).error.code).toBe('invalid');
    await client.subscribe(chat.topic);
    const writing = Promise.all(range(1, 20).map((n) => sendMessage(sender, chat, `${n}`)));
    await client.next((frame) => frame.seq !== undefined);
    const ok = await client.request('unsubscribe', {}, { topic: chat.topic });
    await writing;
    await client.request('ping');
    const behind = client.frames.slice(client.frames.indexOf(ok) + 1);
    expect(behind.filter(({ topic }) => topic === chat.topic)).toEqual([]);
    client.close();
  });
});

function asEvent({ type, payload }: Frame) {
  return { type, payload };
}

/** From now on, but for what fills in words behind messages; the answer reads the count, and ends it. */
function countStatements(db: Db): () => number {
  const { session } = db._;
  const original = session.prepareQuery;
  let count = 0;
  session.prepareQuery = new Proxy(original, {
    apply(target, self, given) {
      if (!given[0].sql.includes('chat_words')) count += 1;
      return Reflect.apply(target, self, given);
    },
  });
  return () => {
    session.prepareQuery = original;
    return count;
  };
}
