// What ends a stream, and what an end gives back: the place, the presence, the topic. [V3] [V4] [V6]

import { expect, test } from 'bun:test';
import { connect } from 'node:net';
import { signToken } from '../modules/topics/setup.ts';
import { createGroup, fillLog, range, removeMember } from '../protocol/chat.ts';
import { openStream, type StreamOptions } from '../support/event-stream.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const newTopic = () => `app:public.${crypto.randomUUID()}`;

onEachDatabase('the end of a stream', (open) => {
  const streamOf =
    (server: TestServer, token: string) =>
    (topic: string, options: StreamOptions = {}) =>
      openStream(server.url, topic, { token, ...options });
  const refusalOf = (opening: Promise<unknown>) => opening.catch((error: Error) => error.message);

  test('[V4] [S7] a removed member hears of the removal, then unsubscribed, then the end', async () => {
    const server = await open();
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const chat = await createGroup(server, ann, [bob]);
    const stream = streamOf(server, bob.accessToken);
    const reader = await stream(chat.topic);
    await reader.next('subscribed');
    await removeMember(server, chat, ann, bob);
    await fillLog(server.db, chat.topic, 1);
    expect(await reader.ended).toBe(true);
    expect(reader.frames.map(({ type }) => type)).toEqual([
      'subscribed',
      'message.created', // the system's word of it
      'member.left',
      'unsubscribed',
    ]);
    expect(reader.frames.at(-1)?.payload).toEqual({ reason: 'forbidden' });
    expect(await refusalOf(stream(chat.topic, { lastId: reader.lastId }))).toBe('403 forbidden');
    await until(() => !server.hub.topics().includes(chat.topic), 'the topic is served no longer');
  });

  test('[V4] [S7] a right that hangs on a campaign takes the streams below it along', async () => {
    const server = await open();
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const ask = async (method: string, path: string, body?: object) => {
      const answer = await server.request(method, `/v1${path}`, { token: ann.accessToken, body });
      expect([path, answer.status]).toEqual([path, method === 'POST' ? 201 : 200]);
      return answer.body;
    };
    const { id } = await ask('POST', '/campaigns', { name: 'x' });
    await ask('POST', `/campaigns/${id}/members`, { userId: bob.id, role: 'viewer' });
    const { id: kingdomId } = await ask('POST', `/campaigns/${id}/kingdoms`, { name: 'x' });
    const settlement = await ask('POST', `/kingdoms/${kingdomId}/settlements`, { name: 'x' });
    const topic = `settlement:${settlement.id}`;
    const stream = streamOf(server, bob.accessToken);
    const reader = await stream(topic, { query: '?snapshot=true' });
    expect((await reader.next('subscribed')).payload.snapshot).toBeDefined();
    const goneAt = performance.now();
    await ask('DELETE', `/campaigns/${id}/members/${bob.id}`);
    await ask('PATCH', `/settlements/${settlement.id}`, { version: settlement.version, level: 2 });
    expect(await reader.ended).toBe(true);
    expect(performance.now() - goneAt).toBeLessThan(1_500); // two requests, and a second
    expect(reader.frames.map(({ type }) => type)).toEqual(['subscribed', 'unsubscribed']);
    expect(await refusalOf(stream(topic))).toBe('403 forbidden');
  });

  test('[V4] [H5] an ended session ends its streams, and no others', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const other = await server.login(ann);
    const topic = newTopic();
    const [ended, kept] = [
      await streamOf(server, ann.accessToken)(topic),
      await streamOf(server, other.accessToken)(topic),
    ];
    await server.request('POST', '/v1/auth/logout', { token: ann.accessToken });
    expect(await ended.ended).toBe(true);
    expect(ended.comments).toEqual(['logout']);
    expect(await refusalOf(streamOf(server, ann.accessToken)(topic))).toBe('401 unauthorized');
    const body = { event: 'thing.happened', data: 1 };
    await server.request('POST', `/v1/topics/${topic}/events`, { token: other.accessToken, body });
    await kept.next('thing.happened');
    expect(ended.frames.map(({ type }) => type)).toEqual(['subscribed']);
    kept.close();
  });

  test('[V4] it ends with its token, and says so before', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const token = await signToken(ann, {}, 2);
    const reader = await streamOf(server, token)(newTopic());
    expect(await reader.ended).toBe(true);
    expect(reader.frames.map(({ type }) => type)).toEqual(['subscribed', 'auth.expiring', 'error']);
    expect(reader.frames.at(-1)?.error.code).toBe('unauthorized');
  });

  test('[V4] [S4] where the events have moved on it ends, and is resumed where it was', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const topic = newTopic();
    await fillLog(server.db, topic, 3);
    const reader = await streamOf(server, ann.accessToken)(topic, { query: '?since=1' });
    await reader.next(({ seq }) => seq === 3);
    server.hub.giveUp(new Set([topic])); // as when the log has lost events
    expect(await reader.ended).toBe(true);
    await fillLog(server.db, topic, 1);
    const back = await streamOf(server, ann.accessToken)(topic, { lastId: reader.lastId });
    await back.next(({ seq }) => seq === 4);
    expect([...reader.seqs, ...back.seqs]).toEqual([2, 3, 4]);
    back.close();
  });

  test('[V4] [C1] a drain announces the slot, serves until then, and ends the stream', async () => {
    const server = await open({ DRAIN_SECONDS: '1' });
    const ann = await server.register('Ann');
    const topic = newTopic();
    const stream = streamOf(server, ann.accessToken);
    const readers = [await stream(topic), await stream(topic)];
    const stopped = server.stop();
    const slots = await Promise.all(
      readers.map(async (reader) => (await reader.next('draining')).payload.reconnectInMs),
    );
    expect(slots.sort()).toEqual([1_000, 500]);
    for (const reader of readers) expect(await reader.ended).toBe(true);
    await stopped;
  });

  test('[V6] streams count as connections: of the user, of the address and of the instance', async () => {
    for (const [limit, refusal] of [
      ['MAX_CONNECTIONS_PER_USER', '429 rate_limited'],
      ['MAX_CONNECTIONS_PER_ADDRESS', '429 rate_limited'],
      ['MAX_CONNECTIONS', '503 unavailable'],
    ] as const) {
      const server = await open({ [limit]: '2' });
      const ann = await server.register('Ann');
      const stream = streamOf(server, ann.accessToken);
      const client = await server.connect(ann);
      const reader = await stream(newTopic());
      expect([limit, await refusalOf(stream(newTopic()))]).toEqual([limit, refusal]);
      reader.close();
      await until(async () => {
        const next = await stream(newTopic()).catch(() => undefined);
        return next !== undefined;
      }, 'there is room again');
      client.close();
    }
  });

  test('[V6] who reads is present, and a client that is gone gives everything back at once', async () => {
    const server = await open();
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const topic = newTopic();
    const watcher = await server.connect(bob);
    await watcher.subscribe(topic);
    const online = async () =>
      (await server.request('GET', `/v1/users/${ann.id}/presence`, { token: bob.accessToken })).body;
    const reader = await streamOf(server, ann.accessToken)(topic);
    expect((await watcher.next('presence.joined')).payload).toEqual({ userId: ann.id });
    expect(await online()).toMatchObject({ online: true, devices: 1 });
    const goneAt = performance.now();
    reader.close();
    await until(async () => (await online()).devices === 0, 'it is counted no longer', 1_000);
    const { users } = (await watcher.request('presence.list', undefined, { topic })).payload;
    expect(users).toEqual([{ userId: bob.id, devices: 1 }]);
    watcher.close();
    await until(() => server.hub.topics().length === 0, 'no topic is served', 1_000);
    expect(performance.now() - goneAt).toBeLessThan(2_000);
  });

  test('[V3] a reader that stops reading is ended, costs the server little, and comes back with nothing lost', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const topic = newTopic();
    const stuck = connect(server.port, '127.0.0.1');
    let received = '';
    const closed = Promise.withResolvers<void>();
    stuck.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
    });
    stuck.on('close', () => closed.resolve());
    stuck.write(
      `GET /v1/topics/${topic}/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ann.accessToken}\r\n\r\n`,
    );
    await until(() => received.includes('"subscribed"'), 'the stream has begun');
    stuck.pause();
    const reader = await streamOf(server, ann.accessToken)(topic);
    await reader.next('subscribed');
    const online = async () =>
      (await server.request('GET', `/v1/users/${ann.id}/presence`, { token: ann.accessToken })).body.devices;
    let sent = 0;
    while ((await online()) === 2) {
      if (sent > 600) throw new Error('The reader was never cut off.');
      const body = { event: 'thing.happened', data: 'x'.repeat(60_000), durable: true };
      for (const _ of range(1, 20)) {
        const { status } = await server.request('POST', `/v1/topics/${topic}/events`, {
          token: ann.accessToken,
          body,
        });
        expect(status).toBe(201);
      }
      sent += 20;
    }
    await reader.next(({ seq }) => seq === sent); // who reads has everything
    expect(reader.seqs).toEqual(range(1, sent));
    reader.close();

    // Whole messages, and an end: what follows is asked for.
    stuck.resume();
    await until(() => received.endsWith('0\r\n\r\n'), 'the answer has its end');
    const seen = [...received.matchAll(/id: (\d+)\n/g)].map(([, id]) => Number(id));
    expect(seen).toEqual(range(0, seen.length - 1));
    expect(sent - seen.length).toBeLessThan(60); // some 3.6 MB
    const back = await streamOf(server, ann.accessToken)(topic, { lastId: `${seen.at(-1)}` });
    await back.next(({ seq }) => seq === sent);
    expect(back.seqs).toEqual(range(seen.length, sent));
    back.close();
    stuck.destroy();
    await closed.promise;
  }, 60_000);
});
