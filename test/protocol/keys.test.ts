// The same request with the same key has one effect and one answer, over HTTP and the socket. [K1]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Answer, TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { createGroup, range, readLog, type TestChat } from './chat.ts';

onEachDatabase('keys', (open, database) => {
  let server: TestServer;
  /** A second instance, where two can share a database. */
  let elsewhere: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let chat: TestChat;
  let client: TestClient;

  beforeAll(async () => {
    server = await open();
    elsewhere = database.kind === 'postgres' ? await open(server.env) : server;
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    chat = await createGroup(server, ann, [bob]);
    client = await server.connect(ann);
  });
  afterAll(() => client.close());

  const send = (content: string, key: string, through = client): Promise<Frame> =>
    through.request('message.send', { chatId: chat.id, content }, { key });
  const post = (content: string, key: string, through = server, user = ann): Promise<Answer> =>
    through.request('POST', `/v1/chats/${chat.id}/messages`, {
      token: user.accessToken,
      headers: { 'Idempotency-Key': key },
      body: { content },
    });
  const headOf = async () => (await readLog(server.db, chat.topic)).length;

  test('[K1] answers a repeated command with its first result, and does nothing again', async () => {
    const key = crypto.randomUUID();
    const first = await send('once', key);
    expect(first.type).toBe('ok');
    const head = await headOf();
    const again = await send('once', key);
    expect(again.payload).toEqual(first.payload);
    const overHttp = await post('once', key);
    const { events: _, ...message } = first.payload;
    expect(overHttp.body).toMatchObject(message);
    expect(await headOf()).toBe(head);
  });

  test('[K1] lets what races with one key happen once, over HTTP, the socket and two instances, with one answer', async () => {
    const other = await elsewhere.connect(ann);
    for (const round of range(1, 5)) {
      const key = crypto.randomUUID();
      const before = await headOf();
      const content = `racing ${round}`;
      const [frames, answers] = await Promise.all([
        Promise.all([send(content, key), send(content, key, other), send(content, key, other)]),
        Promise.all([post(content, key), post(content, key, elsewhere)]),
      ]);
      expect(frames.map(({ type }) => type)).toEqual(['ok', 'ok', 'ok']);
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      const ids = [...frames.map(({ payload }) => payload.id), ...answers.map(({ body }) => body.id)];
      expect(new Set(ids).size).toBe(1);
      expect(await headOf()).toBe(before + 1);
    }
    other.close();
  });

  test('[K1] creates one chat for one key', async () => {
    const create = (through: TestServer, name: string) =>
      through.request('POST', '/v1/chats', {
        token: ann.accessToken,
        headers: { 'Idempotency-Key': 'one chat' },
        body: { type: 'group', name, participantIds: [bob.id] },
      });
    const answers = await Promise.all(range(1, 4).map((n) => create(n % 2 ? server : elsewhere, 'One')));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    expect((await create(server, 'Another')).status).toBe(409);
  });

  test('[K1] adds one member for one key', async () => {
    const cid = await server.register('Cid');
    const add = (through: TestServer, userId: string) =>
      through.request('POST', `/v1/chats/${chat.id}/members`, {
        token: ann.accessToken,
        headers: { 'Idempotency-Key': 'one member' },
        body: { userId },
      });
    const head = await headOf();
    const answers = await Promise.all(range(1, 4).map((n) => add(n % 2 ? server : elsewhere, cid.id)));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(await headOf()).toBe(head + 2); // what the system says of it, and the event
    expect((await add(server, bob.id)).body.error.code).toBe('conflict');
  });

  test('[K1] refuses the same key with another body as conflict, over HTTP and the socket', async () => {
    const key = crypto.randomUUID();
    expect((await send('this', key)).type).toBe('ok');
    expect((await send('that', key)).error.code).toBe('conflict');
    const answer = await post('that', key);
    expect([answer.status, answer.body.error.code]).toEqual([409, 'conflict']);
    // One body in another order of its fields is the same body.
    const reordered = await client.request('message.send', { content: 'this', chatId: chat.id }, { key });
    expect(reordered.type).toBe('ok');
  });

  test('[K1] keeps the keys of users and of operations apart', async () => {
    const key = 'one chat'; // the key of a chat above
    const bobs = await server.connect(bob);
    const [anns, his] = [await send('whose?', key), await send('whose?', key, bobs)];
    expect([anns.type, his.type]).toEqual(['ok', 'ok']);
    expect(his.payload.id).not.toBe(anns.payload.id);
    bobs.close();
  });

  test('[K1] leaves the key of a refused request free', async () => {
    const key = crypto.randomUUID();
    const refused = await client.request(
      'message.send',
      { chatId: crypto.randomUUID(), content: 'x' },
      { key },
    );
    expect(refused.error.code).toBe('not_found');
    expect((await send('accepted', key)).type).toBe('ok');
  });

  test('[K1] forgets a key after 24 hours, and not before', async () => {
    const key = crypto.randomUUID();
    const age = (interval: string) =>
      server.db.execute(
        sql`UPDATE idempotency_keys SET created_at = now() - ${interval}::interval WHERE key = ${key}`,
      );
    const first = await send('aged', key);
    await age('23 hours 59 minutes');
    expect((await send('aged', key)).payload.id).toBe(first.payload.id);
    await age('24 hours 1 second');
    const anew = await send('aged', key);
    expect(anew.payload.id).not.toBe(first.payload.id);
    expect((await send('aged', key)).payload.id).toBe(anew.payload.id);
  });

  test('[K1] forgets a key after 24 hours over the limit, too: what it made is a new request then', async () => {
    const limited = await open({ RATE_MESSAGES_PER_MINUTE: '1', RATE_CHATS_PER_HOUR: '1' });
    const cid = await limited.register('Cid');
    const create = (key: string) =>
      limited.request('POST', '/v1/chats', {
        token: cid.accessToken,
        headers: { 'Idempotency-Key': key },
        body: { type: 'group', name: 'One', participantIds: [] },
      });
    const made = await create('the key');
    const sending = await limited.connect(cid);
    const sendOne = () =>
      sending.request('message.send', { chatId: made.body.id, content: 'once' }, { key: 'the key' });
    const first = await sendOne();
    expect([made.status, first.type]).toEqual([201, 'ok']);
    expect((await create('the key')).body).toEqual(made.body);
    expect((await sendOne()).payload).toEqual(first.payload);
    await limited.db.execute(
      sql`UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'`,
    );
    expect((await create('the key')).body.error.code).toBe('rate_limited');
    expect((await sendOne()).error.code).toBe('rate_limited');
    sending.close();
  });

  test('[K1] takes keys of 1 to 64 characters only, over HTTP and the socket', async () => {
    for (const key of ['k', 'k'.repeat(64)]) {
      expect((await send('short and long', key)).type).toBe('ok');
      expect((await post('short and long', key)).status).toBe(201);
    }
    expect((await send('too long', 'k'.repeat(65))).error.code).toBe('invalid');
    const answer = await post('too long', 'k'.repeat(65));
    expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid']);
  });

  test('[K1] without a key the same request twice is two requests', async () => {
    const head = await headOf();
    for (const _ of range(1, 2)) await client.request('message.send', { chatId: chat.id, content: 'twice' });
    expect(await headOf()).toBe(head + 2);
  });
});
