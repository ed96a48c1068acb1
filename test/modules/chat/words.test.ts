// Words are filled in once, by whoever comes first, and an edit meanwhile always wins: the index has the present text.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../../src/db/database.ts';
import { startFiller } from '../../../src/modules/chat/filler.ts';
import { fillWords, forgetWords } from '../../../src/modules/chat/words.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';

onEachDatabase('the words of messages', (open, database) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
  });

  /** A chat that the server's own filler does not know of. */
  async function startChat(count: number): Promise<{ chatId: string; ids: string[] }> {
    const chatId = crypto.randomUUID();
    const rows = await queryRows<{ id: string }>(
      server.db,
      sql`INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, created_at)
          SELECT gen_random_uuid(), ${chatId}, 2 * n, ${ann.id}, 'old words', 'text', now()
          FROM generate_series(1, ${count}::int) AS n RETURNING id`,
    );
    return { chatId, ids: rows.map(({ id }) => id) };
  }
  const edit = async (db: Db, id: string, content: string | null): Promise<void> => {
    await db.execute(sql`UPDATE messages SET content = ${content} WHERE id = ${id}`);
    await forgetWords(db, id);
  };
  const filledTo = async (chatId: string): Promise<number | undefined> => {
    const rows = await queryRows<{ seq: number }>(
      server.db,
      sql`SELECT seq::int FROM chat_words WHERE chat_id = ${chatId}`,
    );
    return rows[0]?.seq;
  };
  /** The words of each message, without its chat. */
  const wordsIn = async (chatId: string): Promise<string[]> => {
    const rows = await queryRows<{ words: string }>(
      server.db,
      sql`SELECT array_to_string(array_remove(tsvector_to_array(words), ' ' || chat_id), ' ') AS words
          FROM message_words JOIN messages ON messages.id = message_id WHERE chat_id = ${chatId} ORDER BY seq`,
    );
    return rows.map(({ words }) => words);
  };

  test('come chat by chat in the order of the messages, so many of each at once', async () => {
    const [few, many] = [await startChat(2), await startChat(5)];
    const fill = () => fillWords(server.db, [few.chatId, many.chatId], 3);
    expect(await fill()).toEqual(new Set([few.chatId]));
    expect([await filledTo(few.chatId), await filledTo(many.chatId)]).toEqual([4, 6]);
    expect(await fill()).toEqual(new Set([few.chatId, many.chatId]));
    expect(await filledTo(many.chatId)).toBe(10);
    expect(await wordsIn(many.chatId)).toEqual(Array(5).fill('old words'));
    expect(await fill()).toEqual(new Set([few.chatId, many.chatId]));
    expect(await wordsIn(few.chatId)).toEqual(Array(2).fill('old words'));
  });

  test('of what was edited or deleted are the present ones, filled in before or behind it', async () => {
    const { chatId, ids } = await startChat(4);
    const [first = '', second = '', third = '', fourth = ''] = ids;
    await edit(server.db, first, 'new');
    await edit(server.db, second, null);
    await fillWords(server.db, [chatId], 10);
    expect(await wordsIn(chatId)).toEqual(['new', '', 'old words', 'old words']);
    await edit(server.db, third, 'new');
    await edit(server.db, fourth, null);
    expect(await wordsIn(chatId)).toEqual(['new', '', 'new', '']);
    await edit(server.db, crypto.randomUUID(), 'there is no such message');
  });

  if (database.kind === 'postgres') {
    /** Runs `second` while the transaction of `first` is open, and lets that one commit when the second waits for it. */
    async function whileOpen(
      first: (tx: Db) => Promise<unknown>,
      second: () => Promise<unknown>,
    ): Promise<void> {
      const done = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const running = server.db.transaction(async (tx) => {
        await first(tx);
        done.resolve();
        await goOn.promise;
      });
      await done.promise;
      const waiting = second();
      await Promise.race([waiting, untilWaiting(server.db, 1)]);
      goOn.resolve();
      await Promise.all([running, waiting]);
    }

    test.each(['new', null])('an edit to %p under way is waited for, and stands', async (content) => {
      const { chatId, ids } = await startChat(3);
      await whileOpen(
        (tx) => edit(tx, ids[1] ?? '', content),
        () => fillWords(server.db, [chatId], 10),
      );
      expect(await wordsIn(chatId)).toEqual(['old words', content ?? '', 'old words']);
    });

    test.each(['new', null])('an edit to %p waits for who fills in, and stands', async (content) => {
      const { chatId, ids } = await startChat(3);
      await whileOpen(
        (tx) => fillWords(tx, [chatId], 10),
        () => edit(server.db, ids[1] ?? '', content),
      );
      expect(await wordsIn(chatId)).toEqual(['old words', content ?? '', 'old words']);
    });

    test('a chat that one instance is at is left alone by another, which comes back to it', async () => {
      const { chatId } = await startChat(3);
      await fillWords(server.db, [chatId], 1);
      let elsewhere: Set<string> | undefined;
      await whileOpen(
        (tx) => fillWords(tx, [chatId], 1),
        async () => {
          elsewhere = await fillWords(server.db, [chatId], 10);
        },
      );
      expect(elsewhere).toEqual(new Set());
      expect(await fillWords(server.db, [chatId], 10)).toEqual(new Set([chatId]));
      expect(await wordsIn(chatId)).toHaveLength(3);
    });
  }

  test('the filler comes back to what is not done, takes what is noted meanwhile, and outlives failures', async () => {
    const batches: {
      chatIds: readonly string[];
      end: (done: readonly string[]) => void;
      fail: () => void;
    }[] = [];
    const begun: PromiseWithResolvers<void>[] = [];
    const at = (n: number) => {
      begun[n] ??= Promise.withResolvers<void>();
      return begun[n];
    };
    const reported: unknown[] = [];
    const filler = startFiller(
      { db: server.db, reporter: { report: (error) => void reported.push(error), toRefusal: () => never() } },
      (_, chatIds) => {
        const { promise, resolve, reject } = Promise.withResolvers<Set<string>>();
        batches.push({
          chatIds,
          end: (done) => resolve(new Set(done)),
          fail: () => reject(new Error('away')),
        });
        at(batches.length - 1).resolve();
        return promise;
      },
    );
    filler.note(['a', 'b', 'a']);
    await at(0).promise;
    expect(batches[0]?.chatIds).toEqual(['a', 'b']);
    filler.note(['c', 'b']);
    batches[0]?.end(['b']); // and `b` was noted since
    await at(1).promise;
    expect(batches[1]?.chatIds).toEqual(['c', 'b', 'a']);
    batches[1]?.fail();
    filler.note(['d']);
    await filler.stop();
    expect(reported).toEqual([new Error('away')]);
    filler.note(['e']); // nothing begins behind the stop
    expect(batches).toHaveLength(2);
  });

  test('the stop of the filler waits for the batch under way', async () => {
    const began = Promise.withResolvers<void>();
    const end = Promise.withResolvers<ReadonlySet<string>>();
    const filler = startFiller({ db: server.db, reporter: { report: never, toRefusal: never } }, () => {
      began.resolve();
      return end.promise;
    });
    filler.note(['a']);
    await began.promise;
    let isStopped = false;
    const stopped = filler.stop().then(() => {
      isStopped = true;
    });
    await Promise.resolve();
    expect(isStopped).toBe(false);
    end.resolve(new Set());
    await stopped;
  });
});

function never(): never {
  throw new Error('This is not called.');
}
