// Pages of other origins: `ALLOWED_ORIGINS` says for the socket and for HTTP alike which of them may come. [H6]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Page } from 'playwright-core';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const listed = 'https://app.example';
const foreign = 'https://evil.test';

onEachDatabase('pages of other origins', (open) => {
  let openToAll: TestServer;
  let strict: TestServer;

  beforeAll(async () => {
    openToAll = await open();
    strict = await open({ ALLOWED_ORIGINS: `${listed},http://localhost:3000` });
  });

  const corsOf = (headers: Headers) =>
    [...headers.keys()].filter((name) => name.startsWith('access-control'));
  const preflight = (server: TestServer, path: string, origin: string, method = 'POST') =>
    server.request('OPTIONS', path, {
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': 'content-type',
      },
    });

  test('[H6] a preflight of a listed origin is told methods and headers, and of no credentials', async () => {
    const { status, headers, body } = await preflight(strict, '/v1/users/me', listed, 'PATCH');
    expect([status, body]).toEqual([204, '']);
    expect(headers.get('Access-Control-Allow-Origin')).toBe(listed);
    expect(headers.get('Access-Control-Allow-Methods')).toBe('DELETE, GET, HEAD, OPTIONS, PATCH');
    expect(headers.get('Access-Control-Allow-Headers')).toBe(
      'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Correlation-Id, X-Request-Id, Traceparent',
    );
    expect(Number(headers.get('Access-Control-Max-Age'))).toBeGreaterThan(0);
    expect(headers.get('Access-Control-Allow-Credentials')).toBeNull();
    expect(headers.get('Vary')).toBe('Origin');
  });

  test('[H6] a preflight for a path that is not there is not found, with a page that can read so', async () => {
    const { status, headers } = await preflight(strict, '/v1/nothing', listed);
    expect([status, headers.get('Access-Control-Allow-Origin')]).toEqual([404, listed]);
    expect(headers.get('Access-Control-Allow-Methods')).toBeNull();
  });

  /** What is answered, and what to ask for it: a result, and refusals from every place that makes some. */
  const requests = [
    [200, 'GET', '/health/live', {}],
    [200, 'GET', '/swagger/swagger-ui.css', {}],
    [401, 'GET', '/v1/users/me', {}],
    [400, 'POST', '/v1/auth/login', { body: {} }],
    [400, 'POST', '/v1/auth/login', { body: '{' }],
    [404, 'GET', '/v1/nothing', {}],
    [405, 'PUT', '/v1/users/me', {}],
    [405, 'POST', '/ws', {}],
    [400, 'GET', '/v1/users/me', { headers: { Host: '[x' } }],
  ] as const;

  test('[H6] every answer to a listed origin may be read by it, refusals too', async () => {
    for (const [status, method, path, options] of requests) {
      const own = 'headers' in options ? options.headers : {};
      const answer = await strict.request(method, path, { ...options, headers: { ...own, Origin: listed } });
      expect([path, answer.status]).toEqual([path, status]);
      expect([path, answer.headers.get('Access-Control-Allow-Origin')]).toEqual([path, listed]);
      expect([path, answer.headers.get('Access-Control-Expose-Headers')]).toEqual([
        path,
        'Retry-After, RateLimit, RateLimit-Policy, X-Request-Id',
      ]);
      expect([path, answer.headers.get('Vary')]).toEqual([path, 'Origin']);
    }
  });

  test('[H6] an origin that is not exactly a listed one gets none of the headers, but for Vary', async () => {
    const others = [
      foreign,
      'http://app.example',
      'https://app.example.evil.test',
      'https://app.example:8443',
      'null',
    ];
    for (const origin of others) {
      for (const [status, method, path, options] of requests) {
        const own = 'headers' in options ? options.headers : {};
        const { status: seen, headers } = await strict.request(method, path, {
          ...options,
          headers: { ...own, Origin: origin },
        });
        expect([origin, path, seen, corsOf(headers), headers.get('Vary')]).toEqual([
          origin,
          path,
          status,
          [],
          'Origin',
        ]);
      }
      const asked = await preflight(strict, '/v1/auth/login', origin);
      expect([origin, asked.status, corsOf(asked.headers)]).toEqual([origin, 204, []]);
    }
    // A cache must not give it to a page either.
    const { headers } = await strict.request('GET', '/swagger/swagger-ui.css');
    expect([corsOf(headers), headers.get('Vary')]).toEqual([[], 'Origin']);
  });

  test('[H6] where none are listed, pages of any origin may come, over HTTP as over the socket', async () => {
    for (const origin of [foreign, 'null']) {
      const asked = await preflight(openToAll, '/v1/auth/login', origin);
      expect([asked.status, asked.headers.get('Access-Control-Allow-Origin')]).toEqual([204, '*']);
      expect(asked.headers.get('Access-Control-Allow-Methods')).toBe('OPTIONS, POST');
      for (const [status, method, path, options] of requests) {
        const own = 'headers' in options ? options.headers : {};
        const answer = await openToAll.request(method, path, {
          ...options,
          headers: { ...own, Origin: origin },
        });
        expect([path, answer.status, answer.headers.get('Access-Control-Allow-Origin')]).toEqual([
          path,
          status,
          '*',
        ]);
      }
      const raw = await openRawSocket(openToAll.port, { headers: { Origin: origin } });
      expect(raw.status).toBe(101);
      raw.destroy();
    }
  });

  describeWith('in a browser', browserMissing, () => {
    let site: ReturnType<typeof Bun.serve>;
    let browser: Awaited<ReturnType<typeof launchBrowser>>;
    let server: TestServer;
    const pageAt = async (host: string): Promise<Page> => {
      const page = await browser.newPage();
      await page.goto(`http://${host}:${site.port}/`);
      return page;
    };

    beforeAll(async () => {
      site = Bun.serve({
        port: 0,
        hostname: '0.0.0.0',
        fetch: () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } }),
      });
      // The same page has two origins: one that is listed, and `localhost`, which is not.
      server = await open({
        ALLOWED_ORIGINS: `http://127.0.0.1:${site.port}`,
        RATE_LOGINS_PER_MINUTE: '1',
      });
      browser = await launchBrowser();
    });
    afterAll(async () => {
      await browser?.close();
      await site?.stop(true);
    });

    test('[H6] a page of a listed origin registers, acts, reads refusals, and opens the socket', async () => {
      const page = await pageAt('127.0.0.1');
      const seen = await page.evaluate(visit, server.url);
      expect(seen).toEqual({
        origin: `http://127.0.0.1:${site.port}`,
        registered: 201,
        renamed: [200, 'Dora'],
        unauthorized: [401, 'unauthorized'],
        missing: [404, 'not_found'],
        limited: [429, 'rate_limited', true],
        socket: 'welcome',
      });
      await page.close();
    });

    test('[H6] a page of any other origin can neither log in nor open the socket', async () => {
      const page = await pageAt('localhost');
      const seen = await page.evaluate(knock, server.url);
      expect(seen).toEqual({ login: 'TypeError', live: 'TypeError', socket: 1006 });
      await page.close();
    });

    test('[H6] where none are listed, a page of any origin does the same', async () => {
      const page = await pageAt('localhost');
      const seen = await page.evaluate(visit, openToAll.url);
      expect(seen).toMatchObject({ registered: 201, renamed: [200, 'Dora'], socket: 'welcome' });
      await page.close();
    });
  });
});

