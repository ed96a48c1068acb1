// Refresh tokens, reuse, and the end of sessions.

import { beforeAll, describe, expect, setSystemTime, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { untilWaiting } from '../protocol/chat.ts';
import type { TestUser } from '../support/api.ts';
import { openClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { backdateRefreshes, readAudit, readUserEvents } from './log.ts';

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

    test('a token used again later ends the session, with event, audit row and the reason for both sides', async () => {
      const ann = await server.register('Ann');
      const first = await refresh(ann.refreshToken);
      await backdateRefreshes(server.db, ann.sessionId, 10);
      const reason = { code: 'unauthorized', details: { reason: 'refresh_reused' } };
      expect(await refresh(ann.refreshToken)).toMatchObject({ status: 401, body: { error: reason } });
      expect(await refresh(first.body.refreshToken)).toMatchObject({ status: 401, body: { error: reason } });
      const me = await server.request('GET', '/v1/users/me', { token: first.body.accessToken });
      expect(me).toMatchObject({ status: 401, body: { error: reason } });
      const socket = await openClient(
        `${server.url.replace('http', 'ws')}/ws?token=${first.body.accessToken}`,
      );
      expect((await socket.closed).code).toBe(4401);
      expect(socket.frames).toMatchObject([{ type: 'error', error: reason }]);
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
      await backdateRefreshes(server.db, ann.sessionId, 10);
      await refresh(ann.refreshToken);
      expect(await laptop.closed).toMatchObject({
        code: 4403,
        reason: expect.stringContaining('refresh_reused'),
      });
      expect(await other.request('ping')).toMatchObject({ type: expect.not.stringMatching('error') });
    });

    test('one answer may be lost: for 10 s the token gets further successors, which all go on', async () => {
      const ann = await server.register('Ann');
      const lost = await refresh(ann.refreshToken);
      await backdateRefreshes(server.db, ann.sessionId, 9);
      const again = await refresh(ann.refreshToken);
      expect(again).toMatchObject({ status: 200, body: { sessionId: ann.sessionId, user: { id: ann.id } } });
      expect(again.body.refreshToken).not.toBe(lost.body.refreshToken);
      expect(await statusWith(again.body.accessToken)).toBe(200);
      // Minutes later. Which of the two a client has kept makes no difference.
      await backdateRefreshes(server.db, ann.sessionId, 900);
      expect((await refresh(lost.body.refreshToken)).status).toBe(200);
      expect((await refresh(again.body.refreshToken)).status).toBe(200);
      expect(await readUserEvents(server.db, ann.id)).toEqual([]);
      const events = (await readAudit(server.db, ann.id)).map(({ event }) => event);
      expect(events).not.toContain('refresh_reuse');
    });

    test('further answers do not make the 10 s longer', async () => {
      const ann = await server.register('Ann');
      for (let count = 0; count < 3; count += 1) {
        expect((await refresh(ann.refreshToken)).status).toBe(200);
        await backdateRefreshes(server.db, ann.sessionId, 4);
      }
      expect((await refresh(ann.refreshToken)).status).toBe(401);
    });

    test('each token of a chain has its own 10 s, however far the chain has gone', async () => {
      const ann = await server.register('Ann');
      const second = (await refresh(ann.refreshToken)).body.refreshToken;
      await backdateRefreshes(server.db, ann.sessionId, 6);
      const third = (await refresh(second)).body.refreshToken;
      const branch = await refresh(ann.refreshToken); // 6 s behind its exchange
      expect(branch.status).toBe(200);
      await backdateRefreshes(server.db, ann.sessionId, 6);
      expect((await refresh(second)).status).toBe(200); // 6 s behind its own
      // A further successor is of the present, not of the past: it has its use before it.
      expect((await refresh(branch.body.refreshToken)).status).toBe(200);
      expect((await refresh(third)).status).toBe(200); // within its 10 s, since its sibling was exchanged
      expect((await refresh(ann.refreshToken)).status).toBe(401); // 12 s
      expect((await refresh(third)).status).toBe(401); // the session is over
    });

    test('a copy is noticed, whoever was first: at the latest when both sides have refreshed', async () => {
      const ann = await server.register('Ann');
      const thief = (await refresh(ann.refreshToken)).body.refreshToken;
      const owner = (await refresh(ann.refreshToken)).body.refreshToken;
      await backdateRefreshes(server.db, ann.sessionId, 900);
      expect((await refresh(owner)).status).toBe(200);
      await backdateRefreshes(server.db, ann.sessionId, 10);
      expect((await refresh(thief)).body.error.details).toEqual({ reason: 'refresh_reused' });
    });

    test('a token of a generation that is yet to come (behind a restored backup) ends the session', async () => {
      const ann = await server.register('Ann');
      const { body } = await refresh(ann.refreshToken);
      await server.db.execute(
        sql`UPDATE user_sessions SET generation = 0, rotated_at = '{}' WHERE id = ${ann.sessionId}`,
      );
      expect((await refresh(body.refreshToken)).body.error.details).toEqual({ reason: 'refresh_reused' });
    });

    test('one token refreshed many times at once is answered each time, in one generation', async () => {
      const instances = database.kind === 'postgres' ? [server, await open(server.env)] : [server];
      const ann = await server.register('Ann');
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          instances[index % instances.length]?.request('POST', '/v1/auth/refresh', {
            body: { refreshToken: ann.refreshToken },
          }),
        ),
      );
      expect(answers.map((answer) => answer?.status)).toEqual(Array(10).fill(200));
      const tokens = answers.map((answer) => answer?.body.refreshToken);
      expect(new Set(tokens).size).toBe(10);
      await backdateRefreshes(server.db, ann.sessionId, 900);
      for (const token of tokens) expect((await refresh(token)).status).toBe(200);
      expect(await readUserEvents(server.db, ann.id)).toEqual([]);
    });

    test('what has ended is not answered again: logout, password and an admin end the 10 s as well', async () => {
      const ends = [
        { reason: 'logout', end: (token: string) => server.request('POST', '/v1/auth/logout', { token }) },
        {
          reason: 'revoked',
          end: (token: string, sessionId: string) =>
            server.request('DELETE', `/v1/auth/sessions/${sessionId}`, { token }),
        },
        {
          reason: 'password_changed',
          end: async (_token: string, _sessionId: string, ann: TestUser) => {
            const other = await server.login(ann);
            const body = { oldPassword: ann.password, newPassword: 'a better one' };
            return server.request('POST', '/v1/auth/password', { token: other.accessToken, body });
          },
        },
      ];
      for (const { reason, end } of ends) {
        const ann = await server.register('Ann');
        const { body } = await refresh(ann.refreshToken);
        expect((await end(body.accessToken, ann.sessionId, ann)).status).toBe(200);
        for (const token of [ann.refreshToken, body.refreshToken]) {
          expect(await refresh(token)).toMatchObject({
            status: 401,
            body: { error: { code: 'unauthorized', details: { reason } } },
          });
        }
        expect(await readUserEvents(server.db, ann.id)).toHaveLength(1);
      }
    });

    // The embedded database has the clock of its instance, and one connection: there nothing comes between.
    if (database.kind === 'postgres') {
      test("the 10 s are those of the database, whatever an instance's clock says", async () => {
        const ann = await server.register('Ann');
        const hourMs = 3_600_000;
        expect((await refresh(ann.refreshToken)).status).toBe(200);
        try {
          for (const skewMs of [hourMs, -hourMs]) {
            setSystemTime(Date.now() + skewMs);
            expect([skewMs, (await refresh(ann.refreshToken)).status]).toEqual([skewMs, 200]);
            setSystemTime();
          }
          await backdateRefreshes(server.db, ann.sessionId, 10);
          setSystemTime(Date.now() - hourMs);
          expect((await refresh(ann.refreshToken)).status).toBe(401);
        } finally {
          setSystemTime();
        }
      });

      test('a session that ends while its token is exchanged gives out no tokens', async () => {
        const ann = await server.register('Ann');
        const { promise: held, resolve: release } = Promise.withResolvers<void>();
        const locked = Promise.withResolvers<void>();
        const ending = server.db.transaction(async (tx) => {
          await tx.execute(
            sql`UPDATE user_sessions SET revoked_at = now(), end_reason = 'revoked' WHERE id = ${ann.sessionId}`,
          );
          locked.resolve();
          await held;
        });
        await locked.promise;
        const answer = refresh(ann.refreshToken);
        await untilWaiting(server.db, 1);
        release();
        await ending;
        expect((await answer).status).toBe(401);
      });
    }

    test('a forged token is merely refused: the session goes on', async () => {
      const ann = await server.register('Ann');
      const [sessionId, generation, random = '', seal = ''] = ann.refreshToken.split('.');
      const flip = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
      const forged = [
        `${sessionId}.${generation}.${flip(random)}.${seal}`,
        `${sessionId}.${generation}.${random}.${flip(seal)}`,
        `${sessionId}.1.${random}.${seal}`,
        `${sessionId}.00.${random}.${seal}`,
        `${sessionId}.-1.${random}.${seal}`,
        `${crypto.randomUUID()}.${generation}.${random}.${seal}`,
        `${sessionId}.${random}.${seal}`,
        `${sessionId}.${generation}.${random}`,
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
