// Rights that change while they are used: whatever changes them decides behind a lock, by what is so at that moment, and
// not by what an instance remembers. So no one keeps or takes back what was taken, and one admin always remains.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../src/db/database.ts';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { readAudit } from './log.ts';

const rounds = 20;

onEachDatabase('rights that change', (open, database) => {
  let first: TestServer;
  /** The embedded database belongs to one instance. */
  let second: TestServer;
  let root: TestUser;

  beforeAll(async () => {
    first = await open({ ADMIN_EMAILS: 'root@example.com' });
    second = database.kind === 'embedded' ? first : await open(first.env);
    root = await first.register('Root', { email: 'root@example.com' });
  });
  afterAll(async () => {
    await Promise.all([first.stop(), second.stop()]);
  });

  const change = (server: TestServer, by: TestUser, of: TestUser, body: object) =>
    server.request('PATCH', `/v1/admin/users/${of.id}`, { token: by.accessToken, body });
  const makeAdmin = async (name: string): Promise<TestUser> => {
    const user = await first.register(name);
    expect((await change(first, root, user, { role: 'admin' })).status).toBe(200);
    return user;
  };
  const readActiveAdmins = async (): Promise<string[]> => {
    const rows = await queryRows<{ id: string }>(
      first.db,
      sql`SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id`,
    );
    return rows.map(({ id }) => id);
  };
  const isActiveAdmin = async (user: TestUser) => (await readActiveAdmins()).includes(user.id);

  test('an admin who was demoted or disabled cannot take it back, where an instance remembers him as one', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const mallory = await makeAdmin('Mallory');
      const me = await second.request('GET', '/v1/users/me', { token: mallory.accessToken });
      expect(me.body.role).toBe('admin'); // and remembered for a second
      const isDisabled = round % 2 === 1;
      const taken = await change(first, root, mallory, isDisabled ? { disabled: true } : { role: 'user' });
      expect(taken.status).toBe(200);
      const back = await change(second, mallory, mallory, { role: 'admin', disabled: false });
      expect([round, back.status]).toEqual([round, isDisabled ? 401 : 403]);
      expect(await isActiveAdmin(mallory)).toBe(false);
    }
  });

  test('an admin who races his demotion stays demoted, and so does nothing behind it', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const mallory = await makeAdmin('Mallory');
      const victim = await first.register('Victim');
      await second.request('GET', '/v1/users/me', { token: mallory.accessToken });
      const answers = await Promise.all([
        change(first, root, mallory, { role: 'user' }),
        change(second, mallory, mallory, { role: 'admin', disabled: false }),
        change(second, mallory, victim, { role: 'worker' }),
      ]);
      expect(answers[0].status).toBe(200);
      expect(await isActiveAdmin(mallory)).toBe(false);
      // In the order in which they counted: what Mallory did came before what was done to him.
      if (answers[2].status !== 200) expect(answers[2].body.error.code).toBe('forbidden');
      const promoted = (await readAudit(first.db, victim.id)).filter(({ event }) => event === 'role_changed');
      expect(promoted).toHaveLength(answers[2].status === 200 ? 1 : 0);
      expect((await change(second, mallory, victim, { role: 'admin' })).status).toBe(403);
    }
  });

  test('of two admins who disable or demote each other at once exactly one succeeds', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const pair = [await makeAdmin('Ann'), await makeAdmin('Bob')] as const;
      const [ann, bob] = pair;
      for (const user of pair) await second.request('GET', '/v1/users/me', { token: user.accessToken });
      const body = round % 2 === 0 ? { disabled: true } : { role: 'user' };
      const answers = await Promise.all([change(first, ann, bob, body), change(second, bob, ann, body)]);
      const statuses = answers.map(({ status }) => status);
      expect(statuses.toSorted()).toEqual([200, round % 2 === 0 ? 401 : 403]);
      expect([await isActiveAdmin(ann), await isActiveAdmin(bob)]).toEqual([
        statuses[0] === 200,
        statuses[1] === 200,
      ]);
      const [winner] = statuses[0] === 200 ? pair : [bob];
      expect((await change(first, root, winner, { role: 'user' })).status).toBe(200);
    }
  });

  test('one admin remains, whatever the last ones do to each other and to themselves', async () => {
    for (let round = 0; round < 5; round += 1) {
      const three = [await makeAdmin('Ann'), await makeAdmin('Bob'), await makeAdmin('Cy')];
      const [ann] = three;
      if (ann === undefined) throw new Error('There are three.');
      // Not root, who must not be the one that remains.
      await first.db.execute(sql`UPDATE users SET role = 'user' WHERE id = ${root.id}`);
      const everything = three.flatMap((by) =>
        three.flatMap((of) => [
          change(first, by, of, { disabled: true }),
          change(second, by, of, { role: 'user' }),
        ]),
      );
      for (const { status } of await Promise.all(everything)) expect([200, 401, 403]).toContain(status);
      expect(await readActiveAdmins()).toHaveLength(1);
      await first.db.execute(sql`UPDATE users SET role = 'admin' WHERE id = ${root.id}`);
      await first.db.execute(sql`UPDATE users SET role = 'user' WHERE role = 'admin' AND id <> ${root.id}`);
      await until(
        async () =>
          (await first.request('GET', '/v1/admin/users', { token: root.accessToken })).status === 200,
        'root is an admin again',
      );
    }
  });

  test('nobody changes his own standing', async () => {
    const ann = await makeAdmin('Ann');
    for (const body of [
      { role: 'user' },
      { role: 'worker' },
      { disabled: true },
      { role: 'user', disabled: true },
    ]) {
      expect(await change(first, ann, ann, body)).toMatchObject({
        status: 403,
        body: { error: { code: 'forbidden' } },
      });
    }
    expect(await isActiveAdmin(ann)).toBe(true);
    await change(first, root, ann, { role: 'user' });
  });

  test('what admins may read is read by who is one now, on every instance at once', async () => {
    const ann = await makeAdmin('Ann');
    const read = () => second.request('GET', '/v1/admin/audit', { token: ann.accessToken });
    expect((await read()).status).toBe(200);
    await change(first, root, ann, { role: 'user' });
    expect((await read()).status).toBe(403);
    await change(first, root, ann, { role: 'admin' });
    expect((await read()).status).toBe(200);
    await change(first, root, ann, { role: 'user' });
  });

  test('a session that has ended changes nothing any more, where an instance remembers it', async () => {
    const attempts = [
      (ann: TestUser, token: string) =>
        second.request('POST', '/v1/auth/password', {
          token,
          body: { oldPassword: ann.password, newPassword: 'a better one' },
        }),
      (ann: TestUser, token: string) =>
        second.request('DELETE', `/v1/auth/sessions/${ann.sessionId}`, { token }),
      (_: TestUser, token: string) =>
        second.request('PATCH', '/v1/users/me', { token, body: { name: 'Mallory' } }),
    ];
    for (const attempt of attempts) {
      const ann = await first.register('Ann');
      const { accessToken: stolen, sessionId } = await first.login(ann);
      expect((await second.request('GET', '/v1/users/me', { token: stolen })).status).toBe(200);
      const ended = await first.request('DELETE', `/v1/auth/sessions/${sessionId}`, {
        token: ann.accessToken,
      });
      expect(ended.status).toBe(200);
      expect((await attempt(ann, stolen)).status).toBe(401);
      const me = await first.request('GET', '/v1/users/me', { token: ann.accessToken });
      expect(me).toMatchObject({ status: 200, body: { name: 'Ann' } });
    }
  });
});
