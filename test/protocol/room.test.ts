// How many connections there may be: in all, from one address, and with all descriptors of the process used up. [H7]

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { openRawSocket, type RawSocket } from '../support/raw-socket.ts';
import { onEachDatabase } from '../support/server.ts';
import { until } from '../support/until.ts';
import { range } from './chat.ts';

setDefaultTimeout(60_000);

const open = (port: number, count: number, headers: Record<string, string> = {}): Promise<RawSocket[]> =>
  Promise.all(range(1, count).map(() => openRawSocket(port, { headers })));

const refusalOf = ({ head, body }: RawSocket) => ({
  status: Number(head.split(' ')[1]),
  retryAfter: /^Retry-After: (\d+)$/im.exec(head)?.[1],
  error: JSON.parse(body).error,
});

onEachDatabase('room for connections', (openServer) => {
  test('[H7] as many as MAX_CONNECTIONS, with credentials or without; the next one is 503 until one goes', async () => {
    const server = await openServer({ MAX_CONNECTIONS: '3' });
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const [first, second] = await open(server.port, 2);
    const [third] = await open(server.port, 1);
    if (third === undefined) throw new Error('There is no third one.');
    expect(refusalOf(third)).toMatchObject({
      status: 503,
      retryAfter: '5',
      error: { code: 'unavailable', retryAfterMs: 5_000 },
    });
    expect(await third.closed).toBeUndefined(); // and does not keep its descriptor
    expect((await client.request('ping')).type).toBe('pong');
    expect((await server.request('GET', '/health/ready')).status).toBe(200);

    first?.destroy();
    await until(async () => {
      const [next] = await open(server.port, 1);
      return next?.status === 101;
    }, 'a place is free again');
    second?.destroy();
    client.close();
  });

  test('[H7] a request that is no upgrade, and one that is refused for another reason, takes no place', async () => {
    const server = await openServer({
      MAX_CONNECTIONS: '1',
      MAX_CONNECTIONS_PER_ADDRESS: '1',
      ALLOWED_ORIGINS: 'https://example.com',
    });
    for (const _ of range(1, 3)) {
      expect((await server.request('GET', '/ws')).status).toBe(400);
      const [foreign] = await open(server.port, 1, { Origin: 'https://elsewhere.example' });
      expect(foreign?.status).toBe(403);
    }
    const [welcome] = await open(server.port, 1);
    expect(welcome?.status).toBe(101);
    welcome?.destroy();
  });

  test('[H7] as many from one address as MAX_CONNECTIONS_PER_ADDRESS, by the address that TRUST_PROXY gives', async () => {
    const server = await openServer({ MAX_CONNECTIONS_PER_ADDRESS: '2', TRUST_PROXY: '1' });
    const from = (address: string, count: number) =>
      open(server.port, count, { 'X-Forwarded-For': `192.0.2.99, ${address}` });
    const own = await from('192.0.2.1', 2);
    expect(own.map(({ status }) => status)).toEqual([101, 101]);
    const [third] = await from('192.0.2.1', 1);
    if (third === undefined) throw new Error('There is no third one.');
    expect(refusalOf(third)).toMatchObject({
      status: 429,
      retryAfter: '5',
      error: { code: 'rate_limited', retryAfterMs: 5_000 },
    });
    const other = await from('192.0.2.2', 2);
    expect(other.map(({ status }) => status)).toEqual([101, 101]);
    for (const raw of [...own, ...other]) raw.destroy();
    await until(async () => {
      const [next] = await from('192.0.2.1', 1);
      return next?.status === 101;
    }, 'the address has a place again');
  });

  test('[H7] without a proxy that is trusted, what the client says of its address counts for nothing', async () => {
    const server = await openServer({ MAX_CONNECTIONS_PER_ADDRESS: '1' });
    const [first] = await open(server.port, 1, { 'X-Forwarded-For': '192.0.2.1' });
    const [second] = await open(server.port, 1, { 'X-Forwarded-For': '192.0.2.2' });
    expect([first?.status, second?.status]).toEqual([101, 429]);
    first?.destroy();
  });
});

