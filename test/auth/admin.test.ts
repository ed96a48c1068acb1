// What admins see and change.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { readAudit, readUserEvents } from './log.ts';

const adminEmail = 'Root@Example.com';

onEachDatabase('admins', (open) => {
  let server: TestServer;
  let root: TestUser;
  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'root@example.com, later@example.com' });
    root = await server.register('Root', { email: adminEmail });
  });

  const asRoot = (method: string, path: string, body?: unknown) =>
    server.request(method, `/v1/admin${path}`, { token: root.accessToken, body });
  const patch = (userId: string, body: unknown) => asRoot('PATCH', `/users/${userId}`, body);
  const statusWith = async (token: string) => (await server.request('GET', '/v1/users/me', { token })).status;

  test('ADMIN_EMAILS makes admins at the start of those who verified their address before, and of nobody else', async () => {
    const before = await open();
    const ann = await before.register('Ann', { email: 'Ann@Example.com' });
    const bob = await before.register('Bob');
    const eve = await before.register('Eve', { email: 'eve@example.com' });
    await before.db.execute(sql`UPDATE users SET email_verified = true WHERE id IN (${ann.id}, ${bob.id})`);
    await before.stop();
    const after = await open({ ...before.env, ADMIN_EMAILS: 'ann@example.com,eve@example.com' });
    const roleOf = async (user: TestUser) =>
      (await after.request('GET', '/v1/users/me', { token: user.accessToken })).body.role;
    expect([await roleOf(ann), await roleOf(bob), await roleOf(eve)]).toEqual(['admin', 'user', 'user']);
    expect(await readUserEvents(after.db, ann.id)).toEqual([
      { type: 'role.changed', payload: { role: 'admin' } },
    ]);
    expect((await readAudit(after.db, ann.id)).at(-1)).toMatchObject({
      event: 'role_changed',
      details: { by: 'ADMIN_EMAILS', to: 'admin' },
    });
  });

  test('for everyone else it is forbidden, whatever they send', async () => {
    const ann = await server.register('Ann');
    const attempts: [string, string, unknown?][] = [
      ['GET', '/users'],
      ['GET', '/users?limit=nonsense'],
      ['GET', '/audit'],
      ['PATCH', `/users/${ann.id}`, { role: 'admin' }],
      ['PATCH', '/users/nonsense', {}],
    ];
    for (const [method, path, body] of attempts) {
      const answer = await server.request(method, `/v1/admin${path}`, { token: ann.accessToken, body });
      expect([path, answer.status, answer.body.error?.code]).toEqual([path, 403, 'forbidden']);
    }
  });

  test('admins see every user with e-mail, role and standing, found by name', async () => {
    const name = `Ann ${crypto.randomUUID()}`;
    const ann = await server.register(name);
    const { status, body } = await asRoot('GET', `/users?search=${encodeURIComponent(name.toUpperCase())}`);
    expect(status).toBe(200);
    expect(body.items).toHaveLength(1);
    expect(body.items[0]).toMatchObject({ id: ann.id, email: ann.email, role: 'user', disabledAt: null });
    expect(JSON.stringify(body)).not.toContain('argon2');
    const all = await asRoot('GET', '/users?limit=1');
    expect(all.body).toMatchObject({ items: [expect.anything()], nextCursor: expect.any(String) });
  });

  test('a new role counts at once, with event and audit row', async () => {
    const ann = await server.register('Ann');
    expect((await server.request('GET', '/v1/admin/users', { token: ann.accessToken })).status).toBe(403);
    expect(await patch(ann.id, { role: 'admin' })).toMatchObject({ status: 200, body: { role: 'admin' } });
    expect((await server.request('GET', '/v1/admin/users', { token: ann.accessToken })).status).toBe(200);
    await patch(ann.id, { role: 'admin' }); // nothing changes, nothing is said
    await patch(ann.id, { role: 'worker' });
    expect((await server.request('GET', '/v1/admin/users', { token: ann.accessToken })).status).toBe(403);
    expect(await readUserEvents(server.db, ann.id)).toEqual([
      { type: 'role.changed', payload: { role: 'admin' } },
      { type: 'role.changed', payload: { role: 'worker' } },
    ]);
    expect(await readAudit(server.db, ann.id)).toMatchObject([
      { event: 'register' },
      { event: 'role_changed', details: { by: root.id, from: 'user', to: 'admin' } },
      { event: 'role_changed', details: { by: root.id, from: 'admin', to: 'worker' } },
    ]);
  });

  test('[H5] a disabled user is out at once: sessions, connections, login; enabled again, may log in', async () => {
    const ann = await server.register('Ann');
    const phone = await server.login(ann);
    const connection = await server.connect(ann);
    expect(await statusWith(phone.accessToken)).toBe(200);
    const answer = await patch(ann.id, { disabled: true });
    expect([answer.status, Date.parse(answer.body.disabledAt)]).toEqual([200, expect.any(Number)]);
    expect(await connection.closed).toMatchObject({
      code: 4403,
      reason: expect.stringContaining('user_disabled'),
    });
    expect([await statusWith(ann.accessToken), await statusWith(phone.accessToken)]).toEqual([401, 401]);
    const login = () =>
      server.request('POST', '/v1/auth/login', { body: { email: ann.email, password: ann.password } });
    expect((await login()).status).toBe(401);
    const revoked = await readUserEvents(server.db, ann.id);
    expect(revoked).toHaveLength(2);
    for (const { sessionId } of [ann, phone]) {
      expect(revoked).toContainEqual({
        type: 'session.revoked',
        payload: { sessionId, reason: 'user_disabled' },
      });
    }

    // Again: nothing happens. The time of the first stays.
    expect((await patch(ann.id, { disabled: true })).body.disabledAt).toBe(answer.body.disabledAt);
    expect((await patch(ann.id, { disabled: false })).body.disabledAt).toBeNull();
    expect((await login()).status).toBe(200);
    expect(await statusWith(ann.accessToken)).toBe(401); // what was revoked stays so
    const events = (await readAudit(server.db, ann.id)).map(({ event }) => event);
    expect(events).toEqual(['register', 'login', 'user_disabled', 'login_failed', 'user_enabled', 'login']);
  });

  test('admins cannot lock themselves out', async () => {
    for (const body of [{ disabled: true }, { role: 'user' }, { role: 'worker', disabled: false }]) {
      expect(await patch(root.id, body)).toMatchObject({
        status: 403,
        body: { error: { code: 'forbidden' } },
      });
    }
    expect((await patch(root.id, { role: 'admin', disabled: false })).status).toBe(200);
    expect((await asRoot('GET', '/users')).status).toBe(200);
  });

  test('an unknown user is not found; a change that is none, invalid', async () => {
    expect((await patch(crypto.randomUUID(), { disabled: true })).status).toBe(404);
    for (const body of [{}, { role: 'root' }, { disabled: 'yes' }, { email: 'x@example.com' }]) {
      expect((await patch(root.id, body)).status).toBe(400);
    }
  });

  test('the audit log is read newest first, by event, user and time, in pages', async () => {
    const ann = await server.register('Ann');
    for (let count = 0; count < 3; count += 1) await server.login(ann);
    const read = async (query: string) => (await asRoot('GET', `/audit?user=${ann.id}${query}`)).body;
    const everything = await read('');
    expect(everything.items.map(({ event }: { event: string }) => event)).toEqual([
      'login',
      'login',
      'login',
      'register',
    ]);
    expect(everything.items[0]).toEqual({
      id: expect.any(String),
      at: expect.any(String),
      event: 'login',
      userId: ann.id,
      sessionId: expect.any(String),
      ip: '127.0.0.1',
      userAgent: expect.any(String),
      details: { sessionId: expect.any(String) },
    });
    expect((await read('&event=register')).items).toHaveLength(1);
    const first = await read('&limit=3');
    const second = await read(`&limit=3&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items]).toEqual(everything.items);
    expect(second.nextCursor).toBeNull();
    const since = encodeURIComponent(everything.items[0].at);
    const recent = (await read(`&since=${since}`)).items;
    expect(recent[0]).toEqual(everything.items[0]);
    expect(recent.every((row: { at: string }) => row.at >= everything.items[0].at)).toBe(true);
    expect((await read('&since=2999-01-01T00:00:00Z')).items).toEqual([]);
  });

  test('odd questions about the audit log are invalid', async () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const odd = [
      'since=yesterday',
      'since=2026-02-31T99:00:00Z',
      'since=2026-02-30T00:00:00Z',
      'since=2026-04-31T09:30:00.5Z',
      'since=2026-11-21T24:00:00Z',
      'since=0000-01-01T00:00:00Z',
      'event=nonsense',
      'user=me',
      `cursor=${encode([9e15, crypto.randomUUID()])}`,
      `cursor=${encode(['2026', crypto.randomUUID()])}`,
      `cursor=${encode([1, 'x'])}`,
    ];
    for (const query of odd) {
      expect([query, (await asRoot('GET', `/audit?${query}`)).status]).toEqual([query, 400]);
    }
    for (const since of ['0001-01-01T00:00:00Z', '2024-02-29T23:59:59.9Z', '9999-12-31T23:59:59.999Z']) {
      expect([since, (await asRoot('GET', `/audit?since=${since}`)).status]).toEqual([since, 200]);
    }
  });

  test('a refused subscription is in the audit log', async () => {
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const topic = `user:${root.id}`;
    await client.request('subscribe', {}, { topic });
    // Written behind the answer: the instance does not make clients wait for it.
    let rows = await readAudit(server.db, ann.id);
    const deadline = Date.now() + 5_000;
    while (rows.length < 2 && Date.now() < deadline) rows = await readAudit(server.db, ann.id);
    expect(rows.at(-1)).toMatchObject({ event: 'subscription_refused', details: { topic } });
  });
});
