// The life of an event, told to admins: from the log, and from what an instance remembers.

import { expect, test } from 'bun:test';
import { createGroup, fillLog, pruneLog, reach, sendMessage } from '../protocol/chat.ts';
import { describeWith } from '../support/needs.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { onEachDatabase } from '../support/server.ts';

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const asAdmin = { ADMIN_EMAILS: 'root@example.com' };
const nothingHere = {
  isRemembered: false,
  publishedAt: null,
  bridgedAt: null,
  receivedAt: null,
  deliveredAt: null,
  connections: 0,
  isHealed: false,
};

onEachDatabase('the life of an event', (open) => {
  test('is when and by whom it was committed, and to how many it was delivered here', async () => {
    const server = await open(asAdmin);
    const root = await server.register('Root', { email: 'root@example.com' });
    const [ann, ben] = [await server.register('Ann'), await server.register('Ben')];
    const chat = await createGroup(server, ann, [ben]);
    const clients = [
      await server.connect(ann),
      await server.connect(ben),
      await server.connect(ben),
    ] as const;
    for (const client of clients) await client.subscribe(chat.topic);
    const reply = await clients[0].request(
      'message.send',
      { chatId: chat.id, content: 'secret words' },
      { id: 'c-1' },
    );
    for (const client of clients) await reach(client, chat.topic, 2);

    const { status, body } = await server.request('GET', `/v1/admin/events/${chat.topic}/2`, {
      token: root.accessToken,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      topic: chat.topic,
      seq: 2,
      log: {
        id: expect.any(String),
        type: 'message.created',
        committedAt: instant,
        actorId: ann.id,
        source: 'ws',
        correlationId: 'c-1',
      },
      here: {
        ...nothingHere,
        instanceId: clients[0].welcome.instanceId,
        isRemembered: true,
        publishedAt: instant,
        deliveredAt: instant,
        connections: 3,
      },
    });
    expect(JSON.stringify(body)).not.toContain('secret words');
    expect(reply.payload.events).toEqual([{ topic: chat.topic, seq: 2 }]);

    const admin = await server.connect(root);
    const overSocket = await admin.request('admin.event.explain', { seq: '2' }, { topic: chat.topic });
    expect(overSocket.payload).toEqual(body);
  });

  test('says so where the log or this instance knows no more of it, or it never was', async () => {
    const server = await open(asAdmin);
    const root = await server.register('Root', { email: 'root@example.com' });
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    await sendMessage(await server.connect(ann), chat, 'one');
    await pruneLog(server.db, chat.topic, 1);
    const other = await open({ ...server.env, ...(await freshInstance(server)) });
    const explain = async (seq: number | string) =>
      other.request('GET', `/v1/admin/events/${chat.topic}/${seq}`, { token: root.accessToken });
    const pruned = await explain(1);
    expect(pruned.body).toMatchObject({ log: null, here: nothingHere });
    expect((await explain(2)).body).toMatchObject({ log: { actorId: ann.id }, here: nothingHere });
    expect((await explain(3)).status).toBe(404);
    for (const nonsense of ['0', '-1', 'two', '1.5']) expect((await explain(nonsense)).status).toBe(400);
    const refused = await other.request('GET', `/v1/admin/events/${chat.topic}/2`, {
      token: ann.accessToken,
    });
    expect(refused.status).toBe(403);
  });

  /** The embedded database belongs to one instance at a time. */
  async function freshInstance(server: { stop(): Promise<void>; env: Record<string, string> }) {
    await server.stop();
    return server.env;
  }

  test('tells what had to be read from the log', async () => {
    const server = await open(asAdmin);
    const root = await server.register('Root', { email: 'root@example.com' });
    const client = await server.connect(root);
    const topic = 'app:public.here';
    await client.subscribe(topic);
    await fillLog(server.db, topic, 1);
    await reach(client, topic, 1);
    const { payload } = await client.request('admin.event.explain', { seq: '1' }, { topic });
    expect(payload).toMatchObject({
      log: { source: 'system', actorId: null, correlationId: null },
      here: { ...nothingHere, isRemembered: true, deliveredAt: instant, connections: 1, isHealed: true },
    });
  });
});

describeWith('the life of an event on two instances', redisMissing, () => {
  onEachDatabase('over Redis', (open, database) => {
    if (database.kind === 'embedded') return; // one instance at a time
    test('is handed to the bridge on one, and received from it on the other', async () => {
      const redis = await startRedis();
      const one = await open({ ...asAdmin, REDIS_URL: redis.url });
      const two = await open({ ...one.env });
      const root = await one.register('Root', { email: 'root@example.com' });
      const topic = 'app:public.here';
      const [writer, reader] = [await one.connect(root), await two.connect(root)];
      await reader.subscribe(topic);
      await writer.request('publish', { event: 'some.thing', data: 1, durable: true }, { topic });
      await reach(reader, topic, 1);
      const there = await writer.request('admin.event.explain', { seq: '1' }, { topic });
      expect(there.payload.here).toEqual({
        ...nothingHere,
        instanceId: writer.welcome.instanceId,
        isRemembered: true,
        publishedAt: instant,
        bridgedAt: instant,
      });
      const here = await reader.request('admin.event.explain', { seq: '1' }, { topic });
      expect(here.payload.here).toEqual({
        ...nothingHere,
        instanceId: reader.welcome.instanceId,
        isRemembered: true,
        receivedAt: instant,
        deliveredAt: instant,
        connections: 1,
      });
      await Promise.all([one.stop(), two.stop()]);
      await redis.kill9();
    });
  });
});