const upgrade =
  'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** A plain connection that sends `text`, reads nothing, and is not in the way where it is refused. */
function openPlain(port: number, text: string): Socket {
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  socket.on('error', () => {});
  return socket;
}

onEachDatabase('floods of connections', (_, database) => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await spawnServer(await database.create());
  });
  afterAll(() => server.stop());

  const memoryOf = (pid: number) => {
    const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kibibytes) / 1_024;
  };

  test('10,000 connections without credentials: little memory, the others are served, and all are sent away', async () => {
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const before = memoryOf(server.pid);
    let opened = 0;
    let closed = 0;
    const all = range(1, 10_000).map(() => {
      const socket = openPlain(server.port, upgrade);
      socket.once('data', () => {
        opened += 1;
      });
      socket.on('data', () => {}); // read, or the end would never come
      socket.on('close', () => {
        closed += 1;
      });
      return socket;
    });
    await until(() => opened === all.length, 'all are open', 30_000);
    const grown = memoryOf(server.pid) - before;
    expect(closed).toBe(0);
    expect(grown).toBeLessThan(200); // MiB
    for (const _ of range(1, 10)) {
      const askedAt = performance.now();
      expect((await client.request('ping')).type).toBe('pong');
      expect((await server.request('GET', '/v1/users/me', { token: ann.accessToken })).status).toBe(200);
      expect(performance.now() - askedAt).toBeLessThan(500); // two answers
    }
    await until(() => closed === all.length, 'those that never said who they are are sent away', 30_000);
    expect((await client.request('ping')).type).toBe('pong');
    client.close();
  }, 90_000);
});

describe('a process whose descriptors are used up', () => {
  test.each([
    ['WebSockets', upgrade],
    ['connections that never ask for anything', ''],
  ])('by %s keeps its embedded database, says how it is, and recovers by itself', async (_, text) => {
    const folder = await createDataFolder();
    const server = await spawnServer({ DATA_DIR: folder, MAX_CONNECTIONS: '0' }, { descriptors: 256 });
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const chat = await client.request('ping');
    expect(chat.type).toBe('pong');

    const flood = range(1, 600).map(() => openPlain(server.port, text));
    await until(() => countDescriptors(server.pid) >= 250, 'all descriptors are in use');
    // Over the connection that is there: commands that write, and open files that were not open before.
    for (const number of range(1, 200)) {
      const topic = `app:public.flood.${number}`;
      const data = { text: 'x'.repeat(20_000) };
      const reply = await client.request('publish', { event: 'flood.said', data, durable: true }, { topic });
      expect(reply.type).toBe('ok');
    }
    for (const socket of flood) socket.destroy();
    await until(() => countDescriptors(server.pid) < 200, 'the descriptors are free again');

    expect(await server.request('GET', '/health/ready')).toMatchObject({
      status: 200,
      body: { database: 'up' },
    });
    const ben = await server.register('Ben');
    const chatted = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [ben.id] },
    });
    expect(chatted.status).toBe(201);
    client.close();
    await server.stop();
    expect(await server.exited).toBe(0);
    removeFolder(folder);
  });

  test('has room for fewer connections than that from the start, so that requests are served whatever comes', async () => {
    const folder = await createDataFolder();
    const server = await spawnServer({ DATA_DIR: folder }, { descriptors: 256 });
    const flood = await Promise.all(range(1, 100).map(() => openRawSocket(server.port)));
    const statuses = flood.map(({ status }) => status);
    expect(statuses.filter((status) => status === 101)).toHaveLength(32);
    expect(statuses.filter((status) => status === 503)).toHaveLength(68);
    expect((await server.request('GET', '/health/ready')).status).toBe(200);
    await server.register('Ann');
    for (const raw of flood) raw.destroy();
    await server.stop();
    removeFolder(folder);
  });
});

const countDescriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
