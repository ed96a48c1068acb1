// Registering, logging in, changing the password.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { createAccounts } from '../../src/auth/accounts.ts';
import { createAudit } from '../../src/auth/audit.ts';
import { createPasswords, type Passwords } from '../../src/auth/passwords.ts';
import { countInMemory, createRateLimits } from '../../src/auth/rate-limits.ts';
import { createSessions } from '../../src/auth/sessions.ts';
import { createStandings } from '../../src/auth/standings.ts';
import { createTokens } from '../../src/auth/tokens.ts';
import { readConfig } from '../../src/config.ts';
import { queryRows } from '../../src/db/database.ts';
import { createCommit } from '../../src/realtime/log/commit.ts';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, quietEnv, type TestServer } from '../support/server.ts';
import { readAudit, readUserEvents } from './log.ts';

const newEmail = () => `${crypto.randomUUID()}@example.com`;

onEachDatabase('accounts', (open) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open();
  });

  const post = (path: string, body: unknown, token?: string) =>
    server.request('POST', `/v1/auth/${path}`, { body, token });

  test('registering answers the user and tokens that work', async () => {
    const email = newEmail();
    const { status, body } = await post('register', { email, password: 'correct horse', name: 'Ann' });
    expect(status).toBe(201);
    expect(body.user).toEqual({
      id: expect.any(String),
      email,
      name: 'Ann',
      avatarUrl: null,
      role: 'user',
      emailVerified: false,
      lastSeenAt: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    expect(Object.keys(body).sort()).toEqual([
      'accessToken',
      'expiresAt',
      'refreshToken',
      'sessionId',
      'user',
    ]);
    const inSeconds = (new Date(body.expiresAt).getTime() - Date.now()) / 1_000;
    expect(inSeconds).toBeGreaterThan(890);
    expect(inSeconds).toBeLessThanOrEqual(900);
    const me = await server.request('GET', '/v1/users/me', { token: body.accessToken });
    expect(me).toMatchObject({ status: 200, body: body.user });
  });

  test('registering writes user, session and audit row together, and no event', async () => {
    const ann = await server.register('Ann');
    const sessions = await queryRows<{ id: string }>(
      server.db,
      sql`SELECT id FROM user_sessions WHERE user_id = ${ann.id}`,
    );
    expect(sessions).toEqual([{ id: ann.sessionId }]);
    expect(await readAudit(server.db, ann.id)).toMatchObject([
      { event: 'register', details: { sessionId: ann.sessionId } },
    ]);
    expect(await readUserEvents(server.db, ann.id)).toEqual([]);
  });

  test('a taken e-mail is a conflict in any case of its letters, and leaves nothing behind', async () => {
    const email = newEmail();
    await server.register('Ann', { email });
    const count = () => queryRows(server.db, sql`SELECT count(*) AS n FROM user_sessions`);
    const before = await count();
    for (const taken of [email, email.toUpperCase()]) {
      const { status, body } = await post('register', { email: taken, password: 'another one', name: 'Bob' });
      expect(status).toBe(409);
      expect(body.error.code).toBe('conflict');
    }
    expect(await count()).toEqual(before);
  });

  test('of registrations of one e-mail that race, in any case, one wins', async () => {
    const email = newEmail();
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        post('register', {
          email: index % 2 === 0 ? email : email.toUpperCase(),
          password: 'correct horse',
          name: `Racer ${index}`,
        }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
    const rows = await queryRows<{ n: string }>(
      server.db,
      sql`SELECT count(*) AS n FROM users WHERE lower(email) = lower(${email})`,
    );
    expect(Number(rows[0]?.n)).toBe(1);
  });

  test('passwords are kept as argon2id with 19 MiB and two passes, tokens not at all', async () => {
    const ann = await server.register('Ann');
    const [user] = await queryRows<{ password_hash: string }>(
      server.db,
      sql`SELECT password_hash FROM users WHERE id = ${ann.id}`,
    );
    expect(user?.password_hash).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$');
    const [session] = await queryRows<{ everything: string }>(
      server.db,
      sql`SELECT row_to_json(s)::text AS everything FROM user_sessions s WHERE id = ${ann.sessionId}`,
    );
    expect(session?.everything).not.toContain(ann.refreshToken);
    expect(session?.everything).not.toContain(ann.refreshToken.split('.')[2] ?? 'nothing');
  });

  test('logging in opens another session, whatever the case of the e-mail', async () => {
    const ann = await server.register('Ann');
    const { status, body } = await post('login', { email: ann.email.toUpperCase(), password: ann.password });
    expect(status).toBe(200);
    expect(body.user.id).toBe(ann.id);
    expect(body.sessionId).not.toBe(ann.sessionId);
    const first = await server.request('GET', '/v1/users/me', { token: ann.accessToken });
    const second = await server.request('GET', '/v1/users/me', { token: body.accessToken });
    expect([first.status, second.status]).toEqual([200, 200]);
    expect((await readAudit(server.db, ann.id)).map(({ event }) => event)).toEqual(['register', 'login']);
  });

  test('a wrong e-mail, a wrong password and a disabled user answer the same', async () => {
    const ann = await server.register('Ann');
    const off = await server.register('Off');
    await server.db.execute(sql`UPDATE users SET disabled_at = now() WHERE id = ${off.id}`);
    const answers = [
      await post('login', { email: newEmail(), password: ann.password }),
      await post('login', { email: ann.email, password: 'a wrong password' }),
      await post('login', { email: off.email, password: off.password }),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(401);
      expect(body).toEqual({
        error: { code: 'unauthorized', message: 'The e-mail or the password is wrong.' },
      });
    }
    expect((await readAudit(server.db, ann.id)).at(-1)).toMatchObject({
      event: 'login_failed',
      details: { email: ann.email },
    });
  });

  test('a wrong e-mail costs the server about as much as a wrong password', async () => {
    const ann = await server.register('Ann');
    const timeOf = async (email: string): Promise<number> => {
      const startedAt = performance.now();
      await post('login', { email, password: 'a wrong password' });
      return performance.now() - startedAt;
    };
    const known: number[] = [];
    const unknown: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      known.push(await timeOf(ann.email));
      unknown.push(await timeOf(newEmail()));
    }
    // Without the dummy hash the unknown one takes less than a tenth.
    expect(Math.min(...unknown)).toBeGreaterThan(Math.min(...known) / 2);
  });

  test('changing the password ends the other sessions, each with its event, and keeps this one', async () => {
    const ann = await server.register('Ann');
    const phone = await server.login(ann);
    const tablet = await server.login(ann);
    const body = { oldPassword: ann.password, newPassword: 'a better one' };
    const answer = await post('password', body, phone.accessToken);
    expect(answer).toMatchObject({ status: 200, body: { id: ann.id } });

    const statusWith = async (token: string) =>
      (await server.request('GET', '/v1/users/me', { token })).status;
    expect(await statusWith(phone.accessToken)).toBe(200);
    expect(await statusWith(ann.accessToken)).toBe(401);
    expect(await statusWith(tablet.accessToken)).toBe(401);
    const events = await readUserEvents(server.db, ann.id);
    expect(events).toHaveLength(2);
    for (const { sessionId } of [ann, tablet]) {
      expect(events).toContainEqual({
        type: 'session.revoked',
        payload: { sessionId, reason: 'password_changed' },
      });
    }
    expect((await post('login', { email: ann.email, password: ann.password })).status).toBe(401);
    expect((await post('login', { email: ann.email, password: 'a better one' })).status).toBe(200);
    expect((await readAudit(server.db, ann.id)).map(({ event }) => event)).toContain('password_changed');
  });

  test('a wrong old password is forbidden and changes nothing', async () => {
    const ann = await server.register('Ann');
    const body = { oldPassword: 'not this one', newPassword: 'a better one' };
    const answer = await post('password', body, ann.accessToken);
    expect(answer).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
    expect((await post('login', { email: ann.email, password: ann.password })).status).toBe(200);
    expect((await readAudit(server.db, ann.id)).map(({ event }) => event)).toContain('login_failed');
  });

  test('of two password changes at once one wins, and the other session is over', async () => {
    const ann = await server.register('Ann');
    const phone = await server.login(ann);
    const answers = await Promise.all([
      post('password', { oldPassword: ann.password, newPassword: 'from the laptop' }, ann.accessToken),
      post('password', { oldPassword: ann.password, newPassword: 'from the phone' }, phone.accessToken),
    ]);
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(answers.map(({ status }) => status).filter((status) => status >= 500)).toEqual([]);
    const live = await queryRows(
      server.db,
      sql`SELECT id FROM user_sessions WHERE user_id = ${ann.id} AND revoked_at IS NULL`,
    );
    expect(live).toHaveLength(1);
  });

  /** Accounts on the same database, in which something happens between a password's check and what follows from it. */
  const createSlow = (meanwhile: () => Promise<unknown>) => {
    const { db } = server;
    const config = readConfig(quietEnv);
    const commit = createCommit(db, () => {});
    const audit = createAudit(db);
    const standings = createStandings(db);
    const tokens = createTokens('a secret of this test, 32 characters or more', 900);
    const sessions = createSessions({ config, db, commit, audit, tokens, standings });
    const limits = createRateLimits(config, db, audit, countInMemory);
    const passwords: Passwords = createPasswords();
    const slow: Passwords = {
      ...passwords,
      async verify(password, hash) {
        const isRight = await passwords.verify(password, hash);
        await meanwhile();
        return isRight;
      },
    };
    return createAccounts({ config, db, commit, audit, limits, passwords: slow, sessions, standings });
  };
  const device = { ip: '192.0.2.1', userAgent: 'a test' };
  const countSessions = async (userId: string) =>
    (await queryRows(server.db, sql`SELECT id FROM user_sessions WHERE user_id = ${userId}`)).length;

  test('a login whose password is changed behind its check, or whose user is disabled, opens no session', async () => {
    const events: ((ann: TestUser) => Promise<unknown>)[] = [
      async (ann) => {
        const body = { oldPassword: ann.password, newPassword: 'a better one' };
        expect((await post('password', body, ann.accessToken)).status).toBe(200);
      },
      (ann) => server.db.execute(sql`UPDATE users SET disabled_at = now() WHERE id = ${ann.id}`),
    ];
    for (const happen of events) {
      const ann = await server.register('Ann');
      const accounts = createSlow(() => happen(ann));
      const refusal = await accounts.login(ann, device).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'unauthorized' });
      expect(await countSessions(ann.id)).toBe(1);
    }
  });

  test('a password that was changed behind the check of the old one is not changed again', async () => {
    const ann = await server.register('Ann');
    const newPassword = 'what the other one chose';
    const accounts = createSlow(() =>
      post('password', { oldPassword: ann.password, newPassword }, ann.accessToken),
    );
    const actor = { userId: ann.id, sessionId: ann.sessionId, role: 'user', source: 'http' } as const;
    const refusal = await accounts
      .changePassword(actor, { oldPassword: ann.password, newPassword: 'what I chose' })
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'conflict' });
    expect((await post('login', { email: ann.email, password: newPassword })).status).toBe(200);
    expect((await post('login', { email: ann.email, password: 'what I chose' })).status).toBe(401);
  });

  test('a password is not changed for a session that ended behind the check of the old one', async () => {
    const ann = await server.register('Ann');
    const accounts = createSlow(() => post('logout', undefined, ann.accessToken));
    const actor = { userId: ann.id, sessionId: ann.sessionId, role: 'user', source: 'http' } as const;
    const refusal = await accounts
      .changePassword(actor, { oldPassword: ann.password, newPassword: 'what I chose' })
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'unauthorized', details: { reason: 'logout' } });
    expect((await post('login', { email: ann.email, password: ann.password })).status).toBe(200);
  });
});
