// A subscriber that stops reading is cut off before it costs the server much, hurts nobody else, and comes back with
// nothing lost. [O1] [S2] It speaks TCP by hand: a well-behaved client always reads.

import { expect, test } from 'bun:test';
import { openRawSocket } from '../support/raw-socket.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { createGroup, fillLog, pruneLog, range, reach, seqsOf } from './chat.ts';

/** 30 KB in UTF-8. */
const content = '水'.repeat(10_000);

/** What the server may have held for the reader when it gave it up. */
const maxGrowthBytes = 4 * 1_024 * 1_024;

onEachDatabase('slow reader', (open) => {
  test('[O1] a subscriber that stops reading is cut off, and resumes with nothing lost', async () => {
    const server = await open();
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const chat = await createGroup(server, ann, [bob]);
    const sender = await server.connect(ann);
    await sender.subscribe(chat.topic);
    const stuck = await openRawSocket(server.port, { token: bob.accessToken });
    stuck.send(JSON.stringify({ id: 's', type: 'subscribe', topic: chat.topic }));
    await stuck.next(({ id }) => id === 's');
    stuck.stopReading();
    const readBefore = stuck.receivedBytes;

    // Sent until the server no longer counts the reader among those present.
    const isPresent = async () => {
      const { payload } = await sender.request('presence.list', {}, { topic: chat.topic });
      return payload.users.some(({ userId }: { userId: string }) => userId === bob.id);
    };
    let sent = 0;
    while (await isPresent()) {
      if (sent > 2_000) throw new Error('The reader was never cut off.');
      const batch = range(1, 10).map(() => sender.request('message.send', { chatId: chat.id, content }));
      const replies = await Promise.all(batch);
      expect(replies.map(({ type }) => type)).toEqual(replies.map(() => 'ok'));
      sent += replies.length;
    }
    await reach(sender, chat.topic, 1 + sent); // who reads has everything
    const published = sender.frames
      .filter(({ seq }) => seq !== undefined)
      .reduce((bytes, frame) => bytes + Buffer.byteLength(JSON.stringify(frame)), 0);

    // What the kernels had taken still arrives; the rest was in the server, and went with the connection.
    stuck.resumeReading();
    expect(await stuck.closed).toBeUndefined();
    const taken = stuck.receivedBytes - readBefore;
    expect(published - taken).toBeLessThan(maxGrowthBytes);

    const seen = stuck.frames.filter(({ topic }) => topic === chat.topic).map(({ seq }) => seq);
    expect(seen).toEqual(range(2, 1 + seen.length));
    const back = await server.connect(bob);
    const position = 1 + seen.length;
    expect(await back.subscribe(chat.topic, { since: position })).toMatchObject({ seq: position });
    await reach(back, chat.topic, 1 + sent);
    expect(seqsOf(back, chat.topic)).toEqual(range(position + 1, 1 + sent));
    back.close();
    sender.close();
  }, 60_000);

  test('[S2] a reader that is merely slow is not cut off by all that it missed on many topics', async () => {
    const server = await open();
    const user = await server.register('Ann');
    const topics = range(1, 60).map((n) => `app:public.${crypto.randomUUID()}.${n}`);
    for (const topic of topics) await fillLog(server.db, topic, 3, 60_000);
    const proxy = await startTcpProxy(server.port);
    proxy.toClient.bytesPerSecond = 10_000_000;
    const slow = await server.connect(user, { url: proxy.url });
    const { payload } = await slow.request('subscribe', {
      topics: topics.map((topic) => ({ topic, since: 0 })),
    });
    expect(payload.results.map(({ replay }: { replay: number }) => replay)).toEqual(topics.map(() => 3));
    for (const topic of topics) await reach(slow, topic, 3);
    for (const topic of topics) expect(seqsOf(slow, topic)).toEqual([1, 2, 3]);
    slow.close();
    await proxy.stop();
  }, 60_000);

  test('[S4] a reader so slow that the log gives up what it has yet to be sent is told to come back', async () => {
    const server = await open();
    const user = await server.register('Ann');
    const topic = `app:public.${crypto.randomUUID()}`;
    await fillLog(server.db, topic, 1_000, 30_000);
    const proxy = await startTcpProxy(server.port);
    const slow = await server.connect(user, { url: proxy.url });
    proxy.toClient.isPaused = true;
    slow.send({ id: 's', type: 'subscribe', topic, payload: { since: 0 } });
    // So long as this takes, what fits into the buffers on the way is in them.
    const other = await server.connect(user);
    await other.subscribe(topic, { since: 0 });
    await reach(other, topic, 1_000);
    await pruneLog(server.db, topic, 1_000);
    proxy.toClient.isPaused = false;
    expect((await slow.closed).code).toBe(1012);
    const seen = seqsOf(slow, topic);
    expect(seen).toEqual(range(1, seen.length));
    const back = await server.connect(user);
    expect(await back.subscribe(topic, { since: seen.length })).toMatchObject({ reset: true, seq: 1_000 });
    other.close();
    back.close();
    await proxy.stop();
  }, 60_000);

  test('[S2] a reader that is merely slow is not cut off by a snapshot that it asked for', async () => {
    const server = await open();
    const [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const chat = await createGroup(server, ann, [bob]);
    const sender = await server.connect(ann);
    const send = (text: string) => sender.request('message.send', { chatId: chat.id, content: text });
    for (const _ of range(1, 50)) await send(content);
    const proxy = await startTcpProxy(server.port);
    const slow = await server.connect(bob, { url: proxy.url });
    proxy.toClient.isPaused = true;
    // Snapshots of 0.5 MB, together more than all buffers on the way take.
    const asked = range(1, 32).map(() =>
      slow.request('subscribe', { snapshot: true }, { topic: chat.topic }),
    );
    // Short ones: a reader that is behind on live events is cut off, and rightly. [O1]
    for (const _ of range(1, 80)) await send('短');
    proxy.toClient.isPaused = false;
    const last = (await Promise.all(asked)).at(-1);
    // The last snapshot may be of the end already: then nothing is to come behind it.
    if (last?.payload.seq < 131) await reach(slow, chat.topic, 131);
    const lastAt = slow.frames.findLastIndex(({ type }) => type === 'ok');
    const behind = slow.frames.slice(lastAt).flatMap(({ seq }) => seq ?? []);
    expect(behind).toEqual(range(last?.payload.seq + 1, 131));
    slow.close();
    sender.close();
    await proxy.stop();
  }, 60_000);
});
