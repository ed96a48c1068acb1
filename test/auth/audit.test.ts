// The audit log: what gets a row, from where each came, who may ask, and how long it is kept.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { prune } from '../../src/auth/pruning.ts';
import { queryRows } from '../../src/db/database.ts';
import { attempt, createGroup, must, registerAll, send } from '../modules/chat/setup.ts';
import type { TestUser } from '../support/api.ts';
import { openClient } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

onEachDatabase('the audit log', (open) => {
  let server: TestServer;
  let root: TestUser;
  beforeAll(async () => {
    server = await open({ ADMIN_EMAILS: 'root@example.com' });
    root = await server.register('Root', { email: 'root@example.com' });
  });

  const listed = async (query: string) => (await must(server, root, 'GET', `/admin/audit?${query}`)).items;
  const eventsOf = async (user: TestUser) =>
    (await listed(`user=${user.id}`)).map(({ event }: { event: string }) => event).reverse();

  test('members, roles, edits, deletions and profiles have a row each, over HTTP and the socket, with address, session and user agent', async () => {
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    const chat = await createGroup(server, ann);
    const client = await server.connect(ann, { headers: { 'User-Agent': 'a test' } });
    const tell = async (type: string, payload: object) =>
      expect((await client.request(type, payload)).type).toBe('ok');
    const [chatId, userId] = [chat.id, bob.id];
    const message = await send(server, ann, chatId, 'Hello');
    const messageId = message.id;
    await must(server, ann, 'POST', `/chats/${chatId}/members`, { userId });
    await tell('member.update', { chatId, userId, role: 'admin' });
    await must(server, ann, 'DELETE', `/chats/${chatId}/members/${userId}`);
    await tell('message.edit', { messageId, content: 'Hello!' });
    await must(server, ann, 'DELETE', `/chats/${chatId}/messages/${messageId}`);
    await must(server, ann, 'DELETE', `/chats/${chatId}/messages/${messageId}`); // changes nothing, says nothing
    await tell('user.update', { name: 'Anna' });
    await must(server, ann, 'PATCH', '/users/me', { name: 'Anna' }); // the same
    const rows = (await listed(`user=${ann.id}`)).reverse();
    expect(rows.map(({ event, details }: Record<string, unknown>) => [event, details])).toEqual([
      ['register', { sessionId: ann.sessionId }],
      ['member_added', { chatId, userId }],
      ['member_updated', { chatId, userId, role: 'admin' }],
      ['member_removed', { chatId, userId }],
      ['message_edited', { chatId, messageId }],
      ['message_deleted', { chatId, messageId }],
      ['profile_updated', { fields: ['name'] }],
    ]);
    for (const { event, ip, sessionId, userAgent } of rows) {
      expect([event, ip, sessionId]).toEqual([event, '127.0.0.1', ann.sessionId]);
      const isOverSocket = ['member_updated', 'message_edited', 'profile_updated'].includes(event);
      expect([event, userAgent]).toEqual([event, isOverSocket ? 'a test' : expect.stringMatching(/^Bun\//)]);
    }
    expect((await listed('event=message_edited')).length).toBeGreaterThan(0);
    client.close();
  });

  test('a login, a wrong one, a logout, a change of password and of a role have one', async () => {
    const [ann] = await registerAll(server, 'Ann');
    const phone = await server.login(ann);
    await server.request('POST', '/v1/auth/login', { body: { email: ann.email, password: 'wrong' } });
    await must(server, phone, 'POST', '/auth/logout');
    const passwords = { oldPassword: ann.password, newPassword: 'a better one' };
    await must(server, ann, 'POST', '/auth/password', passwords);
    await must(server, root, 'PATCH', `/admin/users/${ann.id}`, { role: 'worker' });
    expect(await eventsOf(ann)).toEqual([
      'register',
      'login',
      'login_failed',
      'logout',
      'password_changed',
      'role_changed',
    ]);
    const [changed] = await listed(`user=${ann.id}&event=role_changed`);
    expect(changed).toMatchObject({ sessionId: root.sessionId, details: { by: root.id } });
    const [logout] = await listed(`user=${ann.id}&event=logout`);
    expect(logout.sessionId).toBe(phone.sessionId);
  });

  test('a token that brings nobody in over the socket has one, with the reason; a flood of them has ten a minute', async () => {
    const own = await open({ ADMIN_EMAILS: 'root@example.com', TRUST_PROXY: '1' });
    const ann = await own.register('Ann');
    const ended = await own.login(ann);
    await must(own, ended, 'POST', '/auth/logout');
    const knock = async (token: string, ip: string) => {
      const headers = { Authorization: `Bearer ${token}`, 'X-Forwarded-For': ip, 'User-Agent': 'a test' };
      const client = await openClient(`${own.url.replace('http', 'ws')}/ws`, { headers });
      expect((await client.closed).code).toBe(4401);
    };
    await knock('nonsense', '192.0.2.1');
    await knock(ended.accessToken, '192.0.2.2');
    const failures = () =>
      queryRows<Record<string, unknown>>(
        own.db,
        sql`SELECT user_id, session_id, ip, user_agent, details FROM audit_log WHERE event = 'login_failed' ORDER BY at, id`,
      );
    await until(async () => (await failures()).length === 2, 'both in the audit log');
    expect(await failures()).toEqual([
      {
        user_id: null,
        session_id: null,
        ip: '192.0.2.1',
        user_agent: 'a test',
        details: { source: 'ws', reason: 'bad token' },
      },
      {
        user_id: ann.id,
        session_id: ended.sessionId,
        ip: '192.0.2.2',
        user_agent: 'a test',
        details: { source: 'ws', reason: 'logout' },
      },
    ]);
    await Promise.all(Array.from({ length: 30 }, () => knock('nonsense', '192.0.2.3')));
    await until(async () => (await failures()).length >= 12, 'ten of them in the audit log');
    expect(await failures()).toHaveLength(12);
  });

  test('only admins read it', async () => {
    const [ann] = await registerAll(server, 'Ann');
    expect((await attempt(server, ann, 'GET', '/admin/audit')).status).toBe(403);
  });

  test('rows and ended sessions go with their age, and nothing else does', async () => {
    const own = await open();
    const [ann] = await registerAll(own, 'Ann');
    const [old, recent] = [await own.login(ann), await own.login(ann)];
    for (const session of [old, recent]) await must(own, session, 'POST', '/auth/logout');
    await own.db.execute(sql`
      UPDATE user_sessions SET revoked_at = now() - interval '31 days' WHERE id = ${old.sessionId}`);
    await own.db.execute(sql`
      UPDATE audit_log SET at = now() - interval '31 days' WHERE session_id = ${old.sessionId}`);
    await prune(own.db, 30);
    const sessions = await queryRows<{ id: string }>(own.db, sql`SELECT id FROM user_sessions ORDER BY id`);
    expect(sessions.map(({ id }) => id)).toEqual([ann.sessionId, recent.sessionId].sort());
    const rows = await queryRows<{ session_id: string; event: string }>(
      own.db,
      sql`SELECT session_id, event FROM audit_log ORDER BY at, id`,
    );
    expect(rows.map(({ session_id, event }) => [session_id, event])).toEqual([
      [ann.sessionId, 'register'],
      [recent.sessionId, 'login'],
      [recent.sessionId, 'logout'],
    ]);
    expect((await attempt(own, ann, 'GET', '/users/me')).status).toBe(200);
    // Whoever comes with a token of a session that is forgotten is told that it is over, and no more.
    expect((await attempt(own, old, 'GET', '/users/me')).status).toBe(401);
  });
});
