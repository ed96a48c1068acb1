// How an instance goes away: a real process, ended by signals. [C1]

import { expect, test } from 'bun:test';
import { openClient, type TestClient } from '../support/client.ts';
import { spawnServer } from '../support/process.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { onEachDatabase } from '../support/server.ts';
import { createGroup, range } from './chat.ts';

onEachDatabase('drain', (open, database) => {
  test('[C1] on SIGTERM sends everyone away in slots with 1012, takes nobody new, and exits with 0', async () => {
    const server = await spawnServer({ ...(await database.create()), DRAIN_SECONDS: '2' });
    const ann = await server.register('Ann');
    const clients = await Promise.all(range(1, 4).map(() => server.connect(ann)));
    const signalledAt = performance.now();
    server.kill('SIGTERM');
    const notices = await Promise.all(clients.map((client) => client.next('draining')));
    await expect(openClient(`${server.url.replace('http', 'ws')}/ws`)).rejects.toThrow();
    // Served until their slots come.
    for (const client of clients) expect((await client.request('ping')).type).toBe('pong');
    const leave = async (client: TestClient, index: number) => {
      const { code } = await client.closed;
      const announcedMs = Number(notices[index]?.payload.reconnectInMs);
      return { code, announcedMs, tookMs: performance.now() - signalledAt };
    };
    const departures = await Promise.all(clients.map(leave));
    departures.sort((a, b) => a.announcedMs - b.announcedMs);
    expect(departures.map(({ announcedMs }) => announcedMs)).toEqual([500, 1_000, 1_500, 2_000]);
    for (const { code, announcedMs, tookMs } of departures) {
      expect(code).toBe(1012);
      expect(tookMs).toBeGreaterThanOrEqual(announcedMs - 20);
      expect(tookMs).toBeLessThan(announcedMs + 1_000);
    }
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalledAt).toBeLessThan(5_000);
  });

  test('[C1] finishes what it accepted before it closes', async () => {
    const env = await database.create();
    const server = await spawnServer({ ...env, DRAIN_SECONDS: '0' });
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const client = await server.connect(ann);
    const sends = range(1, 100).map((n) =>
      client.request('message.send', { chatId: chat.id, content: `${n}` }),
    );
    const settled = Promise.allSettled(sends);
    await sends[0];
    server.kill('SIGTERM');
    expect((await client.closed).code).toBe(1012);
    expect(await server.exited).toBe(0);
    const replies = (await settled).flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    expect(replies.map(({ type }) => type)).toEqual(replies.map(() => 'ok'));
    // All of it was on the server before the signal; the draining frame came among the replies.
    expect(replies.length).toBe(100);

    const next = await open(env);
    const path = `/v1/chats/${chat.id}/messages?after=1&limit=100`;
    const { body } = await next.request('GET', path, { token: ann.accessToken });
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual(replies.map(({ payload }) => payload.id));
  });

  test('[C1] does not wait for who asks for much and never reads it', async () => {
    const server = await spawnServer({ ...(await database.create()), DRAIN_SECONDS: '0' });
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const [big, small] = ['app:public.big', 'app:public.small'];
    const publish = { event: 'page.turned', data: 'x'.repeat(60_000), durable: true };
    for (const _ of range(1, 20)) {
      await Promise.all(range(1, 15).map(() => client.request('publish', publish, { topic: big })));
    }
    await client.subscribe(small);
    const stuck = await openRawSocket(server.port, { token: ann.accessToken });
    await stuck.next(({ type }) => type === 'welcome');
    stuck.stopReading();
    stuck.send(JSON.stringify({ type: 'subscribe', topic: big, payload: { since: 0 } }));
    // Until what it asks for no longer takes effect: it waits for the reader, then.
    const isServed = async () => {
      stuck.send(
        JSON.stringify({ type: 'publish', topic: small, payload: { event: 'page.asked', data: 1 } }),
      );
      return await client.next('page.asked', 1_000).then(
        () => true,
        () => false,
      );
    };
    while (await isServed());
    const signalledAt = performance.now();
    server.kill('SIGTERM');
    expect((await client.closed).code).toBe(1012);
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalledAt).toBeLessThan(10_000);
    stuck.destroy();
  }, 60_000);

  test('[C1] a second SIGTERM ends it at once', async () => {
    const server = await spawnServer({ ...(await database.create()), DRAIN_SECONDS: '60' });
    const client = await server.connect(await server.register('Ann'));
    server.kill('SIGTERM');
    expect((await client.next('draining')).payload.reconnectInMs).toBe(60_000);
    const secondAt = performance.now();
    server.kill('SIGTERM');
    expect(await server.exited).not.toBe(0); // what it had accepted may be unfinished
    expect(performance.now() - secondAt).toBeLessThan(2_000);
    await client.closed;
  });

  test('[C1] exits with 0 when there is nobody to send away, without waiting', async () => {
    const server = await spawnServer({ ...(await database.create()), DRAIN_SECONDS: '60' });
    await server.request('GET', '/health/live'); // its connection is kept open by the client
    const startedAt = performance.now();
    server.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test('[C1] drains on SIGINT too', async () => {
    const server = await spawnServer({ ...(await database.create()), DRAIN_SECONDS: '0' });
    const client = await server.connect(await server.register('Ann'));
    server.kill('SIGINT');
    expect((await client.next('draining')).payload).toEqual({ reconnectInMs: 0 });
    expect((await client.closed).code).toBe(1012);
    expect(await server.exited).toBe(0);
  });
});
