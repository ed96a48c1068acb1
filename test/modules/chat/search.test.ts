// Search: what it finds and what not, whether the index has it yet or not, in which order and pages, and for whom.

import { beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  createDirect,
  createGroup,
  must,
  registerAll,
  send,
  unknownId,
  untilFilled,
} from './setup.ts';

interface Item {
  id: string;
  content: string;
  chatId: string;
}

onEachDatabase('search', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const pathOf = (q: string, more = '') => `/messages/search?q=${encodeURIComponent(q)}${more}`;
  const search = async (user: TestUser, q: string, more = ''): Promise<string[]> =>
    (await must(server, user, 'GET', pathOf(q, more))).items.map(({ content }: Item) => content);
  /** Both ways: the messages themselves are read at once, the index when the server has filled it in. */
  const bothWays = async (chatId: string, check: () => Promise<void>) => {
    await check();
    await untilFilled(server, chatId);
    await check();
  };

  test('finds messages by their words in all my chats, newest first, as the list shows them', async () => {
    const [group, direct] = [await createGroup(server, ann, bob), await createDirect(server, ann, bob)];
    const first = await send(server, ann, group.id, 'The first kingfisher');
    const second = await send(server, bob, direct.id, 'a Kingfisher, again');
    await send(server, bob, group.id, 'a king, and a fisher');
    for (const chat of [group, direct]) {
      await bothWays(chat.id, async () => {
        const { items, nextCursor } = await must(server, ann, 'GET', pathOf('kingfisher'));
        expect(items).toEqual([second, first]);
        expect(nextCursor).toBeNull();
        expect(await search(ann, 'kingfisher', `&chat=${group.id}`)).toEqual(['The first kingfisher']);
        expect(await search(cid, 'kingfisher')).toEqual([]);
      });
    }
    const client = await server.connect(bob);
    const { payload } = await client.request('message.search', { q: 'KINGFISHER', chat: direct.id });
    client.close();
    expect(payload).toEqual({ items: [second], nextCursor: null });
  });

  const said = [
    'red apple',
    'green apple',
    'apple tree, red',
    'Ärger mit Äpfeln',
    'ПРИВЕТ мир',
    'caf\u00e9 olé',
    'x@example.com',
  ];
  const searches: [q: string, found: string[]][] = [
    ['apple', ['apple tree, red', 'green apple', 'red apple']],
    ['APPLE red', ['apple tree, red', 'red apple']],
    ['"red apple"', ['red apple']],
    ['apple -red', ['green apple']],
    ['green or tree', ['apple tree, red', 'green apple']],
    ['appl', []],
    ['ärger', ['Ärger mit Äpfeln']],
    ['äpfeln ÄRGER', ['Ärger mit Äpfeln']],
    ['привет', ['ПРИВЕТ мир']],
    ['Cafe\u0301', ['caf\u00e9 olé']],
    ['x@example.com', ['x@example.com']],
    ["'); DROP TABLE messages; --", []],
    ["apple & ! | ( <-> :* \\ '", ['apple tree, red', 'green apple', 'red apple']],
  ];
  test('words count as wholes and whatever their case; quotes, "or" and "-" say how', async () => {
    const chat = await createGroup(server, ann);
    for (const content of said) await send(server, ann, chat.id, content);
    await bothWays(chat.id, async () => {
      for (const [q, found] of searches)
        expect([q, await search(ann, q, `&chat=${chat.id}`)]).toEqual([q, found]);
    });
  });

  test.each(['!!!', '"', '...', '-apple', 'apple or -red'])(
    '%s has no word to find, and is invalid',
    async (q) => {
      const { status, body } = await attempt(server, ann, 'GET', pathOf(q));
      expect([status, body.error.code]).toEqual([400, 'invalid']);
      expect(body.error.message).toContain('at least one word');
    },
  );

  test.each([
    'q=',
    'q=%20',
    'q=a%0Ab',
    `q=${'x'.repeat(201)}`,
    'q=a%00b',
    '',
    'q=a&chat=x',
    'q=a&cursor=x',
    'q=a&limit=0',
    'q=a&cursor=WyJ4Il0',
  ])('the query "%s" is invalid', async (query) => {
    const { status, body } = await attempt(server, ann, 'GET', `/messages/search?${query}`);
    expect([status, body.error.code]).toEqual([400, 'invalid']);
  });

  test('a q of 200 characters is taken', async () => {
    expect(await search(ann, `${'word '.repeat(39)}words`)).toEqual([]);
    expect(await search(ann, 'x'.repeat(200))).toEqual([]);
  });

  test('in a chat of others and in none at all, nothing is found alike', async () => {
    const chat = await createGroup(server, ann);
    await send(server, ann, chat.id, 'a heron');
    const foreign = await attempt(server, bob, 'GET', pathOf('heron', `&chat=${chat.id}`));
    const absent = await attempt(server, bob, 'GET', pathOf('heron', `&chat=${unknownId}`));
    expect([foreign.status, foreign.body.error.code]).toEqual([404, 'not_found']);
    expect(absent).toMatchObject({ status: 404, body: foreign.body });
  });

  test('what names another chat, or looks like its mark in the index, is found in its own chat only', async () => {
    const [mine, foreign] = [await createGroup(server, ann), await createGroup(server, bob)];
    await send(server, bob, foreign.id, `a bittern in ${mine.id} ' ${mine.id}'`);
    await untilFilled(server, foreign.id);
    expect(await search(ann, 'bittern')).toEqual([]);
    expect(await search(ann, `bittern or "${foreign.id}" or ' ${foreign.id}'`)).toEqual([]);
    expect(await search(bob, 'bittern')).toHaveLength(1);
  });

  test('who was removed finds nothing of that chat any more, and who comes finds what was said before', async () => {
    const chat = await createGroup(server, ann, bob);
    await send(server, ann, chat.id, 'a cormorant');
    await bothWays(chat.id, async () => expect(await search(bob, 'cormorant')).toHaveLength(1));
    await must(server, ann, 'DELETE', `/chats/${chat.id}/members/${bob.id}`);
    await must(server, ann, 'POST', `/chats/${chat.id}/members`, { userId: cid.id });
    await bothWays(chat.id, async () => {
      expect(await search(bob, 'cormorant')).toEqual([]);
      expect(await search(cid, 'cormorant')).toEqual(['a cormorant']);
    });
  });

  test('deleted messages are not found, edited ones by their new text only, filled in or not', async () => {
    const chat = await createGroup(server, ann);
    for (const isFilled of [false, true]) {
      const [edited, deleted] = [
        await send(server, ann, chat.id, 'an egret'),
        await send(server, ann, chat.id, 'an egret as well'),
      ];
      if (isFilled) await untilFilled(server, chat.id);
      await must(server, ann, 'PATCH', `/chats/${chat.id}/messages/${edited.id}`, { content: 'a spoonbill' });
      await must(server, ann, 'DELETE', `/chats/${chat.id}/messages/${deleted.id}`);
      await bothWays(chat.id, async () => {
        expect(await search(ann, 'egret')).toEqual([]);
        expect(await search(ann, 'spoonbill')).toEqual(['a spoonbill']);
      });
      await must(server, ann, 'DELETE', `/chats/${chat.id}/messages/${edited.id}`);
    }
    expect(await search(ann, 'spoonbill')).toEqual([]);
  });

  test('what the system said is not found', async () => {
    const chat = await createGroup(server, ann);
    await must(server, ann, 'PATCH', `/chats/${chat.id}`, { name: 'Osprey watchers' });
    await send(server, ann, chat.id, 'hello');
    await bothWays(chat.id, async () => expect(await search(ann, 'osprey')).toEqual([]));
  });

  test('over the limit a search is refused, and counts as searching users does', async () => {
    const limited = await open({ RATE_SEARCHES_PER_MINUTE: '2' });
    const dan = await limited.register('Dan');
    await must(limited, dan, 'GET', '/users?search=dan');
    await must(limited, dan, 'GET', pathOf('hello'));
    const { status, body } = await attempt(limited, dan, 'GET', pathOf('hello'));
    expect([status, body.error.code]).toEqual([429, 'rate_limited']);
  });

  test('who is in no chat finds nothing', async () => {
    expect(await search(await server.register('Dan'), 'hello')).toEqual([]);
  });
});
