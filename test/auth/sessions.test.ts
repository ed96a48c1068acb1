// Refresh tokens, reuse, and the end of sessions.

import { beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
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

  describe('refreshing', () => {
    test('answers new tokens of the same session, and the new one can be refreshed again', async () => {
      const ann = await server.register('Ann');
      const first = await refresh(ann.refreshToken);
      expect(first.status).toBe(200);
      expect(first.body).toMatchObject({ sessionId: ann.sessionId, user: { id: ann.id } });
      expect(first.body.refreshToken).not.toBe(ann.refreshToken);
      expect(await statusWith(first.body.accessToken)).toBe(200);
      const second = await refresh(first.body.refreshToken);
      expect(second.status).toBe(200);
    });

    test('a token used twice ends the session, with event and audit row', async () => {
      const ann = await server.register('Ann');
      const first = await refresh(ann.refreshToken);
      const again = await refresh(ann.refreshToken);
      expect(again).toMatchObject({ status: 401, body: { error: { code: 'unauthorized' } } });
      // The thief's copy and the owner's are worth nothing now, and neither is the access token.
      expect((await refresh(first.body.refreshToken)).status).toBe(401);
      expect(await statusWith(first.body.accessToken)).toBe(401);
      expect(await readUserEvents(server.db, ann.id)).toEqual([
        { type: 'session.revoked', payload: { sessionId: ann.sessionId, reason: 'refresh_reused' } },
      ]);
      const events = (await readAudit(server.db, ann.id)).map(({ event }) => event);
      expect(events.filter((event) => event === 'refresh_reuse')).toHaveLength(1);
    });

    test('[H5] reuse closes the connections of the session with 4403, and no others', async () => {
      const ann = await server.register('Ann');
      const phone = await server.login(ann);
      const laptop = await server.connect(ann);
      const other = await server.connect(phone);
      await refresh(ann.refreshToken);
      await refresh(ann.refreshToken);
      expect(await laptop.closed).toMatchObject({
        code: 4403,
        reason: expect.stringContaining('refresh_reused'),
      });
      expect(await other.request('ping')).toMatchObject({ type: expect.not.stringMatching('error') });
    });

    test('one token refreshed many times at once works once, and the session ends', async () => {
      const ann = await server.register('Ann');
      const answers = await Promise.all(Array.from({ length: 5 }, () => refresh(ann.refreshToken)));
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([200, 401, 401, 401, 401]);
      const won = answers.find(({ status }) => status === 200);
      expect((await refresh(won?.body.refreshToken)).status).toBe(401);
      expect(await readUserEvents(server.db, ann.id)).toHaveLength(1);
    });

    test('a forged token is merely refused: the session goes on', async () => {
      const ann = await server.register('Ann');
      const [sessionId, random = '', seal = ''] = ann.refreshToken.split('.');
      const flip = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
      const forged = [
        `${sessionId}.${flip(random)}.${seal}`,
        `${sessionId}.${random}.${flip(seal)}`,
        `${crypto.randomUUID()}.${random}.${seal}`,
        `${sessionId}.${random}`,
        `${ann.refreshToken}A`,
        ann.accessToken,
        'nonsense',
        '..',
      ];
      for (const token of forged) {
        expect(await refresh(token)).toMatchObject({
          status: 401,
          body: { error: { code: 'unauthorized' } },
        });
      }
      expect(await readUserEvents(server.db, ann.id)).toEqual([]);
      expect((await refresh(ann.refreshToken)).status).toBe(200);
    });

    test('a refresh token is no access token', async () => {
      const ann = await server.register('Ann');
      expect(await statusWith(ann.refreshToken)).toBe(401);
    });

    test('does not extend the session, and an access token ends with it at the latest', async () => {
      const ann = await server.register('Ann');
      const end = new Date(Math.floor(Date.now() / 1000) * 1000 + 60_000);
      await server.db.execute(
        sql`UPDATE user_sessions SET expires_at = ${end.toISOString()}::timestamptz WHERE id = ${ann.sessionId}`,
      );
      const { body } = await refresh(ann.refreshToken);
      expect(body.expiresAt).toBe(end.toISOString());
      const { body: list } = await server.request('GET', '/v1/auth/sessions', { token: body.accessToken });
      expect(list.items[0].expiresAt).toBe(end.toISOString());
    });

    test('an expired session can be neither refreshed nor used', async () => {
      const ann = await server.register('Ann');
      await server.db.execute(
        sql`UPDATE user_sessions SET expires_at = now() - interval '1 second' WHERE id = ${ann.sessionId}`,
      );
      expect((await refresh(ann.refreshToken)).status).toBe(401);
      expect(await statusWith(ann.accessToken)).toBe(401);
      expect(await readUserEvents(server.db, ann.id)).toEqual([]);
    });

    test('a disabled user cannot refresh', async () => {
      const ann = await server.register('Ann');
      await server.db.execute(sql`UPDATE users SET disabled_at = now() WHERE id = ${ann.id}`);
      expect((await refresh(ann.refreshToken)).status).toBe(401);
    });
  });

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