/** Runs in the page. */
async function visit(server: string) {
  const send = (path: string, body: unknown, token?: string, method = 'POST') =>
    fetch(`${server}${path}`, {
      method,
      headers: {
        'Content-Type': 'application/json',
        'X-Correlation-Id': 'page',
        'Idempotency-Key': crypto.randomUUID?.() ?? `${Math.random()}`,
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
  const refused = async (answer: Response) => [answer.status, (await answer.json()).error.code];
  const account = { email: `page-${Math.random()}@example.com`, password: 'correct horse battery' };
  const registering = await send('/v1/auth/register', { ...account, name: 'Cleo' });
  const { accessToken } = await registering.json();
  const renaming = await send('/v1/users/me', { name: 'Dora' }, accessToken, 'PATCH');
  await send('/v1/auth/login', account);
  const limited = await send('/v1/auth/login', account);
  const hasRetryAfter = Number(limited.headers.get('Retry-After')) > 0;
  const socket = new WebSocket(`${server.replace('http', 'ws')}/ws`, [
    'carillon.v1',
    `bearer.${accessToken}`,
  ]);
  const first = await new Promise<string>((resolve) => {
    socket.onmessage = ({ data }) => resolve(JSON.parse(data).type);
    socket.onclose = ({ code }) => resolve(`closed with ${code}`);
  });
  socket.close();
  return {
    origin: location.origin,
    registered: registering.status,
    renamed: [renaming.status, (await renaming.json()).name],
    unauthorized: await refused(await fetch(`${server}/v1/users/me`)),
    missing: await refused(await fetch(`${server}/v1/nothing`)),
    limited: [...(limited.ok ? [limited.status, ''] : await refused(limited)), hasRetryAfter],
    socket: first,
  };
}

/** Runs in the page. */
async function knock(server: string) {
  const nameOf = (promise: Promise<unknown>) => promise.then(String, (error: Error) => error.name);
  const login = fetch(`${server}/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email: 'ann@example.com', password: 'correct horse battery' }),
  });
  const socket = new WebSocket(`${server.replace('http', 'ws')}/ws`, ['carillon.v1']);
  const code = await new Promise<number>((resolve) => {
    socket.onclose = (event) => resolve(event.code);
  });
  return { login: await nameOf(login), live: await nameOf(fetch(`${server}/health/live`)), socket: code };
}
