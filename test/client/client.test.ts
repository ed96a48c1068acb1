// The client on real servers: whatever breaks between them, a topic's listeners hear every event once and in order.

import { afterAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { Client, type ClientOptions, type Loss } from '../../src/client/client.ts';
import { Disconnected, Refused } from '../../src/client/refused.ts';
import type { Topic } from '../../src/client/topic.ts';
import type { ChatState } from '../../src/modules/chat/state.ts';
import { apply } from '../../src/modules/chat/state.ts';
import type { Api, TestUser } from '../support/api.ts';
import { findFreePort } from '../support/child.ts';
import { spawnServer } from '../support/process.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const backoff = { firstMs: 20, longestMs: 100 };
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Durable, over HTTP; answers its seq. */
async function publish(server: Api, user: TestUser, topic: string, data: unknown = null): Promise<number> {
  const { status, body } = await server.request('POST', `/v1/topics/${topic}/events`, {
    token: user.accessToken,
    body: { event: 'thing.happened', data, durable: true },
  });
  if (status !== 201 && status !== 200) throw new Error(`publish: ${status} ${JSON.stringify(body)}`);
  return body.events[0].seq;
}

/** What listeners of the topic heard. */
function listSeqs(topic: Topic): number[] {
  const seqs: number[] = [];
  topic.on('*', ({ seq }) => seq !== undefined && seqs.push(seq));
  return seqs;
}

onEachDatabase('the client', (open, database) => {
  const clients: Client[] = [];
  afterAll(() => {
    for (const client of clients) client.close();
  });
  const create = (url: string, user: TestUser, options: Partial<ClientOptions> = {}): Client => {
    const client = new Client({ url, getToken: () => user.accessToken, backoff, ...options });
    clients.push(client);
    return client;
  };
  const newTopic = () => `app:public.${crypto.randomUUID()}`;

  test('connects, keeps the state of a chat by its own apply, and waits for its own writes', async () => {
    const server = await open();
    const [ann, ben] = [await server.register('Ann'), await server.register('Ben')];
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [ben.id] },
    });
    const name = `chat:${chat.id}`;
    const client = create(server.url, ann);
    expect((await client.connect()).userId).toBe(ann.id);
    const topic = client.topic<ChatState>(name, { apply });
    await topic.joined;
    for (const content of ['one', 'two', 'three']) {
      const sent = await client.send(
        'message.send',
        { chatId: chat.id, content },
        { key: crypto.randomUUID() },
      );
      await topic.reach((sent as { seq: number }).seq);
    }
    expect(topic.state?.messages.slice(-3).map(({ content }) => content)).toEqual(['one', 'two', 'three']);
    const raw = await server.connect(ann);
    expect(topic.state).toEqual((await raw.subscribe(name, { snapshot: true })).snapshot as ChatState);
    await expect(client.send('message.send', { chatId: chat.id })).rejects.toMatchObject({ code: 'invalid' });
    topic.close();
    expect(await topic.ended).toBeInstanceOf(Disconnected);
  });

  test('resumes wherever it was cut, and misses, repeats and reorders nothing', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const proxy = await startTcpProxy(server.port);
    const losses: Loss[] = [];
    const client = create(proxy.url, ann, { onLost: (loss) => losses.push(loss) });
    const [name, other] = [newTopic(), newTopic()];
    const [topic, second] = [client.topic(name), client.topic(other)];
    const [seqs, otherSeqs] = [listSeqs(topic), listSeqs(second)];
    client.connect();
    await Promise.all([topic.joined, second.joined]);
    proxy.toClient.sliceBytes = 97;
    for (let round = 0; round < 8; round += 1) {
      proxy.toClient.bytesUntilCut = 1 + 613 * round;
      for (let count = 0; count < 12; count += 1) {
        await Promise.all([publish(server, ann, name), publish(server, ann, other)]);
      }
    }
    await Promise.all([topic.reach(96), second.reach(96)]);
    expect(seqs).toEqual(range(1, 96));
    expect(otherSeqs).toEqual(range(1, 96));
    expect(losses.filter(({ wasLive }) => wasLive).length).toBeGreaterThanOrEqual(4);
    client.close();
    await proxy.stop();
  });

  test('survives two restarts of the server', async () => {
    const port = findFreePort();
    const env = { ...(await database.create()), PORT: String(port) };
    let server = await open(env);
    const ann = await server.register('Ann');
    const client = create(server.url, ann);
    const name = newTopic();
    const topic = client.topic(name);
    const seqs = listSeqs(topic);
    await client.connect();
    await topic.joined;
    for (let restart = 0; restart < 2; restart += 1) {
      await topic.reach(await publish(server, ann, name));
      await server.stop();
      server = await open(env);
      await publish(server, ann, name); // likely before the client is back
    }
    await topic.reach(await publish(server, ann, name));
    expect(seqs).toEqual([1, 2, 3, 4, 5]);
    client.close();
  });

  test('[H4] renews its token in place, and takes another one where that could not be', async () => {
    const server = await open({ ACCESS_TOKEN_SECONDS: '2' });
    let ann = await server.register('Ann');
    const [reasons, losses]: [string[], number[]] = [[], []];
    let isRenewable = true;
    const client = create(server.url, ann, {
      async getToken(reason) {
        reasons.push(reason);
        if (reason === 'refused') ann = await server.login(ann);
        if (reason === 'expiring' && isRenewable) {
          const { body } = await server.request('POST', '/v1/auth/refresh', {
            body: { refreshToken: ann.refreshToken },
          });
          ann = { ...ann, accessToken: body.accessToken, refreshToken: body.refreshToken };
        }
        return reason === 'expiring' && !isRenewable ? undefined : ann.accessToken;
      },
      onLost: ({ code }) => losses.push(code),
    });
    const topic = client.topic(newTopic());
    const seqs = listSeqs(topic);
    await client.connect();
    await topic.joined;
    await until(() => reasons.filter((reason) => reason === 'expiring').length === 3, 'the third renewal');
    expect(losses).toEqual([]); // the first token is over by now
    isRenewable = false;
    await until(() => reasons.includes('refused') && client.state.name === 'connected', 'the next token');
    expect(losses).toEqual([4401]);
    await topic.reach(await publish(server, ann, topic.name));
    expect(seqs).toEqual([1]);
    client.close();
  });

  test('[C1] stays until a draining server sends it away, and resumes on the next', async () => {
    const env = { ...(await database.create()), PORT: String(findFreePort()), DRAIN_SECONDS: '1' };
    const first = await spawnServer(env);
    const ann = await first.register('Ann');
    const losses: Loss[] = [];
    const client = create(first.url, ann, { onLost: (loss) => losses.push(loss) });
    const topic = client.topic(newTopic());
    const seqs = listSeqs(topic);
    await client.connect();
    await topic.joined;
    const signalledAt = performance.now();
    first.kill('SIGTERM');
    const published = await client.send(
      'publish',
      { event: 'thing.happened', data: 1, durable: true },
      { topic: topic.name, key: crypto.randomUUID() },
    );
    expect(published).toMatchObject({ events: [{ seq: 1 }] });
    expect(await first.exited).toBe(0);
    expect(performance.now() - signalledAt).toBeGreaterThan(900);
    const second = await spawnServer(env);
    await topic.reach(await publish(second, ann, topic.name));
    expect(seqs).toEqual([1, 2]);
    expect(losses[0]).toMatchObject({ code: 1012, wasLive: true, isGivenUp: false });
    client.close();
    await second.stop();
  });

  test('[S4] starts over from a snapshot when the log is another one, and says so', async () => {
    const port = findFreePort();
    const env = { ...(await database.create()), PORT: String(port) };
    const server = await open(env);
    const ann = await server.register('Ann');
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'group', name: 'Book club', participantIds: [] },
    });
    const client = create(server.url, ann);
    const topic = client.topic<ChatState>(`chat:${chat.id}`, { apply });
    const resets: (true | undefined)[] = [];
    topic.onJoined(({ reset }) => resets.push(reset));
    await client.connect();
    await topic.joined;
    expect(topic.state?.chat.name).toBe('Book club');
    // As after a backup was restored, in which the chat had another name.
    await server.db.execute(sql`UPDATE event_log SET epoch = ${crypto.randomUUID()}`);
    await server.db.execute(sql`UPDATE chats SET name = 'Chess club' WHERE id = ${chat.id}`);
    await server.stop();
    await open(env);
    await until(() => resets.length === 2, 'joined again');
    expect(resets).toEqual([undefined, true]);
    expect(topic.state?.chat.name).toBe('Chess club');
    client.close();
  });

  test('[K1] a keyed command whose answer was lost is sent again, and has one effect', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const proxy = await startTcpProxy(server.port);
    const sent: (string | undefined)[] = [];
    const client = create(proxy.url, ann, {
      onSend: ({ type, key }) => type === 'publish' && sent.push(key),
    });
    const name = newTopic();
    await client.connect();
    proxy.toClient.isPaused = true;
    const payload = { event: 'thing.happened', data: 1, durable: true };
    const answer = client.send('publish', payload, { topic: name, key: 'k' });
    const unkeyed = client.send('publish', payload, { topic: newTopic() }).catch((error) => error);
    const path = `/v1/topics/${name}/events`;
    const readLog = async () => (await server.request('GET', path, { token: ann.accessToken })).body.items;
    await until(async () => (await readLog()).length === 1, 'the event');
    proxy.cut();
    proxy.toClient.isPaused = false;
    expect(await answer).toMatchObject({ events: [{ topic: name, seq: 1 }] });
    expect(await unkeyed).toBeInstanceOf(Disconnected);
    expect(sent).toEqual(['k', undefined, 'k']);
    expect(await readLog()).toHaveLength(1);
    client.close();
    await proxy.stop();
  });

  test('sends what was asked for before there was a server, in that order, behind its topics', async () => {
    const port = findFreePort();
    const env = { ...(await database.create()), PORT: String(port) };
    const before = await open(env);
    const ann = await before.register('Ann');
    await before.stop();
    const client = create(before.url, ann);
    const topic = client.topic(newTopic());
    const heard: unknown[] = [];
    topic.on('thing.happened', ({ payload }) => heard.push(payload));
    const commands = range(1, 5).map((data) =>
      client.send('publish', { event: 'thing.happened', data, durable: true }, { topic: topic.name }),
    );
    client.connect();
    await until(() => client.state.name === 'connecting' && client.state.attempt > 2, 'two attempts');
    await open(env);
    await Promise.all(commands);
    await topic.reach(5);
    expect(heard).toEqual([1, 2, 3, 4, 5]);
    client.close();
  });

  test('[H5] gives up when its session is revoked, and says why', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const client = create(server.url, ann);
    await client.connect();
    await server.request('POST', '/v1/auth/logout', { token: ann.accessToken });
    await until(() => client.state.name === 'error', 'the end');
    const error = client.state.name === 'error' ? client.state.error : undefined;
    expect(error).toBeInstanceOf(Refused);
    expect(error?.message).toBe('The session is over: logout.');
  });
});

test('the client gives up where nobody listens, after maxAttempts', async () => {
  const url = `http://127.0.0.1:${findFreePort()}`;
  const client = new Client({ url, getToken: () => 'a.b.c', backoff, maxAttempts: 3 });
  const error = await client.connect().catch((reason) => reason);
  expect(error).toBeInstanceOf(Disconnected);
  expect(client.state).toEqual({ name: 'error', error });
});
