// What a path answers to methods that it has no route for.

import { beforeAll, describe, expect, test } from 'bun:test';
import { createMethodsOf } from '../../src/http/methods.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const anyId = '01a1fc21-22db-7278-9e50-2e027a1cdfb6';
const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'];

onEachDatabase('methods', (open) => {
  let server: TestServer;
  /** The methods of each path with an id in it, as the documentation has them. */
  const documented = new Map<string, Set<string>>();

  beforeAll(async () => {
    server = await open();
    const { body } = await server.request('GET', '/swagger/json');
    const routes = Object.entries<object>(body.paths).map(([path, operations]) => ({
      path: path.replace(/\{\w+\}/g, anyId),
      pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
      methods: Object.keys(operations).map((method) => method.toUpperCase()),
    }));
    // `/chats/unread` is `/chats/{chatId}` as well, and has the methods of both.
    for (const { path } of routes) {
      const its = routes.filter(({ pattern }) => pattern.test(path));
      documented.set(path, new Set(its.flatMap(({ methods }) => methods)));
    }
  });

  test('[X] a method that a known path has not is method_not_allowed, and Allow lists those it has', async () => {
    expect(documented.size).toBeGreaterThan(15);
    for (const [path, methods] of documented) {
      for (const method of others.filter((candidate) => !methods.has(candidate))) {
        const { status, headers, body } = await server.request(method, path);
        expect([method, path, status, body.error?.code]).toEqual([method, path, 405, 'method_not_allowed']);
        const allowed = new Set(headers.get('Allow')?.split(', '));
        expect([path, methods.isSubsetOf(allowed), allowed.has(method)]).toEqual([path, true, false]);
        expect([path, allowed.has('HEAD')]).toEqual([path, methods.has('GET')]);
      }
    }
  });

  test('[X] every method that a path has is answered otherwise, with a slash at the end too', async () => {
    for (const [path, methods] of documented) {
      for (const method of methods) {
        for (const asked of [path, `${path}/`]) {
          const { status } = await server.request(method, asked);
          expect([method, asked, [404, 405].includes(status)]).toEqual([method, asked, false]);
        }
      }
    }
  });

  test('[X] OPTIONS is answered with what a known path takes, and is not found elsewhere', async () => {
    const known = await server.request('OPTIONS', '/v1/users/me');
    expect([known.status, known.headers.get('Allow')]).toEqual([204, 'DELETE, GET, HEAD, OPTIONS, PATCH']);
    expect((await server.request('OPTIONS', '/swagger')).headers.get('Allow')).toBe('GET, HEAD, OPTIONS');
    const unknown = await server.request('OPTIONS', '/v1/nothing');
    expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
  });

  test('[X] HEAD is answered where GET is', async () => {
    const { status, headers } = await server.request('HEAD', '/health/live');
    expect([status, headers.get('Allow')]).toEqual([200, null]);
  });

  test('[X] the socket takes GET alone', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const answer = await server.request(method, '/ws');
      expect(answer).toMatchObject({ status: 405, body: { error: { code: 'method_not_allowed' } } });
      expect(answer.headers.get('Allow')).toContain('GET');
    }
    expect((await server.request('OPTIONS', '/ws')).status).toBe(204);
  });
});

describe('the methods of a path', () => {
  const methodsOf = createMethodsOf(() => [
    { method: 'GET', path: '/users/me' },
    { method: 'PATCH', path: '/users/me' },
    { method: 'GET', path: '/users/:id' },
    { method: 'DELETE', path: '/users/:id/keys/:key' },
    { method: 'GET', path: '/docs/' },
    { method: 'GET', path: '/start.js' },
  ]);

  test.each([
    ['/users/me', 'GET HEAD OPTIONS PATCH'],
    ['/users/you', 'GET HEAD OPTIONS'],
    ['/users/you/', 'GET HEAD OPTIONS'],
    ['/users/you/keys/a.b', 'DELETE OPTIONS'],
    ['/docs', 'GET HEAD OPTIONS'],
    ['/docs/', 'GET HEAD OPTIONS'],
    ['/users', ''],
    ['/users//keys/x', ''],
    ['/users/you/keys', ''],
    ['/x/users/me', ''],
    ['/startXjs', ''],
    ['', ''],
  ])('%s has: %s', (path, methods) => {
    expect(methodsOf(path).join(' ')).toBe(methods);
  });
});
