// What comes before any route has a say: hosts of all kinds, and bodies without end.

import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createDataFolder } from '../support/embedded.ts';
import { spawnServer } from '../support/process.ts';
import { rawRequest } from '../support/raw-request.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

onEachDatabase('before the routes', (open) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open();
  });

  const get = (path: string, host: string) =>
    rawRequest(server.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

  test.each(['a b', '[', '[x', '%zz', 'a:99999', '<>', ''])('[X] the host "%s" is invalid', async (host) => {
    for (const path of ['/ws', '/v1/users/me', '/health/live']) {
      const answer = await get(path, host);
      expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid' } } });
      expect(answer.body.error.message).toContain('Host');
    }
  });

  test('[X] so is none at all, in HTTP/1.0', async () => {
    const answer = await rawRequest(server.port, 'GET /ws HTTP/1.0\r\n\r\n');
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid' } } });
  });

  test.each(['a', 'ab', 'api', 'a.b', 'api:80', 'localhost', '[::1]:3000'])('%s is a host', async (host) => {
    expect(await get('/health/live', host)).toEqual({ status: 200, body: { status: 'ok' } });
    expect((await get('/v1/users/me', host)).status).toBe(401);
    expect((await get('/ws', host)).body.error.message).toContain('upgrade');
  });
});

setDefaultTimeout(20_000);

test('[X] a body without end is too large, announced or not, and is not kept', async () => {
  const server = await spawnServer({ DATA_DIR: await createDataFolder() });
  const total = 200 * 1_024 * 1_024;
  const piece = Buffer.alloc(65_536, 'x');
  const announce = (bytes: Buffer) =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
  const before = residentMiB(server.pid);
  for (const [framing, bytes] of [
    [`Content-Length: ${total}`, piece],
    ['Transfer-Encoding: chunked', announce(piece)],
  ] as const) {
    let hasAnswer = false;
    const sendAll = async (socket: Socket) => {
      socket.once('data', () => {
        hasAnswer = true;
      });
      // All of it, though the answer came long before: some clients listen only when they have said everything.
      for (let sent = 0; sent < total; sent += piece.length) {
        if (!socket.write(bytes)) await once(socket, 'drain');
      }
      expect(hasAnswer).toBe(true);
    };
    const head = `POST /v1/auth/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`;
    const answer = await rawRequest(server.port, head, sendAll);
    expect(answer).toMatchObject({ status: 413, body: { error: { code: 'too_large' } } });
  }
  expect(residentMiB(server.pid) - before).toBeLessThan(50);
  expect((await server.request('GET', '/health/live')).status).toBe(200);
  await server.stop();
});

test('a client that goes away in the middle of a body is no error of ours', async () => {
  const server = await spawnServer({ DATA_DIR: await createDataFolder() });
  for (const start of [
    'Content-Length: 1000\r\n\r\n{"a":',
    'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n',
  ]) {
    const head = `POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    const leave = async (socket: Socket) => void socket.end();
    await expect(rawRequest(server.port, head + start, leave)).rejects.toThrow(
      'Closed without a whole answer',
    );
  }
  await server.stop();
  expect(server.output).not.toContain('"level":50');
});

const residentMiB = (pid: number) =>
  Number(Bun.spawnSync(['ps', '-o', 'rss=', '-p', `${pid}`]).stdout.toString()) / 1_024;
