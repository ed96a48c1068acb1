// Chats as a whole: creation in one transaction, one direct chat a pair, the list, renaming.

import { beforeAll, expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  createDirect,
  createGroup,
  eventsOf,
  listed,
  must,
  outputOf,
  registerAll,
  send,
  typesOf,
  unknownId,
} from './setup.ts';

onEachDatabase('chats', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  test('a group has its creator as admin, each participant once, and begins with a message of the system', async () => {
    const participantIds = [bob.id, bob.id, ann.id];
    const body = { type: 'group', name: 'Book club', participantIds };
    const { status, body: chat } = await attempt(server, ann, 'POST', '/chats', body);
    expect(status).toBe(201);
    expect(chat).toMatchObject({ type: 'group', name: 'Book club', createdBy: ann.id });
    expect(chat.members).toEqual([
      { userId: ann.id, role: 'admin', joinedAt: chat.createdAt, lastReadSeq: 0 },
      { userId: bob.id, role: 'member', joinedAt: chat.createdAt, lastReadSeq: 0 },
    ]);
    expect(await must(server, bob, 'GET', `/chats/${chat.id}`)).toEqual(outputOf(chat));

    const events = await eventsOf(server, chatTopic(chat.id));
    expect(typesOf(events)).toEqual(['message.created']);
    expect(events[0]?.payload).toMatchObject({ seq: 1, messageType: 'system', senderId: ann.id });
    for (const user of [ann, bob]) {
      const added = (await eventsOf(server, userTopic(user.id))).filter(({ type }) => type === 'chat.added');
      expect(added.at(-1)?.payload).toEqual({ chatId: chat.id, type: 'group', name: 'Book club' });
    }
  });

  test('a direct chat has two equal members, and each is told the name of the other', async () => {
    const [dan, eve] = await registerAll(server, 'Dan', 'Eve');
    const chat = await createDirect(server, dan, eve);
    expect(chat).toMatchObject({ type: 'direct', name: null });
    expect(chat.members.map(({ role }: { role: string }) => role)).toEqual(['member', 'member']);
    const [told] = await eventsOf(server, userTopic(dan.id));
    expect(told).toMatchObject({
      type: 'chat.added',
      payload: { chatId: chat.id, type: 'direct', name: 'Eve' },
    });
    expect((await eventsOf(server, userTopic(eve.id)))[0]?.payload.name).toBe('Dan');
    expect((await listed(server, dan, chat.id)).name).toBe('Eve');
    expect((await listed(server, eve, chat.id)).name).toBe('Dan');
  });

  test('creating a direct chat again answers the same one and writes nothing, whoever does it', async () => {
    const first = await createDirect(server, ann, bob);
    const before = await eventsOf(server, userTopic(ann.id));
    for (const [creator, other] of [
      [ann, bob],
      [bob, ann],
    ] as const) {
      const body = { type: 'direct', participantIds: [other.id] };
      const again = await attempt(server, creator, 'POST', '/chats', body);
      expect(again.status).toBe(201);
      expect(again.body).toEqual({ ...first, events: [] });
    }
    expect(await eventsOf(server, userTopic(ann.id))).toEqual(before);
    expect(await eventsOf(server, chatTopic(first.id))).toHaveLength(1);
  });

  test('20 creations of one direct chat at once make one chat', async () => {
    const [dan, eve] = await registerAll(server, 'Dan', 'Eve');
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        n % 2 ? createDirect(server, dan, eve) : createDirect(server, eve, dan),
      ),
    );
    const [first] = made;
    for (const chat of made) expect(chat).toEqual(first);
    expect(await eventsOf(server, chatTopic(first.id))).toHaveLength(1);
    for (const user of [dan, eve]) {
      expect(typesOf(await eventsOf(server, userTopic(user.id)))).toEqual(['chat.added']);
      expect((await must(server, user, 'GET', '/chats')).items).toHaveLength(1);
    }
  });

  test('[K1] one key makes one chat, also ten times at once; with another body it is a conflict', async () => {
    const body = { type: 'group', name: 'Once', participantIds: [bob.id] };
    const key = { 'Idempotency-Key': 'create-once' };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => attempt(server, ann, 'POST', '/chats', body, key)),
    );
    const [first] = answers;
    for (const { status, body: chat } of answers) {
      expect(status).toBe(201);
      expect(chat).toEqual(first?.body);
    }
    const other = await attempt(server, ann, 'POST', '/chats', { ...body, name: 'Twice' }, key);
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    const { items } = await must(server, ann, 'GET', '/chats?limit=100');
    expect(items.filter(({ name }: { name: string }) => name === 'Once')).toHaveLength(1);
  });

  const group = (change: object) => ({ type: 'group', name: 'Book club', participantIds: [], ...change });
  const refusals: [string, (people: { ann: TestUser; bob: TestUser; cid: TestUser }) => unknown][] = [
    ['a direct chat with oneself', (people) => ({ type: 'direct', participantIds: [people.ann.id] })],
    ['a direct chat with nobody', () => ({ type: 'direct', participantIds: [] })],
    [
      'a direct chat of three',
      (people) => ({ type: 'direct', participantIds: [people.bob.id, people.cid.id] }),
    ],
    ['a direct chat with nobody known', () => ({ type: 'direct', participantIds: [unknownId] })],
    [
      'a direct chat with a name',
      (people) => ({ type: 'direct', name: 'x', participantIds: [people.bob.id] }),
    ],
    ['a group without a name', () => group({ name: undefined })],
    ['an empty name', () => group({ name: '' })],
    ['a name of spaces', () => group({ name: '  ' })],
    ['a name of 101 characters', () => group({ name: 'x'.repeat(101) })],
    ['a name of two lines', () => group({ name: 'a\nb' })],
    ['a name with NUL', () => group({ name: 'a\0b' })],
    ['a name with half a surrogate pair', () => '{"type":"group","name":"\\ud800","participantIds":[]}'],
    ['an unknown field', () => group({ nmae: 'x' })],
    ['no type', () => ({ name: 'x', participantIds: [] })],
    ['200 participants', (people) => group({ participantIds: Array(200).fill(people.bob.id) })],
    ['a participant that is no id', () => group({ participantIds: ['bob\0'] })],
  ];
  test.each(refusals)('%s is invalid, and nothing is created', async (_, bodyOf) => {
    const before = await must(server, ann, 'GET', '/chats?limit=100');
    const { status, body } = await attempt(server, ann, 'POST', '/chats', bodyOf({ ann, bob, cid }));
    expect(status).toBe(400);
    expect(body.error.code).toBe('invalid');
    expect(body.error.details[0]).toMatchObject({ path: expect.any(String), message: expect.any(String) });
    expect(await must(server, ann, 'GET', '/chats?limit=100')).toEqual(before);
  });

  test('an unknown and a disabled participant are named by their places', async () => {
    const gone = await server.register('Gone');
    await server.db.execute(`UPDATE users SET disabled_at = now() WHERE id = '${gone.id}'`);
    const body = group({ participantIds: [bob.id, unknownId, gone.id] });
    const { status, body: answer } = await attempt(server, ann, 'POST', '/chats', body);
    expect(status).toBe(400);
    expect(answer.error.details.map(({ path }: { path: string }) => path)).toEqual([
      '/body/participantIds/1',
      '/body/participantIds/2',
    ]);
  });

  test('the list has the newest activity first, in pages, with previews, unread counts and members', async () => {
    const fay = await server.register('Fay');
    const quiet = await createGroup(server, fay);
    const busy = await createGroup(server, fay, ann, bob);
    const direct = await createDirect(server, fay, ann);
    const long = '😀'.repeat(150);
    await send(server, ann, busy.id, 'first');
    const newest = await send(server, bob, busy.id, long);
    await send(server, fay, quiet.id, 'my own words are not unread');

    const { items, nextCursor } = await must(server, fay, 'GET', '/chats');
    expect(nextCursor).toBeNull();
    expect(items.map(({ id }: { id: string }) => id)).toEqual([quiet.id, busy.id, direct.id]);
    expect(items[1]).toEqual({
      id: busy.id,
      type: 'group',
      name: 'Book club',
      otherUser: null,
      lastMessage: {
        id: newest.id,
        seq: newest.seq,
        senderId: bob.id,
        senderName: 'Bob',
        messageType: 'text',
        preview: '😀'.repeat(100),
        createdAt: newest.createdAt,
      },
      lastReadSeq: 0,
      unreadCount: 2,
      mentions: 0,
      memberCount: 3,
      muted: 'none',
      mutedUntil: null,
    });
    expect(items[0].unreadCount).toBe(0);
    expect(items[2]).toMatchObject({ name: 'Ann', unreadCount: 0, memberCount: 2 });

    const paged: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await must(server, fay, 'GET', `/chats?limit=1${cursor && `&cursor=${cursor}`}`);
      expect(page.items).toHaveLength(1);
      paged.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(items);
  });

  test.each(['x', 'bm90IGpzb24', btoa('[1e300,"x"]'), btoa('[0]'), btoa('["2026-99-99","x"]')])(
    'the cursor %s is invalid',
    async (cursor) => {
      const { status, body } = await attempt(
        server,
        ann,
        'GET',
        `/chats?cursor=${encodeURIComponent(cursor)}`,
      );
      expect(status).toBe(400);
      expect(body.error.code).toBe('invalid');
    },
  );

  test('a chat of others and none at all answer alike', async () => {
    const chat = await createGroup(server, ann);
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { name: 'Mine' }],
      ['GET', '/messages', undefined],
      ['GET', `/messages?replyTo=${chat.id}`, undefined],
      ['GET', '/messages?around=1', undefined],
      ['GET', `/messages/${unknownId}`, undefined],
      ['POST', '/messages', { content: 'hello' }],
      ['POST', '/read', { seq: 1 }],
      ['POST', '/members', { userId: bob.id }],
      ['PATCH', `/members/${ann.id}`, { role: 'member' }],
      ['DELETE', `/members/${ann.id}`, undefined],
    ] as const) {
      const foreign = await attempt(server, bob, method, `/chats/${chat.id}${path}`, body);
      const absent = await attempt(server, bob, method, `/chats/${unknownId}${path}`, body);
      expect(foreign.status).toBe(404);
      expect(foreign.body.error.code).toBe('not_found');
      expect(absent).toMatchObject({ status: 404, body: foreign.body });
    }
  });

  test('an admin renames a group, which says so; the same name changes nothing', async () => {
    const chat = await createGroup(server, ann, bob);
    const renamed = await must(server, ann, 'PATCH', `/chats/${chat.id}`, { name: 'Film club' });
    expect(renamed).toMatchObject({ name: 'Film club', members: chat.members });
    expect(Date.parse(renamed.updatedAt)).toBeGreaterThan(Date.parse(chat.updatedAt));
    const events = await eventsOf(server, chatTopic(chat.id), 1);
    expect(typesOf(events)).toEqual(['message.created', 'chat.updated']);
    expect(events[0]?.payload.seq).toBe(2);
    const { members: _, ...face } = renamed;
    expect(events[1]?.payload).toEqual(face);

    expect(await must(server, ann, 'PATCH', `/chats/${chat.id}`, { name: 'Film club' })).toEqual(renamed);
    expect(await eventsOf(server, chatTopic(chat.id), 3)).toEqual([]);
  });

  test('a member who is no admin cannot rename a group, and nobody a direct chat', async () => {
    const chat = await createGroup(server, ann, bob);
    const byMember = await attempt(server, bob, 'PATCH', `/chats/${chat.id}`, { name: 'Mine' });
    expect(byMember).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
    const direct = await createDirect(server, ann, bob);
    const ofDirect = await attempt(server, ann, 'PATCH', `/chats/${direct.id}`, { name: 'Ours' });
    expect(ofDirect).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
  });
});
