// How often one may log in, register, send.

import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { createAudit } from '../../src/auth/audit.ts';
import { countInMemory, createRateLimits, type RateLimits } from '../../src/auth/rate-limits.ts';
import { createLimitHits } from '../../src/auth/refusals.ts';
import { readConfig } from '../../src/config.ts';
import { type Db, queryRows } from '../../src/db/database.ts';
import { messagesPerMinute } from '../../src/modules/chat/limits.ts';
import { AppError } from '../../src/protocol/errors.ts';
import { openClient } from '../support/client.ts';
import { reportInto } from '../support/reporter.ts';
import { onEachDatabase, quietEnv } from '../support/server.ts';
import { until } from '../support/until.ts';

const noLimits = readConfig(quietEnv);

const actorOf = (userId: string) => ({ userId, sessionId: userId, role: 'user', source: 'ws' }) as const;

onEachDatabase('rate limits', (open) => {
  test('logins are limited by account, also from many addresses that are new to it', async () => {
    const server = await open({ RATE_LOGINS_PER_MINUTE: '3', TRUST_PROXY: '1' });
    const ann = await server.register('Ann');
    const bob = await server.register('Bob');
    let address = 0;
    const login = (email: string, password = ann.password) => {
      address += 1;
      const headers = { 'X-Forwarded-For': `192.0.2.${address}` };
      return server.request('POST', '/v1/auth/login', { body: { email, password }, headers });
    };
    expect((await login(ann.email)).status).toBe(200);
    expect((await login(ann.email.toUpperCase(), 'a wrong one')).status).toBe(401);
    expect((await login(ann.email)).status).toBe(200);
    const { status, body, headers } = await login(ann.email);
    expect(status).toBe(429);
    expect(body.error.code).toBe('rate_limited');
    expect(body.error.retryAfterMs).toBeGreaterThan(0);
    expect(body.error.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(Number(headers.get('Retry-After'))).toBe(Math.ceil(body.error.retryAfterMs / 1_000));
    expect((await login(bob.email)).status).toBe(200);
  });

  test('logins are limited by address, whoever it is that logs in', async () => {
    const server = await open({ RATE_LOGINS_PER_MINUTE: '3' });
    const login = () =>
      server.request('POST', '/v1/auth/login', {
        body: { email: `${crypto.randomUUID()}@example.com`, password: 'whatever it is' },
        headers: { 'X-Forwarded-For': `192.0.2.${Math.floor(Math.random() * 255)}` }, // not believed
      });
    for (let count = 0; count < 3; count += 1) expect((await login()).status).toBe(401);
    expect((await login()).status).toBe(429);
  });

  test('whoever guesses from elsewhere locks nobody out at an address that logged in before', async () => {
    const server = await open({ RATE_LOGINS_PER_MINUTE: '3', TRUST_PROXY: '1' });
    const from = (ip: string) => ({ 'X-Forwarded-For': ip });
    const login = async (ip: string, email: string, password: string) => {
      const body = { email, password };
      return (await server.request('POST', '/v1/auth/login', { body, headers: from(ip) })).status;
    };
    const password = 'correct horse battery';
    const email = `${crypto.randomUUID()}@example.com`;
    const registered = await server.request('POST', '/v1/auth/register', {
      body: { email, password, name: 'Ann' },
      headers: from('2001:db8:0:1::1'),
    });
    expect(await login('192.0.2.1', email, password)).toBe(200);
    // Two of three are left for addresses that the account does not know.
    for (let n = 1; n <= 10; n += 1) {
      expect(await login(`198.51.100.${n}`, email, 'a wrong one')).toBe(n <= 2 ? 401 : 429);
    }
    expect(await login('203.0.113.7', email, password)).toBe(429); // a new one has to wait
    expect(await login('192.0.2.1', email, password)).toBe(200);
    expect(await login('2001:db8:0:1:ffff::9', email.toUpperCase(), password)).toBe(200); // the same network
    expect(await login('2001:db8:0:2::1', email, password)).toBe(429);
    // To know the address of one account helps with no other, and wrong logins make none known.
    expect(await login('198.51.100.1', email, password)).toBe(429);
    const other = await server.register('Bob');
    for (let n = 1; n <= 3; n += 1)
      expect(await login(`198.51.100.${20 + n}`, other.email, 'a wrong one')).toBe(401);
    expect(await login('192.0.2.1', other.email, other.password)).toBe(429);
    // An address that is known is limited like any address.
    expect(await login('2001:db8:0:1::1', email, 'a wrong one')).toBe(401);
    expect(await login('2001:db8:0:1::1', email, 'a wrong one')).toBe(401);
    expect(await login('2001:db8:0:1::1', email, password)).toBe(429);

    const change = await server.request('POST', '/v1/auth/password', {
      token: registered.body.accessToken,
      body: { oldPassword: password, newPassword: 'a better one' },
      headers: from('2001:db8:0:1::1'),
    });
    expect(change.status).toBe(200);
  });

  test('guessing the old password is limited by session, whatever others do', async () => {
    const server = await open({ RATE_LOGINS_PER_MINUTE: '2' });
    const ann = await server.register('Ann');
    const guess = () =>
      server.request('POST', '/v1/auth/password', {
        body: { oldPassword: crypto.randomUUID(), newPassword: 'a better one' },
        token: ann.accessToken,
      });
    expect([(await guess()).status, (await guess()).status, (await guess()).status]).toEqual([403, 403, 429]);
    // Another session of the owner, who knows the password, is not held up by a thief's.
    const own = await server.login(ann);
    const change = await server.request('POST', '/v1/auth/password', {
      body: { oldPassword: ann.password, newPassword: 'a better one' },
      token: own.accessToken,
    });
    expect(change.status).toBe(200);
    expect((await readHits(server.db)).map(({ details }) => details)).toEqual([
      { limit: 'password changes' },
    ]);
  });

  test('registrations are limited by address; the limit that was hit is in the audit log once', async () => {
    const server = await open({ RATE_REGISTRATIONS_PER_HOUR: '2' });
    const register = () =>
      server.request('POST', '/v1/auth/register', {
        body: { email: `${crypto.randomUUID()}@example.com`, password: 'correct horse', name: 'Ann' },
      });
    const statuses: number[] = [];
    for (let count = 0; count < 5; count += 1) statuses.push((await register()).status);
    expect(statuses).toEqual([201, 201, 429, 429, 429]);
    const { body } = await register();
    expect(body.error.retryAfterMs).toBeGreaterThan(3_000_000);
    expect(await readHits(server.db)).toEqual([
      { user_id: null, ip: '127.0.0.1', details: { limit: 'registrations' } },
    ]);
  });

  test('messages are limited by user, and 0 is no limit', async () => {
    const { db } = await open();
    const limits = (points: number): RateLimits =>
      createRateLimits({ ...noLimits, messagesPerMinute: points }, db, createAudit(db), countInMemory);
    const [ann, bob] = [crypto.randomUUID(), crypto.randomUUID()].map(actorOf);
    if (ann === undefined || bob === undefined) throw new Error('There are two.');
    const two = limits(2);
    await two.take(messagesPerMinute, ann);
    await two.take(messagesPerMinute, ann);
    const refusal = await two.take(messagesPerMinute, ann).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AppError);
    expect(refusal).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    await two.take(messagesPerMinute, bob);
    expect(await readHits(db)).toEqual([{ user_id: ann.userId, ip: null, details: { limit: 'messages' } }]);
    const none = limits(0);
    for (let count = 0; count < 100; count += 1) await none.take(messagesPerMinute, ann);
  });

  test('a limit of the socket that is hit is in the audit log once, by user and limit', async () => {
    const { db } = await open();
    const failures: unknown[] = [];
    const hit = createLimitHits(db, createAudit(db), reportInto(failures));
    const [ann, bob] = [crypto.randomUUID(), crypto.randomUUID()];
    for (const userId of [ann, ann, bob, ann]) {
      hit(actorOf(userId), 'commands a second');
      hit(actorOf(userId), 'connections');
    }
    await until(async () => (await readHits(db)).length >= 4, 'each in the audit log');
    const rowsOf = (userId: string) =>
      ['commands a second', 'connections'].map((limit) => ({
        user_id: userId,
        ip: null,
        details: { limit },
      }));
    const hits = await readHits(db);
    expect(hits).toHaveLength(4);
    expect(hits).toEqual(expect.arrayContaining([...rowsOf(ann), ...rowsOf(bob)]));
    expect(failures).toEqual([]);
  });

  test('too many commands and too many connections are in the audit log', async () => {
    const server = await open({ MAX_COMMANDS_PER_SECOND: '2', MAX_CONNECTIONS_PER_USER: '1' });
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const replies = await Promise.all(Array.from({ length: 9 }, () => client.request('ping')));
    expect(replies.at(-1)?.error.code).toBe('rate_limited');
    const second = await openClient(`${server.url.replace('http', 'ws')}/ws?token=${ann.accessToken}`);
    expect((await second.closed).code).toBe(1013);
    const readLimits = async () => (await readHits(server.db)).map(({ details }) => details);
    await until(async () => (await readLimits()).length >= 2, 'both in the audit log');
    expect(await readLimits()).toEqual([{ limit: 'commands a second' }, { limit: 'connections' }]);
    client.close();
  });

  test('one network of IPv6 counts as one address', async () => {
    const { db } = await open();
    const limits = createRateLimits(
      { ...noLimits, registrationsPerHour: 2 },
      db,
      createAudit(db),
      countInMemory,
    );
    const register = async (ip: string) => {
      const refusal = await limits
        .takeRegistration({ ip, userAgent: undefined })
        .catch((error: unknown) => error);
      return refusal === undefined ? 'let in' : 'refused';
    };
    expect(await register('2001:db8:0:1::1')).toBe('let in');
    expect(await register('2001:DB8:0:1:ffff:2:3:4')).toBe('let in');
    expect(await register('2001:db8::1:0:0:0:9')).toBe('refused');
    expect(await register('2001:db8:0:2::1')).toBe('let in');
    expect(await register('::1')).toBe('let in');
  });
});

function readHits(db: Db): Promise<{ user_id: string | null; ip: string | null; details: object }[]> {
  return queryRows(
    db,
    sql`SELECT user_id, ip, details FROM audit_log WHERE event = 'rate_limited' ORDER BY at`,
  );
}
