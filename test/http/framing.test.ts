// Requests whose end two readers would see in different places (request smuggling), requests that never end, and frames
// that claim to be compressed. What is ambiguous is refused, and its connection is closed: nothing behind it is read.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestUser } from '../support/api.ts';
import { opcodes, openRawSocket } from '../support/raw-socket.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** What must not be taken for a request of its own. */
const hidden = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n';
const hiddenChunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
const length = `Content-Length: ${hidden.length}\r\n`;
const chunked = 'Transfer-Encoding: chunked\r\n';

/** Headers and body, as two readers may read them in two ways. */
const ambiguous: [name: string, headers: string, body: string][] = [
  ['a length beside chunks', `Content-Length: 5\r\n${chunked}`, `0\r\n\r\n${hidden}`],
  ['chunks beside a length', `${chunked}Content-Length: 4\r\n`, hiddenChunk],
  ['two lengths, the shorter first', `Content-Length: 0\r\n${length}`, hidden],
  ['two lengths, the longer first', `${length}Content-Length: 0\r\n`, hidden],
  ['two lengths in one header', `Content-Length: 0, ${hidden.length}\r\n`, hidden],
  ['a length with a sign', `Content-Length: +${hidden.length}\r\n`, hidden],
  ['a negative length', 'Content-Length: -1\r\n', hidden],
  ['a length beyond all numbers', 'Content-Length: 18446744073709551616\r\n', hidden],
  ['an unknown encoding', `Transfer-Encoding: xchunked\r\n${length}`, hidden],
  ['two encodings', `${chunked}Transfer-Encoding: identity\r\n`, `0\r\n\r\n${hidden}`],
  ['a space before the colon', `Transfer-Encoding : chunked\r\n${length}`, hidden],
  ['a folded header', `X: y\r\n ${length}Content-Length: 0\r\n`, hidden],
  ['a chunk of no size', chunked, `x\r\n${hidden}`],
  ['a chunk beyond all numbers', chunked, `ffffffffffffffffff\r\n${hidden}`],
];

onEachDatabase('framing', (open, { kind }) => {
  // Once is enough: no database has a part in it.
  if (kind !== 'embedded') return;
  let server: TestServer;
  let ann: TestUser;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
  });

  /** Writes the text to a connection of its own; `statuses` are those of all that was answered. */
  async function write(text: string) {
    const socket = connect(server.port, '127.0.0.1');
    sockets.push(socket);
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes;
    });
    socket.on('error', () => {}); // a close follows
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    socket.write(text);
    return {
      socket,
      closed,
      statuses: () => [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)),
    };
  }

  test.each(ambiguous)('[X] %s is invalid, and nothing behind it is read', async (_, headers, body) => {
    const login = 'POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
    const { closed, statuses } = await write(`${login}${headers}\r\n${body}`);
    await closed;
    expect(statuses()).toEqual([400]);
  });

  test.each([
    ['5,000 headers', `${'x: y\r\n'.repeat(5_000)}`],
    ['a Sec-WebSocket-Protocol of 400 KB', `Sec-WebSocket-Protocol: ${'a,'.repeat(200_000)}\r\n`],
  ])('[X] %s are too much for one head', async (_, headers) => {
    const { closed, statuses } = await write(`GET /ws HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
    await closed;
    expect(statuses()).toEqual([431]);
  });

  test('requests that stop in the middle keep nobody waiting, and are closed in time', async () => {
    const heads = 'POST /v1/auth/login HTTP/1.1\r\nHost: a\r\n';
    const halves = [
      heads,
      `${heads}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"email":`,
      `${heads}Content-Type: application/json\r\n${chunked}\r\n5\r\n{"em`,
    ];
    const slow = await Promise.all(
      Array.from({ length: 300 }, (_, index) => write(halves[index % halves.length] ?? '')),
    );
    let open = slow.length;
    for (const { closed } of slow) closed.then(() => (open -= 1));
    const startedAt = performance.now();
    const { status } = await server.request('GET', '/v1/users/me', { token: ann.accessToken });
    expect(status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await until(() => open === 0, 'all of them are closed', 40_000);
  }, 60_000);

  test('[E5] compression is not agreed to, and a frame that claims it breaks the connection', async () => {
    const raw = await openRawSocket(server.port, {
      token: ann.accessToken,
      headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
    });
    expect(raw.status).toBe(101);
    expect(raw.head.toLowerCase()).not.toContain('sec-websocket-extensions');
    await raw.next(({ type }) => type === 'welcome');
    raw.send('', opcodes.text | 0x40); // the bit that says so
    expect([1002, undefined]).toContain(await raw.closed);
  });
});
