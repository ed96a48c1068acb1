// Requests that are made to be understood in two ways (RFC 9112, section 11), to be too much, or never to end. What cannot be
// told for certain is refused, and the connection with it.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { connect } from 'node:net';
import { patienceMs, standBy } from '../support/bystander.ts';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { rawExchange } from '../support/raw-request.ts';

setDefaultTimeout(30_000);

// The database has no part in any of this.
let folder: string;
let server: ServerProcess;
beforeAll(async () => {
  folder = await createDataFolder();
  server = await spawnServer({ DATA_DIR: folder });
});
afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

describe('a request that can be understood in two ways', () => {
  const post = 'POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
  const hidden = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n';

  const smuggled: [what: string, request: string][] = [
    ['a length and chunks', `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['chunks and a length', `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
    ['two lengths', `${post}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}`],
    ['a list of lengths', `${post}Content-Length: 2, 40\r\n\r\n{}`],
    ['a length with a sign', `${post}Content-Length: +2\r\n\r\n{}`],
    ['a length below zero', `${post}Content-Length: -2\r\n\r\n{}`],
    ['a length in hexadecimal', `${post}Content-Length: 0x2\r\n\r\n{}`],
    ['a length in two words', `${post}Content-Length: 2 2\r\n\r\n{}`],
    ['a length beyond 64 bits', `${post}Content-Length: 18446744073709551618\r\n\r\n{}`],
    ['a folded line', `${post}X-A: b\r\n Content-Length: 40\r\nContent-Length: 2\r\n\r\n{}`],
    ['a folded value', `${post}Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${post}Content-Length : 2\r\n\r\n{}`],
    ['no name before the colon', `${post}: 2\r\nContent-Length: 2\r\n\r\n{}`],
    ['another coding', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['a coding behind chunks', `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['two codings', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
    ['a vertical tab before the coding', `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
    ['chunks in HTTP/1.0', `${post.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a chunk of no size', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`],
    [
      'a chunk beyond 64 bits',
      `${post}Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n`,
    ],
    ['a chunk without an end', `${post}Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n`],
    ['a bare line feed behind a size', `${post}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`],
    ['a NUL in a header', `${post}X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}`],
    [
      'a bare carriage return in a header',
      `${post}X-A: a\rContent-Length: 40\r\nContent-Length: 2\r\n\r\n{}`,
    ],
  ];
  test.each(smuggled)('is refused, and what follows is not read: %s', async (_, request) => {
    expect(await rawExchange(server.port, request + hidden)).toEqual([400]);
  });

  test('is refused where lines end with bare line feeds, or name no version', async () => {
    const bare = `${post}Content-Length: 2\r\n\r\n`.replaceAll('\r', '');
    for (const request of [`${bare}{}`, 'GET /health/live\r\n\r\n']) {
      expect(await rawExchange(server.port, request + hidden)).toEqual([505]);
    }
  });

  const plain: [what: string, request: string, statuses: number[]][] = [
    ['the same length twice', `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`, [400, 200]],
    [
      'chunks with extensions',
      `${post}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n`,
      [400, 200],
    ],
    ['a tab before the coding', `${post}Transfer-Encoding:\tchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, [400, 200]],
    [
      'a body where none is wanted',
      `GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}`,
      [200, 200],
    ],
  ];
  test.each(plain)('is not each that is odd: %s', async (_, request, statuses) => {
    // The first 400 is the route's own: {} is no login.
    expect(await rawExchange(server.port, request + hidden, statuses.length)).toEqual(statuses);
  });

  test('hides nothing in its body', async () => {
    const head = `GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${hidden.length}\r\n\r\n`;
    expect(await rawExchange(server.port, head + hidden)).toEqual([200]);
  });
});

describe('a request that is too much', () => {
  const get = 'GET /health/live HTTP/1.1\r\nHost: a\r\n';
  test.each([
    [
      'thousands of headers',
      `${get}${Array.from({ length: 5_000 }, (_, n) => `X-${n}: 1\r\n`).join('')}\r\n`,
    ],
    ['a giant header', `${get}X: ${'x'.repeat(100_000)}\r\n\r\n`],
    ['a giant URL', `GET /health/live?${'x'.repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['headers without end', `${get}${'X-More: of the same\r\n'.repeat(50_000)}`],
  ])('is refused: %s', async (_, request) => {
    const bystander = await standBy(server, await server.register('Ann'));
    for (let n = 0; n < 50; n += 1) expect(await rawExchange(server.port, request)).toEqual([431]);
    expect(await bystander.leave()).toBeLessThan(patienceMs);
  });
});

test('requests that never end are cut off within 15 s, drop by drop or silent, and others are served', async () => {
  const ann = await server.register('Ann');
  const bystander = await standBy(server, ann);
  const head = 'POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
  const slow: [start: string, drop: string][] = [
    ['', ''],
    [head, ''],
    [head, 'X-More: of the same\r\n'],
    [`${head}X-More: `, 'x'],
    [`${head}Content-Length: 1000\r\n\r\n`, ''],
    [`${head}Content-Length: 1000\r\n\r\n`, ' '],
    [`${head}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
  ];
  const endless = slow.flatMap((each) => Array.from({ length: 50 }, () => each));
  const startedAt = performance.now();
  const durations = await Promise.all(
    endless.map(async ([start, drop]) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {}); // a close follows
      socket.resume();
      socket.write(start);
      const dripping = setInterval(() => socket.write(drop), 1_000);
      await new Promise((resolve) => socket.once('close', resolve));
      clearInterval(dripping);
      return performance.now() - startedAt;
    }),
  );
  expect(Math.max(...durations)).toBeLessThan(15_000);
  expect(await bystander.leave()).toBeLessThan(patienceMs);
  expect((await server.request('GET', '/health/live')).status).toBe(200);
});
