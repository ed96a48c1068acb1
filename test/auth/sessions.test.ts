// The end of sessions, and the list of them. How they go on: refreshing.test.ts.

import { beforeAll, describe, expect, test } from 'bun:test';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { readAudit, readUserEvents } from './log.ts';

onEachDatabase('sessions', (open, database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open();
  });

  const refresh = (refreshToken: string) =>
    server.request('POST', '/v1/auth/refresh', { body: { refreshToken } });
  const statusWith = async (token: string) => (await server.request('GET', '/v1/users/me', { token })).status;

  describe('ending', () => {
    test('[H5] logout ends the session at once: its tokens, and its connections with 4403', async () => {
      const ann = await server.register('Ann');
      const connection = await server.connect(ann);
      expect(await statusWith(ann.accessToken)).toBe(200); // the guard remembers it now
      const answer = await server.request('POST', '/v1/auth/logout', { token: ann.accessToken });
      expect(answer).toMatchObject({
        status: 200,
        body: { id: ann.sessionId, revokedAt: expect.any(String) },
      });
      expect(await statusWith(ann.accessToken)).toBe(401);
      expect((await refresh(ann.refreshToken)).status).toBe(401);
      expect(await connection.closed).toMatchObject({
        code: 4403,
        reason: expect.stringContaining('logout'),
      });
      expect(await readUserEvents(server.db, ann.id)).toEqual([
        { type: 'session.revoked', payload: { sessionId: ann.sessionId, reason: 'logout' } },
      ]);
      expect((await readAudit(server.db, ann.id)).map(({ event }) => event)).toEqual(['register', 'logout']);
    });

    test('one of my sessions can be ended from another, which goes on', async () => {
      const ann = await server.register('Ann');
      const phone = await server.login(ann);
      const path = `/v1/auth/sessions/${ann.sessionId}`;
      const answer = await server.request('DELETE', path, { token: phone.accessToken });
      expect(answer).toMatchObject({ status: 200, body: { id: ann.sessionId } });
      expect(await statusWith(ann.accessToken)).toBe(401);
      expect(await statusWith(phone.accessToken)).toBe(200);
      expect(await readUserEvents(server.db, ann.id)).toEqual([
        { type: 'session.revoked', payload: { sessionId: ann.sessionId, reason: 'revoked' } },
      ]);
      expect((await readAudit(server.db, ann.id)).map(({ event }) => event)).toContain('session_revoked');
      // It is no session any more.
      expect((await server.request('DELETE', path, { token: phone.accessToken })).status).toBe(404);
    });

    test("another user's session and one that never was are the same: not found", async () => {
      const ann = await server.register('Ann');
      const bob = await server.register('Bob');
      const answers = await Promise.all(
        [bob.sessionId, crypto.randomUUID()].map((id) =>
          server.request('DELETE', `/v1/auth/sessions/${id}`, { token: ann.accessToken }),
        ),
      );
      expect(answers[0]?.status).toBe(404);
      expect(answers[0]?.body).toEqual(answers[1]?.body);
      expect(await statusWith(bob.accessToken)).toBe(200);
    });
  });

  describe('listing', () => {
    test('shows my live sessions with device and last use, newest first, this one marked', async () => {
      const ann = await server.register('Ann');
      const headers = { 'User-Agent': `Browser ${'x'.repeat(1_000)}` };
      const login = await server.request('POST', '/v1/auth/login', {
        body: { email: ann.email, password: ann.password },
        headers,
      });
      await server.register('Bob');
      const { body } = await server.request('GET', '/v1/auth/sessions', { token: ann.accessToken });
      expect(body).toMatchObject({
        items: [
          {
            id: login.body.sessionId,
            userAgent: `Browser ${'x'.repeat(392)}`,
            ip: '127.0.0.1',
            current: false,
          },
          { id: ann.sessionId, current: true },
        ],
        nextCursor: null,
      });
      const [newest] = body.items;
      expect(newest.lastUsedAt).toBe(newest.createdAt);
      expect(Date.parse(newest.expiresAt) - Date.parse(newest.createdAt)).toBe(30 * 86_400_000);

      await Bun.sleep(2); // so that the clock moves by more than the precision of the column
      const refreshed = await refresh(login.body.refreshToken);
      const after = await server.request('GET', '/v1/auth/sessions', { token: refreshed.body.accessToken });
      expect(after.body.items[0].lastUsedAt > newest.lastUsedAt).toBe(true);
    });

    test('pages', async () => {
      const ann = await server.register('Ann');
      const second = await server.login(ann);
      const third = await server.login(ann);
      const read = (query: string) =>
        server.request('GET', `/v1/auth/sessions?${query}`, { token: ann.accessToken });
      const first = await read('limit=2');
      expect(first.body.items.map(({ id }: { id: string }) => id)).toEqual([
        third.sessionId,
        second.sessionId,
      ]);
      const rest = await read(`limit=2&cursor=${first.body.nextCursor}`);
      expect(rest.body).toMatchObject({ items: [{ id: ann.sessionId }], nextCursor: null });
    });
  });

  if (database.kind === 'postgres') {
    test('a session that ended on one instance is refused by the others within a second', async () => {
      const other = await open(server.env);
      const ann = await server.register('Ann');
      const read = () => other.request('GET', '/v1/users/me', { token: ann.accessToken });
      expect((await read()).status).toBe(200); // and remembered
      await server.request('POST', '/v1/auth/logout', { token: ann.accessToken });
      const endedAt = performance.now();
      while ((await read()).status !== 401) expect(performance.now() - endedAt).toBeLessThan(1_200);
    });
  }

  test('a login that meets a password change leaves no session with the old password', async () => {
    const ann = await server.register('Ann');
    const changed = server.request('POST', '/v1/auth/password', {
      body: { oldPassword: ann.password, newPassword: 'a better one' },
      token: ann.accessToken,
    });
    const logins = Array.from({ length: 8 }, () =>
      server.request('POST', '/v1/auth/login', { body: { email: ann.email, password: ann.password } }),
    );
    expect((await changed).status).toBe(200);
    for (const { status, body } of await Promise.all(logins)) {
      if (status === 200) expect(await statusWith(body.accessToken)).toBe(401);
      else expect(status).toBe(401);
    }
  });
});
