// Search among many users: every answer is what reading the whole table would give, and nothing reads the whole table.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { alongNames, byIndex, shortWalk } from '../../src/auth/user-search.ts';
import { queryRows } from '../../src/db/database.ts';
import type { TestUser } from '../support/api.ts';
import { explain } from '../support/explain.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

/** Names in two heaps, so that what the larger one has in common comes late in the order of names, and thousands of times. */
const few = 8_000;
const many = 12_000;

onEachDatabase('search among many users', (open) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    const { db } = server;
    const where = sql`FROM pg_indexes WHERE indexname = 'users_name_parts'`;
    const [index] = await queryRows<{ indexdef: string }>(db, sql`SELECT indexdef ${where}`);
    // Filled row by row, the index takes ten times as long.
    await db.execute(sql`DROP INDEX users_name_parts`);
    await db.execute(sql`
      INSERT INTO users (id, email, password_hash, name, folded_name, disabled_at)
      SELECT gen_random_uuid(), n || '@example.com', '', upper(name), name, CASE WHEN n % 7 = 0 THEN now() END FROM (
        SELECT n, CASE WHEN n <= ${few} THEN 'anyone ' || md5(n::text) ELSE 'player number ' || n END AS name
        FROM generate_series(1, ${few + many}::int) AS n
      ) AS named`);
    await db.execute(sql.raw(index?.indexdef ?? ''));
  }, 60_000);

  const page = async (text: string, more = ''): Promise<{ items: { id: string }[]; nextCursor?: string }> =>
    (
      await server.request('GET', `/v1/users?search=${encodeURIComponent(text)}${more}`, {
        token: ann.accessToken,
      })
    ).body;
  /** Whatever reading the whole table finds. */
  const readAll = (text: string) =>
    queryRows<{ id: string }>(
      server.db,
      sql`SELECT id FROM users WHERE strpos(folded_name, ${text}) > 0 AND disabled_at IS NULL
        ORDER BY folded_name, id`,
    );

  for (const isAnalyzed of [false, true]) {
    test(`no search reads the table, ${isAnalyzed ? 'with' : 'without'} statistics`, async () => {
      if (isAnalyzed) await server.db.execute(sql`ANALYZE users`);
      const search = { withDisabled: false, after: undefined, wanted: 51 };
      for (const foldedText of ['number 1999', 'a0b1', 'nobody has this', 'ж']) {
        const found = await readAll(foldedText);
        const { indexes, scans, rows } = await explain(
          server.db,
          byIndex({ ...search, foldedText }),
          'users',
        );
        expect([foldedText, [...indexes], scans]).toEqual([
          foldedText,
          ['users_name_parts'],
          ['Bitmap Heap Scan'],
        ]);
        expect(rows).toBeLessThanOrEqual(found.length * 2 + 200);
      }
      // What most have in common: no more than a page may cost.
      expect(
        (await explain(server.db, byIndex({ ...search, foldedText: 'player number' }), 'users')).rows,
      ).toBeLessThanOrEqual(10_001);
      const walked = await explain(
        server.db,
        alongNames({ ...search, foldedText: 'nobody has this' }, shortWalk),
        'users',
      );
      expect([...walked.indexes]).toEqual(['users_name']);
      expect(walked.rows).toBeLessThanOrEqual(shortWalk);
      expect(
        (await explain(server.db, alongNames({ ...search, foldedText: 'any' }, shortWalk), 'users')).rows,
      ).toBeLessThan(200);
    });
  }

  test('what a search finds, page by page, is what reading the table would find', async () => {
    const texts = [
      'number 1999',
      'a0b',
      'y',
      'ou',
      'anyone',
      'er number 15',
      'ann',
      'nobody has this',
      '_',
      '%',
    ];
    for (const text of [...texts, 'playerplayer', 'r 1']) {
      const found: string[] = [];
      let more = '&limit=100';
      for (let next: string | null | undefined = ''; next !== null && found.length < 350; ) {
        const { items, nextCursor } = await page(text, more);
        found.push(...items.map(({ id }) => id));
        next = nextCursor ?? null;
        more = `&limit=100&cursor=${next}`;
      }
      const all = await readAll(text);
      expect([text, found]).toEqual([text, all.slice(0, found.length).map(({ id }) => id)]);
      if (found.length < 350) expect([text, found.length]).toEqual([text, all.length]);
    }
  });

  test('a page may be short, even empty, and go on: what very many have, behind many who have it not', async () => {
    const found: string[] = [];
    let pages = 0;
    let shortPages = 0;
    for (let cursor: string | undefined = ''; cursor !== undefined && found.length < 200; pages += 1) {
      const { items, nextCursor } = await page('player number', cursor && `&cursor=${cursor}`);
      found.push(...items.map(({ id }) => id));
      if (items.length < 50) shortPages += 1;
      cursor = nextCursor ?? undefined;
    }
    expect(shortPages).toBeGreaterThan(0);
    expect(pages).toBeLessThanOrEqual(7);
    const all = await readAll('player number');
    expect(found).toEqual(all.slice(0, found.length).map(({ id }) => id));
  });

  test('admins find disabled users, too', async () => {
    await server.db.execute(sql`UPDATE users SET role = 'admin' WHERE id = ${ann.id}`);
    const admin = await server.login(ann);
    const { body } = await server.request('GET', '/v1/admin/users?search=NUMBER%2019999', {
      token: admin.accessToken,
    });
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual(['PLAYER NUMBER 19999']);
    expect(await readAll('number 19999')).toEqual([]);
  });
});

onEachDatabase('searches', (open) => {
  test('are limited by user; reading by ids is not', async () => {
    const server = await open({ RATE_SEARCHES_PER_MINUTE: '2', ADMIN_EMAILS: 'root@example.com' });
    const [ann, root] = [
      await server.register('Ann'),
      await server.register('Root', { email: 'root@example.com' }),
    ];
    const get = (user: TestUser, path: string) =>
      server.request('GET', `/v1${path}`, { token: user.accessToken });
    const statuses: number[] = [];
    for (let count = 0; count < 3; count += 1) statuses.push((await get(ann, '/users?search=ann')).status);
    expect(statuses).toEqual([200, 200, 429]);
    const { body } = await get(ann, '/users?search=bob');
    expect(body.error).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    expect((await get(ann, `/users?ids=${ann.id}`)).status).toBe(200);
    expect((await get(ann, `/presence?users=${ann.id}`)).status).toBe(200);
    for (let count = 0; count < 3; count += 1) expect((await get(root, '/admin/users')).status).toBe(200);
    const admin = [await get(root, '/admin/users?search=a'), await get(root, '/admin/users?search=a')];
    expect(admin.map(({ status }) => status)).toEqual([200, 200]);
    expect((await get(root, '/admin/users?search=a')).status).toBe(429);
  });
});
