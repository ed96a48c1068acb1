// Access tokens that were made by somebody else, or for something else.

import { beforeAll, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import { base64url, SignJWT, UnsecuredJWT } from 'jose';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, quietEnv, type TestServer } from '../support/server.ts';

const secret = new TextEncoder().encode(quietEnv.JWT_SECRET);

onEachDatabase('access tokens', (open) => {
  let server: TestServer;
  let ann: TestUser;
  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
  });

  const statusWith = async (token: string) => (await server.request('GET', '/v1/users/me', { token })).status;

  /** What the server signs, but for what a test changes. */
  const claims = (changes: Record<string, unknown> = {}) => {
    const now = Math.floor(Date.now() / 1000);
    const standard = { sub: ann.id, sid: ann.sessionId, role: 'user', iss: 'carillon', aud: 'carillon' };
    return { ...standard, iat: now, exp: now + 60, ...changes };
  };
  const sign = (changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key = secret) =>
    new SignJWT(claims(changes)).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);

  test('one signed as ours is taken, so that those below fail for their own reasons', async () => {
    expect(await statusWith(await sign())).toBe(200);
  });

  test('every claim that is missing, wrong or out of its time is refused', async () => {
    const now = Math.floor(Date.now() / 1000);
    const wrong: Record<string, unknown>[] = [
      { exp: now - 1 },
      { exp: undefined },
      { exp: 'tomorrow' },
      { exp: 253_402_300_800 },
      { exp: 1e15 },
      { exp: Number.MAX_VALUE },
      { iat: -1 },
      { iat: 1e15 },
      { nbf: now + 60 },
      { iat: undefined },
      { iat: 'yesterday' },
      { iss: 'somebody' },
      { iss: undefined },
      { aud: 'somebody' },
      { aud: undefined },
      { sub: undefined },
      { sub: 'ann' },
      { sub: `${ann.id}\n` },
      { sub: [ann.id] },
      { sub: { id: ann.id } },
      { sub: ann.id.toUpperCase() },
      { sid: [ann.sessionId] },
      { role: ['user'] },
      { sid: undefined },
      { sid: 7 },
      { sid: crypto.randomUUID() },
      { sub: crypto.randomUUID() },
      { role: undefined },
      { role: 'root' },
    ];
    for (const changes of wrong) {
      expect([changes, await statusWith(await sign(changes))]).toEqual([changes, 401]);
    }
  });

  test('a token that is good for ever so long is taken over the socket as well', async () => {
    const client = await server.connect(await sign({ exp: 253_402_300_799 }));
    expect(client.welcome.expiresAt).toBe('9999-12-31T23:59:59.000Z');
    client.close();
  });

  test("the session must be the user's own", async () => {
    const bob = await server.register('Bob');
    expect(await statusWith(await sign({ sid: bob.sessionId }))).toBe(401);
  });

  test('a role in the token counts for nothing: the database says who is an admin', async () => {
    const token = await sign({ role: 'admin' });
    expect(await statusWith(token)).toBe(200);
    expect((await server.request('GET', '/v1/admin/users', { token })).status).toBe(403);
  });

  test('no other algorithm is taken, least of all none', async () => {
    expect(await statusWith(new UnsecuredJWT(claims()).encode())).toBe(401);
    const [, payload, signature] = (await sign()).split('.');
    for (const alg of ['none', 'None', 'NONE', 'hs256', 'HS512', 'RS256', 'ES256']) {
      const header = base64url.encode(JSON.stringify({ alg, typ: 'JWT' }));
      for (const seal of ['', signature]) expect(await statusWith(`${header}.${payload}.${seal}`)).toBe(401);
    }
    const long = new TextEncoder().encode('k'.repeat(64));
    expect(await statusWith(await sign({}, { alg: 'HS512' }, long))).toBe(401);
    expect(await statusWith(await sign({}, { alg: 'HS512' }))).toBe(401);
  });

  test('a public key of anybody is no secret of ours (RS and HS confusion)', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(await statusWith(await sign({}, {}, new TextEncoder().encode(pem)))).toBe(401);
    const rs = await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
    expect(await statusWith(rs)).toBe(401);
  });

  test('keys that a token brings along are not used', async () => {
    const key = new TextEncoder().encode('a key of the attacker, 32 characters or more');
    const jwk = { kty: 'oct', k: base64url.encode(key) };
    const headers = [
      { jwk },
      { jku: 'https://example.com/keys' },
      { x5u: 'https://example.com/cert' },
      { kid: '../../dev/null' },
    ];
    for (const header of headers) expect(await statusWith(await sign({}, header, key))).toBe(401);
    expect(await statusWith(await sign({}, { crit: ['b64'], b64: false }).catch(() => 'e30.e30.e30'))).toBe(
      401,
    );
  });

  test('a token that was changed anywhere is refused', async () => {
    const [header = '', , signature = ''] = ann.accessToken.split('.');
    const other = base64url.encode(JSON.stringify(claims({ role: 'admin' })));
    expect(await statusWith(`${header}.${other}.${signature}`)).toBe(401);
    const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    expect(await statusWith(ann.accessToken.replace(signature, flipped))).toBe(401);
    expect(await statusWith(ann.accessToken.replace(signature, ''))).toBe(401);
  });

  test('what is no token at all is unauthorized, never an error of the server', async () => {
    const odd = ['x', 'a.b.c', '...', '.', 'e30.e30.', `${'a'.repeat(12_000)}.b.c`, 'null', '{}'];
    for (const token of odd)
      expect([token.slice(0, 9), await statusWith(token)]).toEqual([token.slice(0, 9), 401]);
    for (const header of ['', 'Bearer', 'Bearer ', `Basic ${ann.accessToken}`, ann.accessToken]) {
      const { status, body } = await server.request('GET', '/v1/users/me', {
        headers: { Authorization: header },
      });
      expect([header.slice(0, 9), status, body.error?.code]).toEqual([
        header.slice(0, 9),
        401,
        'unauthorized',
      ]);
    }
  });

  test('an access token expires', async () => {
    const short = await open({ ACCESS_TOKEN_SECONDS: '1' });
    const bob = await short.register('Bob');
    await Bun.sleep(2_000); // only the clock can end it
    const { status } = await short.request('GET', '/v1/users/me', { token: bob.accessToken });
    expect(status).toBe(401);
    const refreshed = await short.request('POST', '/v1/auth/refresh', {
      body: { refreshToken: bob.refreshToken },
    });
    expect(refreshed.status).toBe(200);
  });

  test('every guarded route answers 401 without a token, before it looks at the request', async () => {
    const { body: docs } = await server.request('GET', '/swagger/json');
    const open = new Set(
      ['register', 'login', 'refresh', 'verify', 'password/reset/request', 'password/reset'].map(
        (name) => `/v1/auth/${name}`,
      ),
    );
    const tried: string[] = [];
    for (const [path, methods] of Object.entries<Record<string, unknown>>(docs.paths)) {
      if (!path.startsWith('/v1/') || open.has(path)) continue;
      for (const method of Object.keys(methods)) {
        const url = path.replace(/\{\w+\}/g, 'nonsense');
        const { status, body } = await server.request(method.toUpperCase(), url);
        expect([method, path, status, body.error?.code]).toEqual([method, path, 401, 'unauthorized']);
        tried.push(path);
      }
    }
    expect(tried).toContain('/v1/users/me');
  });
});
