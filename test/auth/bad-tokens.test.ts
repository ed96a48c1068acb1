// Tokens that are none of ours, or no longer: tried on every route that the OpenAPI document lists, so a new one is tried
// without anyone remembering it, and in every place in which the socket takes one.

import { beforeAll, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { base64url, SignJWT, UnsecuredJWT } from 'jose';
import { queryRows } from '../../src/db/database.ts';
import { pollsModule } from '../modules/polls/index.ts';
import { createPollTables } from '../modules/polls/tables.ts';
import type { TestUser } from '../support/api.ts';
import { commandsOf } from '../support/asyncapi.ts';
import { openClient } from '../support/client.ts';
import { onEachDatabase, quietEnv, type TestServer } from '../support/server.ts';

interface Route {
  readonly method: string;
  readonly path: string;
}

/** Whoever adds a route that needs no token says so here. */
const publicRoutes = [
  'GET /health/live',
  'GET /health/ready',
  'POST /v1/auth/login',
  'POST /v1/auth/refresh',
  'POST /v1/auth/register',
];

const secret = new TextEncoder().encode(quietEnv.JWT_SECRET);
const foreignSecret = new TextEncoder().encode('the secret of another deployment, long enough');

onEachDatabase('bad tokens', (open) => {
  let server: TestServer;
  /** An admin, so that no right is missing but the token's. */
  let root: TestUser;
  let routes: readonly Route[];
  let guarded: readonly Route[];
  /** By what is wrong with each. */
  let bad: Record<string, string>;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'root@example.com' }, [pollsModule]);
    await createPollTables(server.db);
    root = await server.register('Root', { email: 'root@example.com' });
    const { body } = await server.request('GET', '/swagger/json');
    routes = Object.entries<object>(body.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => ({ method: method.toUpperCase(), path })),
    );
    guarded = routes.filter(({ method, path }) => !publicRoutes.includes(`${method} ${path}`));
    bad = await makeBadTokens();
  });

  const claimsOf = (user: TestUser, changes: Record<string, unknown> = {}) => {
    const now = Math.floor(Date.now() / 1000);
    const standard = { sub: user.id, sid: user.sessionId, role: 'admin', iss: 'carillon', aud: 'carillon' };
    return { ...standard, iat: now - 120, exp: now + 600, ...changes };
  };
  const sign = (changes: Record<string, unknown> = {}, key = secret, alg = 'HS256') =>
    new SignJWT(claimsOf(root, changes)).setProtectedHeader({ alg, typ: 'JWT' }).sign(key);

  async function makeBadTokens(): Promise<Record<string, string>> {
    const now = Math.floor(Date.now() / 1000);
    const [header = '', payload = '', signature = ''] = (await sign()).split('.');
    const none = base64url.encode(JSON.stringify({ alg: 'none', typ: 'JWT' }));
    const ofMallory = base64url.encode(JSON.stringify(claimsOf(root, { sub: crypto.randomUUID() })));
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const [bob, off] = [await server.register('Bob'), await server.register('Off')];
    const ended = await server.login(root);
    await server.request('POST', '/v1/auth/logout', { token: ended.accessToken });
    const disabled = { token: root.accessToken, body: { disabled: true } };
    await server.request('PATCH', `/v1/admin/users/${off.id}`, disabled);
    return {
      expired: await sign({ exp: now - 1 }),
      'not valid yet': await sign({ nbf: now + 300 }),
      'of another deployment': await sign({}, foreignSecret),
      'of another issuer': await sign({ iss: 'somebody' }),
      'for another audience': await sign({ aud: 'somebody' }),
      'signed with HS512': await sign({}, new TextEncoder().encode('k'.repeat(64)), 'HS512'),
      'signed with RS256': await new SignJWT(claimsOf(root))
        .setProtectedHeader({ alg: 'RS256' })
        .sign(privateKey),
      'signed with a public key': await sign({}, new TextEncoder().encode(pem)),
      'alg none': new UnsecuredJWT(claimsOf(root)).encode(),
      'alg none, with a signature': `${none}.${payload}.${signature}`,
      'without its signature': `${header}.${payload}.`,
      'another payload': `${header}.${ofMallory}.${signature}`,
      'another signature': `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      'a subject that is a list': await sign({ sub: [root.id] }),
      'an end behind all time': await sign({ exp: 1e15 }),
      'a refresh token': root.refreshToken,
      'of a session that ended': ended.accessToken,
      'of a session that never was': await sign({ sid: crypto.randomUUID() }),
      "of somebody else's session": await sign({ sid: bob.sessionId }),
      'of a disabled user': off.accessToken,
      'of nobody': await sign({ sub: crypto.randomUUID() }),
      nonsense: 'nonsense',
    };
  }

  /** Of things that are there: nobody may learn that from the answer. */
  const fill = (path: string, user = root) =>
    path.replace('{topic}', 'app:public.news').replace(/\{\w+\}/g, user.id);
  const countRows = async () =>
    await queryRows(
      server.db,
      sql`SELECT (SELECT count(*) FROM events)::int AS events, (SELECT count(*) FROM user_sessions)::int AS sessions,
        (SELECT count(*) FROM audit_log)::int AS audited, (SELECT count(*) FROM chats)::int AS chats`,
    );

  test('the routes that need none are these, and all others are tried below', () => {
    const names = routes.map(({ method, path }) => `${method} ${path}`);
    expect(names).toEqual(expect.arrayContaining(publicRoutes));
    expect(guarded.length).toBeGreaterThan(20);
    expect(guarded).toContainEqual({ method: 'POST', path: '/v1/polls/{pollId}/votes' });
    expect(guarded.length + publicRoutes.length).toBe(routes.length);
  });

  test('one that is made like those below, but good, is taken on every route', async () => {
    for (const { method, path } of guarded) {
      const user = await server.register('Ann'); // some routes end the session
      const token = await new SignJWT(claimsOf(user)).setProtectedHeader({ alg: 'HS256' }).sign(secret);
      const { status } = await server.request(method, fill(path, user), {
        token,
        body: method === 'GET' ? undefined : {},
      });
      expect([method, path, status === 401 || status >= 500]).toEqual([method, path, false]);
    }
  });

  test('each is refused on every route, whatever else is in the request, and nothing comes of it', async () => {
    const before = await countRows();
    for (const { method, path } of guarded) {
      for (const [what, token] of Object.entries(bad)) {
        const { status, body } = await server.request(method, fill(path), {
          token,
          body: method === 'GET' ? undefined : { role: 'admin', disabled: false, name: 'Mallory' },
        });
        expect([method, path, what, status, body.error?.code]).toEqual([
          method,
          path,
          what,
          401,
          'unauthorized',
        ]);
      }
    }
    expect(await countRows()).toEqual(before);
  });

  test('a good one counts in the header alone', async () => {
    const { accessToken: token } = root;
    for (const { method, path } of guarded) {
      const places: { query?: string; headers?: Record<string, string> }[] = [
        { query: `?token=${token}` },
        { query: `?access_token=${token}` },
        { headers: { Cookie: `token=${token}; access_token=${token}` } },
        { headers: { 'Sec-WebSocket-Protocol': `bearer.${token}` } },
        { headers: { 'X-Authorization': `Bearer ${token}` } },
        { headers: { Authorization: `Basic ${token}` } },
      ];
      for (const { query = '', headers = {} } of places) {
        const { status } = await server.request(method, fill(path) + query, { headers });
        expect([method, path, query.slice(0, 7), Object.keys(headers), status]).toEqual([
          method,
          path,
          query.slice(0, 7),
          Object.keys(headers),
          401,
        ]);
      }
    }
  });

  test('[H1] [H2] each is refused in every place in which a connection may bring one', async () => {
    const url = `${server.url.replace('http', 'ws')}/ws`;
    for (const [what, token] of Object.entries(bad)) {
      const connections = [
        await openClient(url, { headers: { Authorization: `Bearer ${token}` } }),
        await openClient(url, { protocols: ['carillon.v1', `bearer.${token}`] }),
        await openClient(`${url}?token=${token}`),
        await openClient(url),
      ];
      connections[3]?.send({ id: 'hello', type: 'auth', payload: { token } });
      for (const [place, connection] of connections.entries()) {
        // What follows the bad token must not be answered, either.
        connection.send({ id: 'behind', type: 'subscribe', topic: `user:${root.id}` });
        const { code } = await connection.closed;
        expect([what, place, code]).toEqual([what, place, 4401]);
        expect(connection.frames).toMatchObject([{ type: 'error', error: { code: 'unauthorized' } }]);
      }
    }
  });

  test('[H4] none of them renews a connection, which stays as it was', async () => {
    const client = await server.connect(root);
    // Good by themselves, but of others: the connection keeps to its own session.
    const foreign = Object.keys(bad).filter((what) => what.startsWith('of ') && !/deploy|issuer/.test(what));
    expect(foreign).toHaveLength(5);
    for (const [what, token] of Object.entries(bad)) {
      const reply = await client.request('auth', { token });
      const expected = foreign.includes(what) ? 'forbidden' : 'unauthorized';
      expect([what, reply.type, reply.error?.code]).toEqual([what, 'error', expected]);
      expect((await client.request('ping')).type).toBe('pong');
    }
    expect(await client.subscribe(`user:${root.id}`)).toMatchObject({ topic: `user:${root.id}` });
    client.close();
  });

  test('[H1] no command at all is answered to who has brought none', async () => {
    const url = `${server.url.replace('http', 'ws')}/ws`;
    const { body } = await server.request('GET', '/asyncapi.json');
    const known = [...commandsOf(body).keys()];
    expect(known).toEqual(expect.arrayContaining(['ping', 'message.send', 'poll.vote']));
    for (const type of ['nonsense', ...known.filter((name) => name !== 'auth')]) {
      const client = await openClient(url);
      client.send({ id: 'mine', type, topic: 'app:public.news', payload: {} });
      expect([type, (await client.closed).code]).toEqual([type, 4401]);
      expect(client.frames).toMatchObject([{ type: 'error', id: 'mine', error: { code: 'unauthorized' } }]);
    }
  });
});
