// What a mailbox proves: verified addresses, and passwords that are replaced. The mails are real ones, over SMTP.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../src/db/database.ts';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { startMailServer, type TestMailServer, tokenOf } from '../support/smtp.ts';
import { until } from '../support/until.ts';
import { readAudit, readUserEvents } from './log.ts';

const newEmail = () => `${crypto.randomUUID()}@example.com`;
const listed = `root-${crypto.randomUUID()}@example.com`;

onEachDatabase('recovery', (open) => {
  let mailServer: TestMailServer;
  let server: TestServer;
  beforeAll(async () => {
    mailServer = await startMailServer();
    server = await open({
      SMTP_URL: mailServer.url,
      MAIL_FROM: 'Carillon <no-reply@example.com>',
      PUBLIC_URL: 'https://chat.example.com/',
      ADMIN_EMAILS: listed,
    });
  });
  afterAll(() => mailServer.stop());

  const post = (path: string, body?: unknown, token?: string) =>
    server.request('POST', `/v1/auth/${path}`, { body, token });
  const me = (user: TestUser) => server.request('GET', '/v1/users/me', { token: user.accessToken });
  const countMails = async () => (await queryRows(server.db, sql`SELECT id FROM account_mails`)).length;
  const lastMailsAreSent = () => until(async () => (await countMails()) === 0, 'all mails sent');

  /** Asks, and answers the token of the mail. */
  const askVerification = async (user: TestUser, n = 1): Promise<string> => {
    expect((await post('verify/request', undefined, user.accessToken)).status).toBe(200);
    return tokenOf(await mailServer.mailTo(user.email, n));
  };
  const askReset = async (email: string, n = 1): Promise<string> => {
    expect(await post('password/reset/request', { email })).toMatchObject({ status: 200, body: {} });
    return tokenOf(await mailServer.mailTo(email, n));
  };

  test('an address is verified by the token of the mail, once', async () => {
    const ann = await server.register('Ann');
    const token = await askVerification(ann);
    const { data } = await mailServer.mailTo(ann.email);
    expect(data).toContain('From: Carillon <no-reply@example.com>');
    expect(data).toContain(`https://chat.example.com/account/verify#${token}`);
    expect((await me(ann)).body.emailVerified).toBe(false);
    expect(await post('verify', { token })).toMatchObject({ status: 200, body: {} });
    expect((await me(ann)).body.emailVerified).toBe(true);
    const again = await post('verify', { token });
    expect(again).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', details: [{ path: '/body/token' }] } },
    });
    expect(await post('verify/request', undefined, ann.accessToken)).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    });
    expect((await readAudit(server.db, ann.id)).map(({ event }) => event)).toEqual([
      'register',
      'email_verified',
    ]);
  });

  test('a token is stored as a hash alone, ends with its time, and is good for nothing else', async () => {
    const ann = await server.register('Ann');
    const first = await askVerification(ann);
    const rows = async () =>
      await queryRows<{ everything: string; hours: number }>(
        server.db,
        sql`SELECT row_to_json(t)::text AS everything, round(extract(epoch FROM expires_at - now()) / 3600)::int AS hours
            FROM account_tokens t WHERE user_id = ${ann.id} ORDER BY purpose`,
      );
    expect(JSON.stringify(await rows())).not.toContain(first);
    const second = await askVerification(ann, 2);
    expect((await post('verify', { token: first })).status).toBe(400); // the newest counts
    const reset = await askReset(ann.email, 3);
    expect((await rows()).map(({ hours }) => hours)).toEqual([1, 24]);
    expect((await post('verify', { token: reset })).status).toBe(400);
    expect((await post('password/reset', { token: second, password: 'a better one' })).status).toBe(400);
    await server.db.execute(sql`UPDATE account_tokens SET expires_at = now() WHERE user_id = ${ann.id}`);
    expect((await post('verify', { token: second })).status).toBe(400);
    expect((await post('password/reset', { token: reset, password: 'a better one' })).status).toBe(400);
    expect((await post('login', { email: ann.email, password: ann.password })).status).toBe(200);
  });

  test('a reset replaces the password, ends all sessions at once, and proves the address', async () => {
    const ann = await server.register('Ann');
    const phone = await server.login(ann);
    const client = await server.connect(phone);
    await post('password/reset/request', { email: ann.email.toUpperCase() });
    const token = tokenOf(await mailServer.mailTo(ann.email));
    expect(await post('password/reset', { token, password: 'a better one' })).toMatchObject({ status: 200 });
    expect(await client.closed).toMatchObject({ code: 4403, reason: 'password_changed' });
    for (const session of [ann, phone]) expect((await me(session)).status).toBe(401);
    expect((await post('login', { email: ann.email, password: ann.password })).status).toBe(401);
    const { status, body } = await post('login', { email: ann.email, password: 'a better one' });
    expect([status, body.user?.emailVerified]).toEqual([200, true]);
    expect((await post('password/reset', { token, password: 'a third one' })).status).toBe(400);
    expect(await readUserEvents(server.db, ann.id)).toHaveLength(2);
  });

  test('of two resets with one token at once one wins', async () => {
    const ann = await server.register('Ann');
    const token = await askReset(ann.email);
    const passwords = ['from the laptop', 'from the phone'];
    const answers = await Promise.all(
      passwords.map((password) => post('password/reset', { token, password })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
    const logins = await Promise.all(
      passwords.map((password) => post('login', { email: ann.email, password })),
    );
    expect(logins.map(({ status }) => status)).toEqual(
      answers.map(({ status }) => (status === 200 ? 200 : 401)),
    );
  });

  test('asking for a reset answers alike for whoever it is, and mails go only to those who are there', async () => {
    const off = await server.register('Off');
    await server.db.execute(sql`UPDATE users SET disabled_at = now() WHERE id = ${off.id}`);
    const ann = await server.register('Ann');
    const unknown = newEmail();
    const answers = [];
    for (const email of [unknown, off.email, ann.email])
      answers.push(await post('password/reset/request', { email }));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map(() => [200, {}]));
    await mailServer.mailTo(ann.email);
    await lastMailsAreSent();
    expect(mailServer.mails.filter(({ to }) => to === unknown || to === off.email)).toEqual([]);
  });

  test('what is written before the answer is the same whoever it is', async () => {
    const ann = await server.register('Ann');
    const unknown = newEmail();
    await Promise.all([ann.email, unknown].map((email) => post('password/reset/request', { email })));
    const events = await queryRows<{ event: string; user_id: string | null }>(
      server.db,
      sql`SELECT event, user_id FROM audit_log WHERE details ->> 'email' IN (${ann.email}, ${unknown})`,
    );
    expect(events).toEqual([
      { event: 'password_reset_requested', user_id: null },
      { event: 'password_reset_requested', user_id: null },
    ]);
  });

  test('a mail that the next server does not take is sent again, with a new token', async () => {
    const ann = await server.register('Ann');
    await lastMailsAreSent();
    mailServer.refuseWith('451 try later');
    await post('password/reset/request', { email: ann.email });
    await until(() => mailServer.refused > 0, 'the first attempt');
    await until(async () => {
      const [row] = await queryRows<{ attempts: number }>(server.db, sql`SELECT attempts FROM account_mails`);
      return row?.attempts === 1;
    }, 'the attempt written down');
    mailServer.refuseWith(undefined);
    await server.db.execute(sql`UPDATE account_mails SET send_at = now()`);
    const token = tokenOf(await mailServer.mailTo(ann.email));
    expect((await post('password/reset', { token, password: 'a better one' })).status).toBe(200);
    await lastMailsAreSent();
  });

  test('a mail that is never taken is given up', async () => {
    const ann = await server.register('Ann');
    await lastMailsAreSent();
    await server.db.execute(sql`
      INSERT INTO account_mails (id, purpose, email, attempts) VALUES (gen_random_uuid(), 'reset', ${ann.email}, 4)`);
    await lastMailsAreSent();
    expect(mailServer.mails.filter(({ to }) => to === ann.email)).toEqual([]);
  });

  test('ADMIN_EMAILS makes an admin of nobody before the address is verified', async () => {
    const registered = await post('register', { email: listed, password: 'correct horse', name: 'Root' });
    const { accessToken, user } = registered.body;
    expect(user.role).toBe('user');
    const root = { accessToken, email: listed } as TestUser; // what is used of it
    const token = await askVerification(root);
    expect((await server.request('GET', '/v1/admin/users', { token: accessToken })).status).toBe(403);
    expect((await post('verify', { token })).status).toBe(200);
    expect((await server.request('GET', '/v1/admin/users', { token: accessToken })).status).toBe(200);
    expect(await readUserEvents(server.db, user.id)).toEqual([
      { type: 'role.changed', payload: { role: 'admin' } },
    ]);
    expect((await readAudit(server.db, user.id)).at(-1)).toMatchObject({
      event: 'role_changed',
      details: { by: 'ADMIN_EMAILS', to: 'admin' },
    });
  });

  test('mails are limited by address and by account, whether it is there or not', async () => {
    const limited = await open({ RATE_MAILS_PER_HOUR: '2', TRUST_PROXY: '1' });
    let n = 0;
    const ask = async (email: string, ip?: string) => {
      n += 1;
      const headers = { 'X-Forwarded-For': ip ?? `192.0.2.${n}` };
      const path = '/v1/auth/password/reset/request';
      return (await limited.request('POST', path, { body: { email }, headers })).status;
    };
    const ann = await limited.register('Ann');
    for (const email of [ann.email, newEmail()]) {
      expect([await ask(email), await ask(email.toUpperCase()), await ask(email)]).toEqual([200, 200, 429]);
    }
    const ip = '198.51.100.1';
    expect([await ask(newEmail(), ip), await ask(newEmail(), ip), await ask(newEmail(), ip)]).toEqual([
      200, 200, 429,
    ]);
    const verify = async () =>
      (await limited.request('POST', '/v1/auth/verify/request', { token: ann.accessToken })).status;
    expect([await verify(), await verify(), await verify()]).toEqual([200, 200, 429]);
  });
});
