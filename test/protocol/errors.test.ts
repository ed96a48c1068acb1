// One table of errors for HTTP and the socket: the same refusal over WebSocket and HTTP, with the status of its code. [X]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { type ErrorCode, errorTable } from '../../src/protocol/errors.ts';
import type { Answer, TestUser } from '../support/api.ts';
import { type Frame, openClient, type TestClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { createGroup, sendMessage, type TestChat } from './chat.ts';

onEachDatabase('errors', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let chat: TestChat;
  let client: TestClient;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    chat = await createGroup(server, ann, [bob]);
    client = await server.connect(bob);
  });
  afterAll(() => client.close());

  const messagesPath = (chatId: string) => `/v1/chats/${chatId}/messages`;
  const post = (chatId: string, body: unknown, key?: string, through = server, user = bob): Promise<Answer> =>
    through.request('POST', messagesPath(chatId), {
      token: user.accessToken,
      body,
      headers: key === undefined ? {} : { 'Idempotency-Key': key },
    });

  /** Shape and status are the table's, and nothing else is said. */
  const expectRefusal = (answer: Answer, code: ErrorCode) => {
    expect(answer.status).toBe(errorTable[code].status);
    expect(Object.keys(answer.body)).toEqual(['error']);
    expect(answer.body.error.code).toBe(code);
    expect(answer.body.error.message).toBeString();
    const known = ['code', 'message', 'details', 'retryAfterMs'];
    expect(Object.keys(answer.body.error).filter((name) => !known.includes(name))).toEqual([]);
  };
  const expectBoth = (frame: Frame, answer: Answer, code: ErrorCode) => {
    expect(frame).toMatchObject({ type: 'error', error: { code } });
    expectRefusal(answer, code);
    expect(answer.body.error.message).toBe(frame.error.message);
  };

  test('[X] invalid: what does not fit its schema, unknown fields too, field by field', async () => {
    const wrong = [
      { content: 7 },
      { content: '' },
      {},
      { content: 'x', contnet: 'typo' },
      { content: 'x'.repeat(10_001) },
    ];
    for (const input of wrong) {
      const frame = await client.request('message.send', { chatId: chat.id, ...input });
      const answer = await post(chat.id, input);
      expect(frame.error.code).toBe('invalid');
      expectRefusal(answer, 'invalid');
      const pathsOf = ({ details }: { details: { path: string }[] }) =>
        details.map(({ path }) => path.split('/').at(-1));
      expect(pathsOf(answer.body.error)).toEqual(pathsOf(frame.error));
    }
  });

  test('[X] invalid: what is no JSON', async () => {
    for (const body of ['{"content":', 'no json', '']) expectRefusal(await post(chat.id, body), 'invalid');
    client.sendRaw('{"type":');
    expect((await client.next('error')).error.code).toBe('invalid');
  });

  test('[X] unauthorized: no, a bad or a revoked token', async () => {
    const gone = await server.login(bob);
    await server.request('POST', '/v1/auth/logout', { token: gone.accessToken });
    for (const token of [undefined, 'bad', gone.accessToken]) {
      const answer = await server.request('GET', '/v1/users/me', token === undefined ? {} : { token });
      expectRefusal(answer, 'unauthorized');
      expect(answer.headers.get('WWW-Authenticate')).toStartWith('Bearer');
      const own = await openClient(`${server.url.replace('http', 'ws')}/ws`);
      own.send({ id: 'a', type: 'auth', payload: { token: token ?? '' } });
      expect((await own.next('error')).error.code).toBe('unauthorized');
    }
  });

  test('[X] unauthorized: whatever the body is', async () => {
    const headers = { 'Content-Type': 'text/plain' };
    for (const options of [{ body: '{"content":' }, { body: { contnet: 1 } }, { body: 'x', headers }]) {
      expectRefusal(await server.request('POST', messagesPath(chat.id), options), 'unauthorized');
    }
  });

  test('[X] forbidden: what one may see, but not do', async () => {
    const anns = await server.connect(ann);
    const { payload } = await sendMessage(anns, chat, 'by Ann');
    const frame = await client.request('message.edit', { messageId: payload.id, content: 'by Bob' });
    const answer = await server.request('PATCH', `${messagesPath(chat.id)}/${payload.id}`, {
      token: bob.accessToken,
      body: { content: 'by Bob' },
    });
    expectBoth(frame, answer, 'forbidden');
    anns.close();
  });

  test('[X] not_found: the same for what is absent and for what is foreign', async () => {
    const foreign = await createGroup(server, ann);
    for (const chatId of [foreign.id, crypto.randomUUID()]) {
      const frame = await client.request('message.send', { chatId, content: 'x' });
      expectBoth(frame, await post(chatId, { content: 'x' }), 'not_found');
    }
    expectRefusal(await server.request('GET', '/v1/nothing', { token: bob.accessToken }), 'not_found');
    expectRefusal(await server.request('GET', '/nothing'), 'not_found');
  });

  test('[X] conflict: a key used with another body', async () => {
    const key = crypto.randomUUID();
    await client.request('message.send', { chatId: chat.id, content: 'one' }, { key });
    const frame = await client.request('message.send', { chatId: chat.id, content: 'two' }, { key });
    expectBoth(frame, await post(chat.id, { content: 'two' }, key), 'conflict');
  });

  test('[X] unknown_command and unknown_topic: 404 in the table, and only the socket knows them', async () => {
    expect((await client.request('nothing.like.this')).error.code).toBe('unknown_command');
    expect((await client.request('subscribe', {}, { topic: 'nothing:x' })).error.code).toBe('unknown_topic');
    expect([errorTable.unknown_command.status, errorTable.unknown_topic.status]).toEqual([404, 404]);
  });

  test('[X] too_large: a body over 1 MiB is 413, a frame over 64 KiB closes with 1009', async () => {
    expectRefusal(await post(chat.id, { content: 'x'.repeat(1_048_577) }), 'too_large');
    const own = await server.connect(bob);
    own.sendRaw(JSON.stringify({ type: 'ping' }).padEnd(65_536)); // exactly the limit
    await own.next('pong');
    own.sendRaw(JSON.stringify({ type: 'ping' }).padEnd(65_537));
    expect((await own.closed).code).toBe(1009);
    expect(own.frames.map(({ type }) => type)).toEqual(['welcome', 'pong']);
  });

  test('[X] too_many_subscriptions: one topic more than the limit', async () => {
    const small = await open({ MAX_SUBSCRIPTIONS: '1' });
    const user = await small.register('Cy');
    const own = await small.connect(user);
    await own.subscribe(`user:${user.id}`);
    const { topic } = await createGroup(small, user);
    expect((await own.request('subscribe', {}, { topic })).error.code).toBe('too_many_subscriptions');
    own.close();
  });

  test('[X] rate_limited: over HTTP and the socket, with the time to wait', async () => {
    const slow = await open({ RATE_MESSAGES_PER_MINUTE: '2' });
    const user = await slow.register('Dee');
    const group = await createGroup(slow, user);
    const own = await slow.connect(user);
    const input = { chatId: group.id, content: 'x' };
    expect((await own.request('message.send', input)).type).toBe('ok');
    expect((await post(group.id, { content: 'x' }, undefined, slow, user)).status).toBe(201);
    const frame = await own.request('message.send', input);
    const answer = await post(group.id, { content: 'x' }, undefined, slow, user);
    expectBoth(frame, answer, 'rate_limited');
    for (const { retryAfterMs } of [frame.error, answer.body.error]) {
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    }
    expect(Number(answer.headers.get('Retry-After'))).toBe(Math.ceil(answer.body.error.retryAfterMs / 1_000));
    own.close();
  });

  test('[X] internal: a bug is 500 over HTTP, and says nothing of its cause', async () => {
    const broken = await open();
    const user = await broken.register('Eve');
    const group = await createGroup(broken, user);
    const own = await broken.connect(user);
    await broken.db.execute(sql`ALTER TABLE messages RENAME TO not_here`);
    const frame = await own.request('message.send', { chatId: group.id, content: 'x' });
    const answer = await post(group.id, { content: 'x' }, undefined, broken, user);
    expectBoth(frame, answer, 'internal');
    for (const error of [frame.error, answer.body.error]) {
      expect(Object.keys(error)).toEqual(['code', 'message']);
      expect(error.message).not.toMatch(/messages|relation|sql|query|insert|\.ts|stack/i);
    }
    // Nothing was half done, and all is well once the bug is gone.
    await broken.db.execute(sql`ALTER TABLE not_here RENAME TO messages`);
    expect((await own.request('message.send', { chatId: group.id, content: 'x' })).payload.seq).toBe(2);
    own.close();
  });

  // The embedded database cannot be away.
  if (database.kind === 'postgres') {
    test('[X] unavailable: a database that is away, with the time to wait', async () => {
      const env = await database.create();
      const url = new URL(env.DATABASE_URL ?? '');
      const proxy = await startTcpProxy(Number(url.port));
      url.port = `${proxy.port}`;
      const remote = await open({ DATABASE_URL: url.href, DATABASE_POOL: '3' });
      const user = await remote.register('Fay');
      const group = await createGroup(remote, user);
      const own = await remote.connect(user);
      await proxy.stop();
      const frame = await own.request('message.send', { chatId: group.id, content: 'x' });
      const answer = await post(group.id, { content: 'x' }, undefined, remote, user);
      expectBoth(frame, answer, 'unavailable');
      expect(frame.error.retryAfterMs).toBeGreaterThan(0);
      expect(answer.headers.get('Retry-After')).toBe(`${Math.ceil(answer.body.error.retryAfterMs / 1_000)}`);
      expect((await own.request('ping')).type).toBe('pong');

      const refused = await openClient(`${remote.url.replace('http', 'ws')}/ws?token=${user.accessToken}`);
      expect((await refused.next('error')).error.code).toBe('unavailable');
      expect((await refused.closed).code).toBe(1013);
      own.close();
    });
  }

  test('[X] the table has a status for every code, and no other statuses than the contract says', () => {
    const statuses = Object.entries(errorTable).map(([code, { status }]) => `${code} ${status}`);
    expect(statuses).toEqual([
      'invalid 400',
      'unauthorized 401',
      'forbidden 403',
      'not_found 404',
      'unknown_command 404',
      'unknown_topic 404',
      'method_not_allowed 405',
      'conflict 409',
      'too_large 413',
      'too_many_subscriptions 429',
      'rate_limited 429',
      'unavailable 503',
      'internal 500',
    ]);
  });
});
