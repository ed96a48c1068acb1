// What the list of chats shows of each beside its newest message, which chats it shows, and how much is unread in all.

import { beforeAll, expect, test } from 'bun:test';
import { type SQL, sql } from 'drizzle-orm';
import { countAllUnread } from '../../../src/modules/chat/unread.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { createDirect, createGroup, listed, must, registerAll, send } from './setup.ts';

onEachDatabase('the list of chats', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await registerAll(server, 'Ann', 'Bob');
  });

  /** As the member's own settings would. */
  const setUp = (chatId: string, user: TestUser, values: SQL) =>
    server.db.execute(
      sql`UPDATE chat_participants SET ${values} WHERE chat_id = ${chatId} AND user_id = ${user.id}`,
    );
  const mention = (message: { id: string }, ...users: TestUser[]) =>
    server.db.execute(
      sql`UPDATE messages SET mentions = ${sql.param(users.map(({ id }) => id))}::uuid[] WHERE id = ${message.id}`,
    );
  const idsOf = async (user: TestUser, query = '') =>
    (await must(server, user, 'GET', `/chats?limit=100${query}`)).items.map(({ id }: { id: string }) => id);

  test('a direct chat shows the other one as a user, under the name and picture of now; a group shows none', async () => {
    const chat = await createDirect(server, ann, bob);
    const group = await createGroup(server, ann, bob);
    expect((await listed(server, ann, chat.id)).otherUser).toEqual({
      id: bob.id,
      name: 'Bob',
      avatarUrl: null,
    });
    const changed = { name: 'Robert', avatarUrl: 'https://example.com/r.png' };
    await must(server, bob, 'PATCH', '/users/me', changed);
    await send(server, bob, chat.id, 'Hello');
    expect(await listed(server, ann, chat.id)).toMatchObject({
      name: 'Robert',
      otherUser: { id: bob.id, ...changed },
      lastMessage: { senderName: 'Robert' },
    });
    expect((await listed(server, bob, chat.id)).otherUser).toMatchObject({ id: ann.id });
    expect((await listed(server, ann, group.id)).otherUser).toBeNull();
  });

  test('it has my read position, and how many of the unread messages mention me', async () => {
    const chat = await createGroup(server, ann, bob);
    const [first, , third, fourth, own] = [
      await send(server, ann, chat.id, 'one'),
      await send(server, ann, chat.id, 'two'),
      await send(server, ann, chat.id, 'three'),
      await send(server, ann, chat.id, 'four'),
      await send(server, bob, chat.id, 'five'),
    ];
    for (const message of [first, third, fourth, own]) await mention(message, ann, bob);
    expect(await listed(server, bob, chat.id)).toMatchObject({ lastReadSeq: 0, unreadCount: 4, mentions: 3 });
    await must(server, bob, 'POST', `/chats/${chat.id}/read`, { seq: first.seq });
    const position = { lastReadSeq: first.seq, unreadCount: 3, mentions: 2 };
    expect(await listed(server, bob, chat.id)).toMatchObject(position);
    await must(server, ann, 'DELETE', `/chats/${chat.id}/messages/${third.id}`);
    expect(await listed(server, bob, chat.id)).toMatchObject({ ...position, unreadCount: 2, mentions: 1 });
    expect(await listed(server, ann, chat.id)).toMatchObject({ unreadCount: 1, mentions: 1 });
  });

  test('a mute is shown for as long as it lasts', async () => {
    const chat = await createGroup(server, ann, bob);
    const muted = async () => {
      const { muted, mutedUntil } = await listed(server, bob, chat.id);
      return { muted, mutedUntil };
    };
    expect(await muted()).toEqual({ muted: 'none', mutedUntil: null });
    await setUp(chat.id, bob, sql`muted = 'all'`);
    expect(await muted()).toEqual({ muted: 'all', mutedUntil: null });
    await setUp(chat.id, bob, sql`muted = 'mentions', muted_until = '9999-01-02T03:04:05.678Z'`);
    expect(await muted()).toEqual({ muted: 'mentions', mutedUntil: '9999-01-02T03:04:05.678Z' });
    await setUp(chat.id, bob, sql`muted_until = now() - interval '1 millisecond'`);
    expect(await muted()).toEqual({ muted: 'none', mutedUntil: null });
    expect(await listed(server, ann, chat.id)).toMatchObject({ muted: 'none' });
  });

  test('a hidden chat is left out unless asked for; a direct one comes back with its next message, a group does not', async () => {
    const cid = await server.register('Cid');
    const [shown, group, direct] = [
      await createGroup(server, cid, ann),
      await createGroup(server, cid, ann),
      await createDirect(server, cid, ann),
    ];
    for (const { id } of [group, direct]) {
      const { seq } = await send(server, ann, id, 'before');
      await setUp(id, cid, sql`hidden_at_seq = ${seq}`);
    }
    expect(await idsOf(cid)).toEqual([shown.id]);
    expect(await idsOf(cid, '&hidden=only')).toEqual([direct.id, group.id]);
    expect(await idsOf(cid, '&hidden=too')).toEqual([direct.id, group.id, shown.id]);
    expect(await idsOf(ann)).toEqual(expect.arrayContaining([group.id, direct.id]));

    await send(server, ann, group.id, 'behind');
    await send(server, ann, direct.id, 'behind');
    expect(await idsOf(cid)).toEqual([direct.id, shown.id]);
    expect(await idsOf(cid, '&hidden=only')).toEqual([group.id]);
    await setUp(group.id, cid, sql`hidden_at_seq = NULL`);
    expect(await idsOf(cid)).toEqual([direct.id, group.id, shown.id]);
  });

  test('hidden chats are left out of every page, and pages go on behind them', async () => {
    const cid = await server.register('Cid');
    const all: string[] = [];
    for (let n = 0; n < 6; n += 1) all.unshift((await createGroup(server, cid)).id);
    for (const [n, id] of all.entries()) if (n % 2 === 0) await setUp(id, cid, sql`hidden_at_seq = 1`);
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await must(server, cid, 'GET', `/chats?limit=2${cursor && `&cursor=${cursor}`}`);
      paged.push(...page.items.map(({ id }: { id: string }) => id));
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(all.filter((_, n) => n % 2 === 1));
  });

  test.each(['yes', 'true', ''])('hidden=%s is invalid', async (hidden) => {
    const token = ann.accessToken;
    const { status, body } = await server.request('GET', `/v1/chats?hidden=${hidden}`, { token });
    expect([status, body.error.code]).toEqual([400, 'invalid']);
  });

  test('what is unread in all chats is the sum of what the list shows, muted chats too, hidden ones not', async () => {
    const [cid, dan] = await registerAll(server, 'Cid', 'Dan');
    const unread = () => must(server, cid, 'GET', '/chats/unread');
    expect(await unread()).toEqual({ chats: 0, messages: 0, mentions: 0 });
    const [quiet, busy, muted, hidden, own] = [
      await createGroup(server, cid, dan),
      await createGroup(server, cid, dan),
      await createGroup(server, cid, dan),
      await createGroup(server, cid, dan),
      await createGroup(server, cid, dan),
    ];
    for (const { id } of [busy, busy, busy, muted, hidden])
      await mention(await send(server, dan, id, '!'), cid);
    await send(server, dan, busy.id, 'nobody');
    await send(server, cid, own.id, 'my own');
    await setUp(muted.id, cid, sql`muted = 'all'`);
    await setUp(hidden.id, cid, sql`hidden_at_seq = 1`);
    expect(await unread()).toEqual({ chats: 2, messages: 5, mentions: 4 });
    const { items } = await must(server, cid, 'GET', '/chats');
    expect(
      items.reduce((sum: number, { unreadCount }: { unreadCount: number }) => sum + unreadCount, 0),
    ).toBe(5);

    await must(server, cid, 'POST', `/chats/${busy.id}/read`, { seq: 4 });
    expect(await unread()).toEqual({ chats: 2, messages: 2, mentions: 1 });
    await must(server, cid, 'DELETE', `/chats/${busy.id}/members/${cid.id}`);
    expect(await unread()).toEqual({ chats: 1, messages: 1, mentions: 1 });
    expect(quiet.id).not.toBe(own.id);
  });

  test('of more than can be counted, each chat has an equal part, and counts its newest messages', async () => {
    const [cid, dan] = await registerAll(server, 'Cid', 'Dan');
    const chats = [await createGroup(server, cid, dan), await createGroup(server, cid, dan)];
    for (const { id } of chats) for (let n = 0; n < 3; n += 1) await send(server, dan, id, `${n}`);
    const all = { chats: 2, messages: 6, mentions: 0 };
    expect(await countAllUnread(server.db, cid.id)).toEqual(all);
    expect(await countAllUnread(server.db, cid.id, 6)).toEqual(all);
    expect(await countAllUnread(server.db, cid.id, 4)).toEqual({ ...all, messages: 4 });
    expect(await countAllUnread(server.db, cid.id, 1)).toEqual({ ...all, messages: 2 });
    await send(server, cid, chats[0].id, 'what I write is looked at, and does not count');
    expect(await countAllUnread(server.db, cid.id, 4)).toEqual({ ...all, messages: 3 });
  });

  test('a thousand chats with a hundred thousand unread messages are listed and counted in a moment', async () => {
    const [eve, dan] = await registerAll(server, 'Eve', 'Dan');
    await server.db.execute(sql`
      WITH made AS (
        INSERT INTO chats (id, type, name, created_by, created_at, updated_at)
        SELECT gen_random_uuid(), 'group', 'Many', ${dan.id}, now(), now() FROM generate_series(1, 1000) RETURNING id
      ), joined AS (
        INSERT INTO chat_participants (chat_id, user_id, role, last_read_seq, joined_at)
        SELECT id, ${eve.id}, 'member', 0, now() FROM made
      )
      INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, created_at)
      SELECT gen_random_uuid(), made.id, seq, ${dan.id}, 'x', 'text', now() FROM made, generate_series(1, 150) AS seq`);
    const startedAt = performance.now();
    const counted = await must(server, eve, 'GET', '/chats/unread');
    const countedMs = performance.now() - startedAt;
    expect(counted).toEqual({ chats: 1_000, messages: 100_000, mentions: 0 });
    const { items } = await must(server, eve, 'GET', '/chats?limit=100');
    const listedMs = performance.now() - startedAt - countedMs;
    expect(items[99]).toMatchObject({ unreadCount: 150, mentions: 0 });
    console.log(`counted in ${countedMs.toFixed(0)} ms, listed in ${listedMs.toFixed(0)} ms`);
  }, 60_000);
});
