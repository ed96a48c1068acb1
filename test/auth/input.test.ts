// What clients may send that nobody would: refused as invalid, by both databases alike, and never an error of the server.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { createAudit } from '../../src/auth/audit.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { readAudit } from './log.ts';

const good = { email: 'ann@example.com', password: 'correct horse', name: 'Ann' };

onEachDatabase('input of auth', (open) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open();
  });

  const post = (path: string, body: unknown) => server.request('POST', `/v1/auth/${path}`, { body });

  test('a registration must fit in every field', async () => {
    const odd: Record<string, unknown>[] = [
      { email: 'ann' },
      { email: 'ann@example' },
      { email: '@example.com' },
      { email: 'ann@@example.com' },
      { email: 'ann@example..com' },
      { email: 'ann b@example.com' },
      { email: 'ann@example.com\n' },
      { email: 'ann\u0000@example.com' },
      { email: '\ud800@example.com' },
      { email: `${'a'.repeat(65)}@example.com` },
      { email: `ann@${'a.'.repeat(124)}com` },
      { email: `${'a'.repeat(15_000)}` },
      { email: `a@${'a.'.repeat(7_000)}` },
      { email: 7 },
      { email: null },
      { email: ['ann@example.com'] },
      { password: 'nine char' },
      { password: 'x'.repeat(129) },
      { password: 'a NUL \u0000 inside' },
      { password: 'a half \udc00 pair' },
      { password: undefined },
      { name: '' },
      { name: '\t' },
      { name: '\u00a0' },
      { name: 'x'.repeat(81) },
      { name: 'bell\u0007' },
      { name: 'line\u2028line' },
      { name: 'half \ud83e' },
      { name: { toString: 'Ann' } },
      { role: 'admin' },
      { id: crypto.randomUUID() },
      { constructor: { prototype: { role: 'admin' } } },
    ];
    for (const changes of odd) {
      const { status, body } = await post('register', { ...good, ...changes });
      expect([changes, status, body.error?.code]).toEqual([changes, 400, 'invalid']);
    }
    for (const body of ['', '{', '[]', 'null', '"x"', '7']) {
      const answer = await post('register', body);
      expect([body, answer.status, answer.body.error?.code]).toEqual([body, 400, 'invalid']);
    }
  });

  test('a body nested without end is invalid, and soon', async () => {
    const startedAt = performance.now();
    for (const [opening, closing] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      for (const depth of [64, 1_000, 2_500]) {
        const name = `${opening.repeat(depth)}1${closing.repeat(depth)}`;
        const body = `{"email":"deep@example.com","password":"correct horse","name":${name}}`;
        const answer = await post('register', body);
        expect([opening, depth, answer.status, answer.body.error?.code]).toEqual([
          opening,
          depth,
          400,
          'invalid',
        ]);
      }
    }
    expect(performance.now() - startedAt).toBeLessThan(5_000); // 16 s before bodies were checked for it
  });

  test('a body of more than 16 KiB is too large for every route under /auth', async () => {
    const ann = await server.register('Ann');
    const body = { password: 'x'.repeat(16_384) };
    for (const [method, path] of [
      ['POST', 'register'],
      ['POST', 'login'],
      ['POST', 'refresh'],
      ['POST', 'logout'],
      ['POST', 'password'],
      ['DELETE', `sessions/${crypto.randomUUID()}`],
    ] as const) {
      const answer = await server.request(method, `/v1/auth/${path}`, { token: ann.accessToken, body });
      expect([path, answer.status, answer.body.error?.code]).toEqual([path, 413, 'too_large']);
    }
  });

  test('the limits themselves are let in', async () => {
    const name = `${'x'.repeat(76)}🦊é`;
    const password = `${'🦊'.repeat(63)}é `;
    const email = `${'a'.repeat(64)}@${'b'.repeat(63)}.example.com`;
    const { status, body } = await post('register', { email, password, name });
    expect([status, body.user?.name]).toEqual([201, name]);
    expect((await post('login', { email, password })).status).toBe(200);
    expect((await post('register', { ...good, email: "o'brien+x@example.com" })).status).toBe(201);
  });

  test('__proto__ changes nothing', async () => {
    const body = `{"email":"proto@example.com","password":"correct horse","name":"P","__proto__":{"role":"admin"}}`;
    expect((await post('register', body)).status).toBe(400);
    const polluted: Record<string, unknown> = {};
    expect(polluted.role).toBeUndefined();
    const inName = `{"email":"proto@example.com","password":"correct horse","name":{"__proto__":"x"}}`;
    expect((await post('register', inName)).status).toBe(400);
    const ann = await server.register('Ann');
    const query = await server.request('GET', '/v1/users?search=a&__proto__=x&constructor=y', {
      token: ann.accessToken,
    });
    expect(query.status).toBe(400);
  });

  test('a login with odd text is invalid or unauthorized', async () => {
    for (const changes of [
      { email: 'a\u0000@example.com' },
      { password: '\u0000' },
      { password: '\ud800' },
    ]) {
      const { status } = await post('login', { email: good.email, password: good.password, ...changes });
      expect([changes, status]).toEqual([changes, 400]);
    }
    expect((await post('login', { email: good.email, password: 'short' })).status).toBe(401);
    expect((await post('login', { ...good })).status).toBe(400); // a field too many
    expect((await post('refresh', { refreshToken: '\u0000' })).status).toBe(401);
    expect((await post('refresh', { refreshToken: 'x'.repeat(513) })).status).toBe(400);
    expect((await post('refresh', {})).status).toBe(400);
  });

  test('odd text in headers is kept or cut, and fails nothing', async () => {
    const headers = { 'User-Agent': 'caf\u00e9 \u00ff', 'X-Correlation-Id': 'x'.repeat(65) };
    const { status } = await server.request('POST', '/v1/auth/register', {
      body: { ...good, email: 'agent@example.com' },
      headers,
    });
    expect(status).toBe(201);
  });

  test('odd text in a query is invalid', async () => {
    const ann = await server.register('Ann');
    for (const search of ['%00', 'a%00b', '%0a', '%20', '', 'x'.repeat(81)]) {
      const answer = await server.request('GET', `/v1/users?search=${search}`, { token: ann.accessToken });
      expect([search, answer.status]).toEqual([search, 400]);
    }
    for (const search of ['%ff', '%', '%ed%a0%80']) {
      const { status } = await server.request('GET', `/v1/users?search=${search}`, {
        token: ann.accessToken,
      });
      expect([search, status < 500]).toEqual([search, true]);
    }
  });

  test('the audit log keeps whatever text it is given', async () => {
    const userId = crypto.randomUUID();
    const details = { topic: 'nul \u0000 half \ud800 fox 🦊', nested: { list: ['\u0000'] }, number: 7 };
    await createAudit(server.db).record(server.db, { event: 'subscription_refused', userId, details });
    const [row] = await readAudit(server.db, userId);
    expect(row?.details).toEqual({ topic: 'nul � half � fox 🦊', nested: { list: ['�'] }, number: 7 });
    const count = await server.db.execute(sql`SELECT 1 FROM audit_log WHERE user_id = ${userId}`);
    expect(count).toMatchObject({ rows: [expect.anything()] });
  });
});
