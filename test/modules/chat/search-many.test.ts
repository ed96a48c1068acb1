// Search among many messages: every answer is what reading all of them would give, and nothing reads all of them.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { alongMessages, byIndex, shortWalk } from '../../../src/modules/chat/search.ts';
import { fillWords } from '../../../src/modules/chat/words.ts';
import type { TestUser } from '../../support/api.ts';
import { explain } from '../../support/explain.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { createGroup, must, registerAll, untilFilled } from './setup.ts';

onEachDatabase('search among many messages', (open) => {
  const perChat = 6_000;
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let chats: string[];
  let foreign: string;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    chats = [(await createGroup(server, ann)).id, (await createGroup(server, ann)).id];
    foreign = (await createGroup(server, bob)).id;
    // Ids in the order of time, as the server makes them; the words of a message say which number it has.
    await server.db.execute(sql`
      INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, created_at)
      SELECT (lpad(to_hex(n * 4 + place), 12, '0') || '70008000' || lpad('', 12, '0'))::uuid, chat, n + 1, ${ann.id},
        concat_ws(' ', 'common', 'n' || n, CASE WHEN n % 1000 = 7 THEN 'rare' END, CASE WHEN n < 20 THEN 'oldest' END),
        'text', now()
      FROM unnest(${sql.param([...chats, foreign])}::uuid[]) WITH ORDINALITY AS c(chat, place), generate_series(1, ${perChat}::int) AS n`);
  }, 60_000);

  const fill = async (chatIds: readonly string[], ofEach = 1_000): Promise<void> => {
    for (let left = new Set(chatIds); left.size > 0; )
      left = left.difference(await fillWords(server.db, [...left], ofEach));
  };

  async function searchAll(q: string, limit: number, more = ''): Promise<string[]> {
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path = `/messages/search?q=${q}&limit=${limit}${more}${cursor && `&cursor=${cursor}`}`;
      const page = await must(server, ann, 'GET', path);
      expect(page.items.length).toBeLessThanOrEqual(limit);
      found.push(...page.items.map(({ id }: { id: string }) => id));
      cursor = page.nextCursor;
    }
    return found;
  }
  const readAll = async (q: string, chatIds = chats): Promise<string[]> =>
    (
      await queryRows<{ id: string }>(
        server.db,
        sql`SELECT id FROM messages WHERE chat_id = ANY(${sql.param(chatIds)}::uuid[]) AND message_type = 'text'
          AND ${q} = ANY(string_to_array(content, ' ')) ORDER BY id DESC`,
      )
    ).map(({ id }) => id);

  const finds = async () => {
    for (const [q, limit] of [
      ['rare', 5],
      ['oldest', 100],
      ['n77', 1],
      ['common', 100],
      ['nowhere', 50],
    ] as const) {
      const expected = await readAll(q);
      expect([q, await searchAll(q, limit)]).toEqual([q, expected]);
    }
    expect(await searchAll('rare', 2, `&chat=${chats[1]}`)).toEqual(await readAll('rare', chats.slice(1)));
  };

  test('of a long tail that is not filled in, the newest messages are found, and the server goes on to fill it in', async () => {
    const expected = (await readAll('rare')).slice(0, 10); // of 5,000 in each of two chats
    expect((await searchAll('rare', 100)).slice(0, expected.length)).toEqual(expected);
    for (const chatId of chats) await untilFilled(server, chatId);
  }, 60_000);

  test('what a search finds, page by page, is what reading all messages would find, half filled in or wholly', async () => {
    await finds();
    await server.db.execute(sql`DELETE FROM message_words`);
    await server.db.execute(sql`DELETE FROM chat_words`);
    await fillWords(server.db, chats, 3_000);
    await finds();
  }, 60_000);

  test('a search asks the index, and reads nothing of other chats', async () => {
    await fill([...chats, foreign]);
    const wordsFor = (q: string) => `'${q}' & ( ${chats.map((id) => `' ${id}'`).join(' | ')} )`;
    for (const isAnalyzed of [false, true]) {
      if (isAnalyzed) await server.db.execute(sql`VACUUM ANALYZE message_words`);
      for (const q of ['rare', 'n77', 'nowhere']) {
        const page = { words: wordsFor(q), before: undefined, wanted: 51 };
        const asked = await explain(server.db, byIndex(page), 'message_words');
        expect([q, [...asked.indexes]]).toEqual([q, ['message_words_words']]);
        expect([q, asked.rows]).toEqual([q, (await readAll(q)).length]);
        const walked = await explain(server.db, alongMessages(page, shortWalk), 'message_words');
        expect([...walked.indexes]).toEqual(['message_words_pkey']);
        expect(walked.rows).toBeLessThanOrEqual(shortWalk);
      }
    }
  }, 60_000);
});
