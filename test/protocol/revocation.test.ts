// Whoever loses its session loses its connections, at once and with the reason. [H5]

import { beforeAll, expect, test } from 'bun:test';
import { backdateRefreshes } from '../auth/log.ts';
import type { TestUser } from '../support/api.ts';
import { openClient, type TestClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const adminEmail = 'admin@example.com';

onEachDatabase('revocation', (open, database) => {
  let server: TestServer;
  /** Another instance on the same database, where two can share one: what happens here reaches connections there. */
  let elsewhere: TestServer;
  let admin: TestUser;

  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: adminEmail });
    elsewhere = database.kind === 'postgres' ? await open(server.env) : server;
    admin = await server.register('Admin', { email: adminEmail });
  });

  /** Does what ends the session of `ended`, and expects its connection, and no other, to be told and closed. */
  const expectRevoked = async (
    user: TestUser,
    ended: TestUser,
    others: TestUser[],
    reason: string,
    act: () => Promise<{ status: number }>,
  ) => {
    const closing = [await server.connect(ended), await elsewhere.connect(ended)];
    const staying = await Promise.all(others.map((session) => server.connect(session)));
    for (const client of staying) await client.subscribe(`user:${user.id}`);
    const startedAt = performance.now();
    await act();
    for (const client of closing) expect(await client.closed).toEqual({ code: 4403, reason });
    // Two instances without Redis tell each other by the log, and ask it once a second.
    expect(performance.now() - startedAt).toBeLessThan(elsewhere === server ? 1_000 : 2_000);
    for (const client of staying) {
      const event = await client.next('session.revoked');
      expect(event).toMatchObject({
        topic: `user:${user.id}`,
        seq: expect.any(Number),
        payload: { sessionId: ended.sessionId, reason },
      });
      expect((await client.request('ping')).type).toBe('pong');
      client.close();
    }
    await expectRefused(ended);
  };

  /** The token is still good by its signature and its time. */
  const expectRefused = async ({ accessToken }: TestUser) => {
    const url = `${server.url.replace('http', 'ws')}/ws`;
    const client: TestClient = await openClient(url, { headers: { Authorization: `Bearer ${accessToken}` } });
    expect((await client.next('error')).error.code).toBe('unauthorized');
    expect((await client.closed).code).toBe(4401);
  };

  test('[H5] a logout closes the connections of that session and of no other', async () => {
    const first = await server.register('Ann');
    const second = await server.login(first);
    await expectRevoked(first, first, [second], 'logout', () =>
      server.request('POST', '/v1/auth/logout', { token: first.accessToken }),
    );
  });

  test('[H5] a revoked session loses its connections', async () => {
    const first = await server.register('Bob');
    const second = await server.login(first);
    await expectRevoked(first, second, [first], 'revoked', () =>
      server.request('DELETE', `/v1/auth/sessions/${second.sessionId}`, { token: first.accessToken }),
    );
  });

  test('[H5] a changed password closes the connections of all other sessions', async () => {
    const first = await server.register('Cy');
    const second = await server.login(first);
    await expectRevoked(first, second, [first], 'password_changed', () =>
      server.request('POST', '/v1/auth/password', {
        token: first.accessToken,
        body: { oldPassword: first.password, newPassword: 'another correct horse' },
      }),
    );
  });

  test('[H5] a refresh token used again later closes the connections of its session', async () => {
    const first = await server.register('Dee');
    const second = await server.login(first);
    const refresh = () =>
      server.request('POST', '/v1/auth/refresh', { body: { refreshToken: second.refreshToken } });
    expect((await refresh()).status).toBe(200);
    await backdateRefreshes(server.db, second.sessionId, 10);
    await expectRevoked(first, second, [first], 'refresh_reused', async () => {
      const again = await refresh();
      expect(again).toMatchObject({
        status: 401,
        body: { error: { details: { reason: 'refresh_reused' } } },
      });
      return again;
    });
  });

  test('[H5] a disabled user loses all connections', async () => {
    const first = await server.register('Eve');
    const second = await server.login(first);
    const client = await server.connect(second);
    await expectRevoked(first, first, [], 'user_disabled', () =>
      server.request('PATCH', `/v1/admin/users/${first.id}`, {
        token: admin.accessToken,
        body: { disabled: true },
      }),
    );
    expect(await client.closed).toEqual({ code: 4403, reason: 'user_disabled' });
    await expectRefused(second);
  });
});
