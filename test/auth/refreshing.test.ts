// Refresh tokens: good once and 10 s longer, by generations; what is older ends the session.

import { beforeAll, expect, setSystemTime, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../src/db/database.ts';
import { untilWaiting } from '../protocol/chat.ts';
import type { TestUser } from '../support/api.ts';
import { openClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { backdateRefreshes, readAudit, readUserEvents } from './log.ts';

onEachDatabase('refreshing', (open, database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open();
  });

  const refresh = (refreshToken: string) =>
    server.request('POST', '/v1/auth/refresh', { body: { refreshToken } });
  const statusWith = async (token: string) => (await server.request('GET', '/v1/users/me', { token })).status;

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
    const socket = await openClient(`${server.url.replace('http', 'ws')}/ws?token=${first.body.accessToken}`);
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

  test('of a chain that goes on without a pause, the last 32 exchanges are remembered', async () => {
    const ann = await server.register('Ann');
    let latest = ann.refreshToken;
    const tokens = [latest];
    for (let count = 0; count < 33; count += 1) {
      latest = (await refresh(latest)).body.refreshToken;
      tokens.push(latest);
    }
    const [first = '', second = ''] = tokens;
    const [row] = await queryRows<{ remembered: number }>(
      server.db,
      sql`SELECT cardinality(rotated_at) AS remembered FROM user_sessions WHERE id = ${ann.sessionId}`,
    );
    expect(row?.remembered).toBe(32);
    await server.db.execute(
      sql`UPDATE user_sessions SET rotated_at = array_fill(now(), ARRAY[32]) WHERE id = ${ann.sessionId}`,
    );
    expect((await refresh(second)).status).toBe(200);
    expect((await refresh(first)).status).toBe(401);
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
