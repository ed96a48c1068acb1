// Profiles, mine and others'.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { readUserEvents } from './log.ts';

onEachDatabase('users', (open) => {
  let server: TestServer;
  let ann: TestUser;
  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
  });

  const get = (path: string) => server.request('GET', `/v1/users${path}`, { token: ann.accessToken });
  const patchMe = (user: TestUser, body: unknown) =>
    server.request('PATCH', '/v1/users/me', { token: user.accessToken, body });
  const namesOf = (body: { items: { name: string }[] }) => body.items.map(({ name }) => name);

  test('my profile changes by what I send and nothing else, and my topic hears of it', async () => {
    const bob = await server.register('Bob');
    const avatarUrl = 'https://example.com/bob.png?size=1';
    const first = await patchMe(bob, { avatarUrl });
    expect(first).toMatchObject({ status: 200, body: { name: 'Bob', avatarUrl, email: bob.email } });
    const second = await patchMe(bob, { name: 'Robert 🦊' });
    expect(second.body).toMatchObject({ name: 'Robert 🦊', avatarUrl });
    expect((await patchMe(bob, { avatarUrl: null })).body.avatarUrl).toBeNull();
    const updated = (payload: Record<string, unknown>) => ({ type: 'profile.updated', payload });
    expect(await readUserEvents(server.db, bob.id)).toEqual([
      updated({ id: bob.id, name: 'Bob', avatarUrl }),
      updated({ id: bob.id, name: 'Robert 🦊', avatarUrl }),
      updated({ id: bob.id, name: 'Robert 🦊', avatarUrl: null }),
    ]);
  });

  test('a profile takes only names and web addresses', async () => {
    const refused = [
      {},
      { name: '' },
      { name: ' ' },
      { name: 'x'.repeat(81) },
      { name: 'two\nlines' },
      { name: 'a\u0000b' },
      { name: '\ud800' },
      { name: 7 },
      { name: null },
      { avatarUrl: 'javascript:alert(1)' },
      { avatarUrl: 'https://exa mple.com' },
      { avatarUrl: 'https://%' },
      { avatarUrl: `https://example.com/${'x'.repeat(2048)}` },
      { email: 'other@example.com' },
      { role: 'admin' },
      { name: 'Ann', id: crypto.randomUUID() },
    ];
    for (const body of refused) {
      const answer = await patchMe(ann, body);
      expect([body, answer.status, answer.body.error?.code]).toEqual([body, 400, 'invalid']);
    }
    expect((await get('/me')).body).toMatchObject({ name: 'Ann', role: 'user', avatarUrl: null });
  });

  test("another's profile shows no more than its public face", async () => {
    const bob = await server.register('Bob');
    const face = { id: bob.id, name: 'Bob', avatarUrl: null, lastSeenAt: null };
    expect(await get(`/${bob.id}`)).toMatchObject({ status: 200 });
    expect((await get(`/${bob.id}`)).body).toEqual(face);
    expect((await get(`?ids=${bob.id}`)).body).toEqual({ items: [face], nextCursor: null });
  });

  test('an unknown user is not found, a malformed id invalid', async () => {
    expect((await get(`/${crypto.randomUUID()}`)).status).toBe(404);
    expect((await get('/nonsense')).status).toBe(400);
  });

  test('profiles come in batches of up to 100 ids; those that do not exist are left out', async () => {
    const bob = await server.register('Bob');
    const strangers = Array.from({ length: 98 }, () => crypto.randomUUID());
    const ids = [ann.id, bob.id, ...strangers];
    const { status, body } = await get(`?ids=${ids.join(',')}`);
    expect(status).toBe(200);
    expect(body.items.map(({ id }: { id: string }) => id).sort()).toEqual([ann.id, bob.id].sort());
    expect((await get(`?ids=${[...ids, crypto.randomUUID()].join(',')}`)).status).toBe(400);
    expect((await get('?ids=a,b')).status).toBe(400);
    expect((await get('?ids=')).status).toBe(400);
    expect((await get('')).body.error.code).toBe('invalid');
    expect((await get(`?ids=${bob.id}&search=b`)).status).toBe(400);
    for (const paging of ['limit=1', 'limit=50', 'cursor=x']) {
      expect((await get(`?ids=${bob.id}&${paging}`)).body.error.message).toContain('one page');
    }
  });

  test('search finds a part of the name in any case, taking wildcards for what they are', async () => {
    const token = crypto.randomUUID().slice(0, 8);
    for (const name of [`Zoë ${token}`, `${token} 100%`, `a_b\\c ${token}`]) await server.register(name);
    const search = async (text: string) => namesOf((await get(`?search=${encodeURIComponent(text)}`)).body);
    expect(await search(token.toUpperCase())).toHaveLength(3);
    expect(await search(`ZOË ${token}`)).toEqual([`Zoë ${token}`]);
    expect(await search(`${token} 100%`)).toEqual([`${token} 100%`]);
    expect(await search(`a_b\\c ${token}`)).toEqual([`a_b\\c ${token}`]);
    expect(await search(`a%c ${token}`)).toEqual([]);
    expect(await search(`aXb\\c ${token}`)).toEqual([]);
    expect(await search(`' OR 1=1 -- ${token}`)).toEqual([]);
  });

  test('search pages by name without repeat or gap, and leaves out disabled users', async () => {
    const token = crypto.randomUUID().slice(0, 8);
    const names = [`b ${token}`, `A ${token}`, `c ${token}`, `a ${token}`, `B ${token}`];
    for (const name of names) await server.register(name);
    const gone = await server.register(`gone ${token}`);
    await server.db.execute(sql`UPDATE users SET disabled_at = now() WHERE id = ${gone.id}`);
    const found: string[] = [];
    let cursor = '';
    do {
      const { body } = await get(`?search=${token}&limit=2${cursor && `&cursor=${cursor}`}`);
      expect(body.items.length).toBeLessThanOrEqual(2);
      found.push(...namesOf(body));
      cursor = body.nextCursor ?? '';
    } while (cursor !== '');
    expect(found.map((name) => name.toLowerCase())).toEqual(names.map((name) => name.toLowerCase()).sort());
    expect(found.toSorted()).toEqual(names.toSorted());
  });

  test('the longest names can be searched and paged', async () => {
    const longest = ['\u{1D160}'.repeat(40), '\ufdfa'.repeat(80), '\u0390'.repeat(80)];
    for (const name of longest) {
      await server.register(name);
      await server.register(name);
      const search = `search=${encodeURIComponent(name)}&limit=1`;
      const first = await get(`?${search}`);
      expect(namesOf(first.body)).toEqual([name]);
      const second = await get(`?${search}&cursor=${first.body.nextCursor}`);
      expect([second.status, namesOf(second.body), second.body.nextCursor]).toEqual([200, [name], null]);
    }
  });

  test('a cursor or limit that is none is invalid', async () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const odd = ['x', '!', encode([]), encode(['a', 'b']), encode(null), encode([['a'], ann.id])];
    odd.push(encode(['a', ann.id, 'more']), encode(['a\u0000', ann.id]));
    for (const cursor of odd) {
      const { status, body } = await get(`?search=a&cursor=${encodeURIComponent(cursor)}`);
      expect([cursor, status, body.error?.code]).toEqual([cursor, 400, 'invalid']);
    }
    for (const limit of ['0', '101', '1.5', 'x', '-1', '', '1e1000']) {
      expect([limit, (await get(`?search=a&limit=${limit}`)).status]).toEqual([limit, 400]);
    }
    expect((await get('?search=a&limt=5')).status).toBe(400);
  });

  test('user:<id> is followed by that user alone', async () => {
    const bob = await server.register('Bob');
    const client = await server.connect(bob);
    const mine = await client.request('subscribe', {}, { topic: `user:${bob.id}` });
    expect(mine).toMatchObject({ type: 'ok' });
    const foreign = await client.request('subscribe', {}, { topic: `user:${ann.id}` });
    expect(foreign).toMatchObject({ type: 'error', error: { code: 'forbidden' } });
    const withSnapshot = await client.request('subscribe', { snapshot: true }, { topic: `user:${bob.id}` });
    expect(withSnapshot).toMatchObject({ type: 'error', error: { code: 'invalid' } });
    await patchMe(bob, { name: 'Bobby' });
    const event = await client.next('profile.updated');
    expect(event).toMatchObject({ payload: { name: 'Bobby' }, meta: { actorId: bob.id, source: 'http' } });
  });

  test('an event carries the correlation id of its request, if it is a plain word', async () => {
    const bob = await server.register('Bob');
    const client = await server.connect(bob);
    await client.request('subscribe', {}, { topic: `user:${bob.id}` });
    const rename = (correlationId: string) =>
      server.request('PATCH', '/v1/users/me', {
        token: bob.accessToken,
        body: { name: 'Bob' },
        headers: { 'X-Correlation-Id': correlationId },
      });
    await rename('request-1');
    expect((await client.next('profile.updated')).meta).toEqual({
      actorId: bob.id,
      source: 'http',
      correlationId: 'request-1',
    });
    await rename('not a "word"');
    expect((await client.next('profile.updated')).meta).toEqual({ actorId: bob.id, source: 'http' });
  });

  test('[P2] presence over HTTP counts connections and remembers when a user was last seen', async () => {
    const bob = await server.register('Bob');
    const read = () => get(`/${bob.id}/presence`);
    expect((await read()).body).toEqual({ userId: bob.id, online: false, devices: 0, lastSeenAt: null });
    const client = await server.connect(bob);
    expect((await read()).body).toMatchObject({ userId: bob.id, online: true, devices: 1 });
    client.close();
    await client.closed;
    const ids = `${bob.id},${crypto.randomUUID()}`;
    const { body } = await server.request('GET', `/v1/presence?users=${ids}`, { token: ann.accessToken });
    expect(body).toMatchObject({ items: [{ userId: bob.id, online: false, devices: 0 }], nextCursor: null });
    expect((await get(`/${crypto.randomUUID()}/presence`)).status).toBe(404);
  });

  test('lastSeenAt is written when an instance stops, at the latest, and never moves back', async () => {
    const first = await open();
    const bob = await first.register('Bob');
    const eve = await first.register('Eve');
    const future = '2999-01-01T00:00:00.000Z';
    await first.db.execute(sql`UPDATE users SET last_seen_at = ${future}::timestamptz WHERE id = ${eve.id}`);
    for (const user of [bob, eve]) {
      const client = await first.connect(user);
      client.close();
      await client.closed;
    }
    await first.stop();
    const second = await open(first.env);
    const read = async (user: TestUser) =>
      (await second.request('GET', '/v1/users/me', { token: user.accessToken })).body.lastSeenAt;
    expect(Date.now() - Date.parse(await read(bob))).toBeLessThan(20_000);
    expect(await read(eve)).toBe(future);
  });
});
