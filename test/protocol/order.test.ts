// The order of events, how an author finds its own among them, and what becomes of them later. [O1] to [O5]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import type { TestClient } from '../support/client.ts';
import { createLedger } from '../support/ledger.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { createGroup, range, reach, readLog, sendMessage, seqsOf } from './chat.ts';

const complete = { lost: 0, repeated: 0, reordered: 0, invented: 0 };

onEachDatabase('order', (open, database) => {
  let server: TestServer;
  /** A second instance, where two can share a database. */
  let elsewhere: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  const clients: TestClient[] = [];

  const connect = async (user: TestUser, through = server): Promise<TestClient> => {
    const client = await through.connect(user);
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    server = await open({ MAX_CONNECTIONS_PER_USER: '0' });
    elsewhere = database.kind === 'postgres' ? await open(server.env) : server;
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
  });
  afterAll(() => {
    for (const client of clients) client.close();
  });

  test('[O1] keeps the events of a topic consecutive while many write at once', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const writers = await Promise.all(
      range(1, 8).map((n) => connect(n % 2 ? ann : bob, n % 4 ? server : elsewhere)),
    );
    const readers = [await connect(ann), await connect(bob), await connect(ann, elsewhere)];
    for (const reader of readers) await reader.subscribe(chat.topic);
    await Promise.all(
      writers.flatMap((writer, index) => range(1, 25).map((n) => sendMessage(writer, chat, `${index}.${n}`))),
    );
    const log = await readLog(server.db, chat.topic);
    expect(log.length).toBe(1 + 8 * 25);
    for (const reader of readers) {
      await reach(reader, chat.topic, log.length);
      const events = reader.frames.filter(({ topic, seq }) => topic === chat.topic && seq !== undefined);
      expect(events.map(({ seq, type, id }) => ({ seq, type, id }))).toEqual(
        log.slice(1).map(({ seq, type, id }) => ({ seq, type, id })),
      );
      // Each writer's own messages come in the order in which it sent them.
      for (const index of writers.keys()) {
        const own = events.filter(({ payload }) => payload.content.startsWith(`${index}.`));
        expect(own.map(({ payload }) => payload.content)).toEqual(range(1, 25).map((n) => `${index}.${n}`));
      }
    }
  });

  test('[O1] keeps them consecutive for who is cut off and resumes while they are written', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const writer = await connect(ann);
    const ledger = createLedger();
    const writing = (async () => {
      for (const n of range(1, 120)) await sendMessage(writer, chat, `${n}`);
    })();
    for (const round of range(1, 8)) {
      const client = await server.connect(bob, { onFrame: ledger.record });
      await ledger.follow(client, chat.topic);
      await reach(client, chat.topic, (ledger.newest(chat.topic) ?? 0) + 1);
      if (round % 2) client.terminate();
      else client.close();
      await client.closed;
    }
    await writing;
    const last = await server.connect(bob, { onFrame: ledger.record });
    const { head } = await ledger.follow(last, chat.topic);
    if ((ledger.newest(chat.topic) ?? 0) < head) await reach(last, chat.topic, head);
    expect(await ledger.compare(server.db, chat.topic)).toMatchObject(complete);
    expect(head).toBe(121);
    last.close();
  });

  test('[O2] keeps each topic in order by itself when one connection follows many', async () => {
    const chats = await Promise.all(range(1, 5).map(() => createGroup(server, ann, [bob])));
    const reader = await connect(bob);
    for (const { topic } of chats) await reader.subscribe(topic);
    const writers = [await connect(ann), await connect(ann)];
    await Promise.all(
      writers.flatMap((writer) =>
        chats.flatMap((chat) => range(1, 10).map((n) => sendMessage(writer, chat, `${n}`))),
      ),
    );
    for (const { topic } of chats) {
      await reach(reader, topic, 21);
      expect(seqsOf(reader, topic)).toEqual(range(2, 21));
    }
  });

  test('[O3] sends authors their own events, and tells in the reply where these are', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const [author, other] = [await connect(ann), await connect(ann)];
    await author.subscribe(chat.topic);
    await other.subscribe(chat.topic);
    const reply = await author.request('message.send', { chatId: chat.id, content: 'mine' });
    expect(reply.payload).toMatchObject({ content: 'mine', events: [{ topic: chat.topic, seq: 2 }] });
    await reach(author, chat.topic, 2);
    const edited = await author.request('message.edit', {
      messageId: reply.payload.id,
      content: 'still mine',
    });
    expect(edited.payload).toMatchObject({ id: reply.payload.id, events: [{ topic: chat.topic, seq: 3 }] });
    const read = await author.request('message.read', { chatId: chat.id, seq: 3 });
    expect(read.payload.events).toEqual([{ topic: chat.topic, seq: 4 }]);
    // What changed nothing wrote nothing.
    const again = await author.request('message.read', { chatId: chat.id, seq: 2 });
    expect(again.payload.events).toEqual([]);
    for (const client of [author, other]) {
      await reach(client, chat.topic, 4);
      expect(seqsOf(client, chat.topic)).toEqual([2, 3, 4]);
    }
  });

  test('[O4] sends the same frames on every instance', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const [here, there] = [await connect(bob), await connect(bob, elsewhere)];
    for (const client of [here, there]) await client.subscribe(chat.topic);
    const writers = [await connect(ann), await connect(ann, elsewhere)];
    for (const writer of writers) await sendMessage(writer, chat, 'to both');
    for (const client of [here, there]) await reach(client, chat.topic, 3);
    const eventsOf = (client: TestClient) => client.frames.filter(({ seq }) => seq !== undefined);
    expect(eventsOf(there)).toEqual(eventsOf(here));
    const refusals = await Promise.all(
      [here, there].map((client) => client.request('message.send', { chatId: chat.id }, { id: 'same' })),
    );
    expect(refusals[1]).toEqual(refusals[0]);
    const answers = await Promise.all(
      [here, there].map((client) => client.request('subscribe', { snapshot: true }, { topic: chat.topic })),
    );
    expect(answers[1]?.payload).toEqual(answers[0]?.payload);
  });

  test('[O5] shows what is gone to nobody who comes later, on any instance, and everything else as it was', async () => {
    const chat = await createGroup(server, ann, [bob]);
    const writer = await connect(ann);
    const live = await connect(bob, elsewhere);
    await live.subscribe(chat.topic);
    const change = (type: string, messageId: string, content?: string) =>
      writer.request(type, content === undefined ? { messageId } : { messageId, content });
    const edited = (await sendMessage(writer, chat, 'gone 1')).payload;
    const deleted = (await sendMessage(writer, chat, 'gone 2')).payload;
    await change('message.edit', edited.id, 'gone 3');
    await change('message.edit', edited.id, 'present');
    await change('message.delete', deleted.id);
    await reach(live, chat.topic, 6);
    const eventsOf = (client: TestClient) => client.frames.filter(({ seq }) => seq !== undefined);
    for (const through of [server, elsewhere]) {
      const late = await connect(bob, through);
      await late.subscribe(chat.topic, { since: 1 });
      await reach(late, chat.topic, 6);
      const withoutPayload = eventsOf(live).map(({ payload: _, ...frame }) => frame);
      expect(eventsOf(late).map(({ payload: _, ...frame }) => frame)).toEqual(withoutPayload);
      const said = eventsOf(late).map(({ type, payload }) => [type, payload.id, payload.content]);
      expect(said).toEqual([
        ['message.created', edited.id, 'present'],
        ['message.created', deleted.id, null],
        ['message.edited', edited.id, null],
        ['message.edited', edited.id, 'present'],
        ['message.deleted', deleted.id, null],
      ]);
    }
  });
});
