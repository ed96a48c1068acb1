// Messages by their words, over the chats that I am in, newest first, at a cost that does not grow with what is written
// there. What many messages have is soon met by walking back along them; what few have, the index of words finds. In
// between, a page is what a long walk met: it may be short, even empty, and have a next one all the same.
// Messages that are not in the index yet are read themselves, before the index: what is filled in meanwhile is in both.

import { Type } from '@sinclair/typebox';
import { inArray, type SQL, sql } from 'drizzle-orm';
import { searchesPerMinute } from '../../auth/user-operations.ts';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize, encodeCursor, readCursor } from '../../protocol/paging.ts';
import { Id } from '../../protocol/values.ts';
import { query } from '../../realtime/index.ts';
import { findOwnChats, noSuchChat } from './access.ts';
import { MessagePage, SearchMessages } from './contract.ts';
import type { Filler } from './filler.ts';
import { viewMessagesFor } from './message-rows.ts';
import { messages } from './schema.ts';
import { isSearched, wordsOf } from './words.ts';

export const searchMessages = (filler: Pick<Filler, 'note'>) =>
  query('message.search', {
    summary: 'Messages by their words, newest first',
    description:
      'In the chats that I am in now, or in one of them. A message is found by whole words, whatever their case: by all of ' +
      'them, by one of two with `or` between them, by several in a row in "quotes", and without those that have a `-` ' +
      'before them. Deleted messages and what the system said are not found. A page may be short, even empty, and have a ' +
      '`nextCursor` all the same: `null` is the end.',
    tag: 'Messages',
    http: 'GET /messages/search',
    limit: searchesPerMinute,
    input: SearchMessages,
    output: MessagePage,
    refuses: ['not_found'],
    async run({ actor, db }, { q, chat, limit = defaultPageSize, cursor }) {
      const { userId } = actor;
      const before = readCursor(Place, cursor)?.[0];
      const { words, behind } = await readAsked(db, userId, q, chat);
      filler.note(behind);
      const page = { words, before, wanted: limit + 1 };
      const { ids, stoppedAt } = words === null ? nothing : await find(db, page, behind);
      const rows = await db
        .select()
        .from(messages)
        .where(inArray(messages.id, ids.slice(0, limit)));
      const shown = await viewMessagesFor(db, userId, rows);
      // Behind the reading: of a chat that I was removed from meanwhile I see nothing.
      const own = await findOwnChats(db, userId, [
        ...shown.map(({ chatId }) => chatId),
        ...(chat ? [chat] : []),
      ]);
      if (chat !== undefined && !own.has(chat)) throw noSuchChat();
      const last = ids.length > limit ? ids[limit - 1] : stoppedAt;
      return {
        items: shown
          .filter(({ chatId, content }) => own.has(chatId) && content !== null)
          .sort((a, b) => (a.id < b.id ? 1 : -1)),
        nextCursor: last === undefined ? null : encodeCursor([last]),
      };
    },
  });

/** The id of the last message of a page. */
const Place = Type.Tuple([Id]);

/** Messages walked along before the index is asked. */
export const shortWalk = 500;
/** Messages walked along for a page where the index has more than `maxHits`. */
const longWalk = 20_000;
/** Messages taken from the index for a page. */
const maxHits = 10_000;
/** So much of what is not in the index yet is read, the newest of it: some 300 ms. */
const maxTail = { messages: 10_000, bytes: 4_000_000 };

/** What one page looks for. */
export interface SearchPage {
  /** The words and my chats, as a `tsquery`. */
  readonly words: string | null;
  readonly before: string | undefined;
  readonly wanted: number;
}

interface Found {
  /** Newest first, at most as many as wanted. */
  readonly ids: readonly string[];
  /** Where a walk ended that may meet more behind it. */
  readonly stoppedAt: string | undefined;
}

const nothing: Found = { ids: [], stoppedAt: undefined };

/**
 * What is looked for, null where I am in no chat; and those of my chats with messages that are not in the index yet. Throws
 * `invalid` where no word says what to find.
 */
async function readAsked(db: Db, userId: string, q: string, chat: string | undefined) {
  const isAsked = chat === undefined ? sql`true` : sql`mine.chat_id = ${chat}`;
  const [asked] = await queryRows<{ wanted: string; words: string | null; behind: string[] }>(
    db,
    sql`
      WITH mine AS MATERIALIZED (
        SELECT mine.chat_id, coalesce(chat_words.seq, 0) < (
          SELECT seq FROM messages WHERE messages.chat_id = mine.chat_id ORDER BY messages.seq DESC LIMIT 1
        ) AS is_behind
        FROM chat_participants AS mine LEFT JOIN chat_words ON chat_words.chat_id = mine.chat_id
        WHERE mine.user_id = ${userId} AND ${isAsked}
      )
      SELECT querytree(words) AS wanted,
        (words && (SELECT string_agg(quote_literal(' ' || chat_id), ' | ') FROM mine)::tsquery)::text AS words,
        ARRAY(SELECT chat_id::text FROM mine WHERE is_behind) AS behind
      FROM websearch_to_tsquery('simple', fold_text(${q})) AS words`,
  );
  if (asked === undefined) throw new Error('The words were not read.');
  // PostgreSQL's words for "nothing" and "anything": no word at all, and none but those that must not be there.
  if (asked.wanted === '' || asked.wanted === 'T') {
    throw new AppError('invalid', '"q" must have at least one word to find, of letters or digits.');
  }
  return asked;
}

async function find(db: Db, page: SearchPage, behind: readonly string[]): Promise<Found> {
  const unfilled = behind.length === 0 ? [] : await readIds(db, inTail(page, behind));
  const { ids, stoppedAt } = await findFilled(db, page);
  // What lies behind the end of a walk belongs to the next page, as what it meets there does.
  const all = [...new Set([...unfilled, ...ids])].filter((id) => stoppedAt === undefined || id >= stoppedAt);
  return { ids: all.sort().reverse().slice(0, page.wanted), stoppedAt };
}

async function findFilled(db: Db, page: SearchPage): Promise<Found> {
  const nearby = await walk(db, page, shortWalk);
  if (nearby.stoppedAt === undefined || nearby.ids.length >= page.wanted) return nearby;
  const [hits] = await queryRows<{ total: number; ids: string[] }>(db, byIndex(page));
  if (hits === undefined) throw new Error('The index of words did not answer.');
  return hits.total > maxHits ? await walk(db, page, longWalk) : { ids: hits.ids, stoppedAt: undefined };
}

async function walk(db: Db, page: SearchPage, length: number): Promise<Found> {
  const rows = await queryRows<{ id: string; fits: boolean; n: number }>(db, alongMessages(page, length));
  const last = rows.at(-1);
  return {
    ids: rows.flatMap(({ id, fits }) => (fits ? [id] : [])),
    stoppedAt: last?.n === length ? last.id : undefined,
  };
}

/** The next messages back: as many of those that fit as are wanted, and else the last one, too. Stops where it has them. */
export function alongMessages({ words, before, wanted }: SearchPage, length: number): SQL {
  return sql`
    SELECT id, fits, n::int AS n FROM (
      SELECT message_id AS id, words @@ ${words}::tsquery AS fits, row_number() OVER (ORDER BY message_id DESC) AS n
      FROM (
        SELECT message_id, words FROM message_words WHERE ${isBefore(sql`message_id`, before)}
        ORDER BY message_id DESC LIMIT ${length}
      ) AS next
    ) AS walked
    WHERE fits OR n = ${length}
    ORDER BY id DESC LIMIT ${wanted}`;
}

/** Messages by the index; also how many there are, up to one above `maxHits`: then these are not the newest. */
export function byIndex({ words, before, wanted }: SearchPage): SQL {
  return sql`
    WITH hits AS MATERIALIZED (
      SELECT message_id AS id FROM message_words WHERE words @@ ${words}::tsquery LIMIT ${maxHits + 1}
    )
    SELECT (SELECT count(*)::int FROM hits) AS total,
      ARRAY(SELECT id::text FROM hits WHERE ${isBefore(sql`id`, before)} ORDER BY id DESC LIMIT ${wanted}) AS ids`;
}

/** Messages that are not in the index, of each chat an equal part, and of all so many bytes, from the newest back. */
function inTail({ words, before, wanted }: SearchPage, chatIds: readonly string[]): SQL {
  const ofEach = Math.max(1, Math.floor(maxTail.messages / chatIds.length));
  return sql`
    SELECT id FROM (
      SELECT *, sum(octet_length(content)) OVER (ORDER BY id DESC) - octet_length(content) AS bytes_before
      FROM (
        SELECT chat_id, coalesce(chat_words.seq, 0) AS seq
        FROM unnest(${sql.param([...chatIds])}::uuid[]) AS asked(chat_id) LEFT JOIN chat_words USING (chat_id)
      ) AS filled CROSS JOIN LATERAL (
        SELECT id, content, message_type FROM messages
        WHERE messages.chat_id = filled.chat_id AND messages.seq > filled.seq
        ORDER BY messages.seq DESC LIMIT ${ofEach}
      ) AS message
      WHERE ${isSearched}
    ) AS read
    WHERE bytes_before < ${maxTail.bytes} AND ${isBefore(sql`id`, before)}
      AND ${wordsOf({ content: sql`content`, chatId: sql`chat_id` })} @@ ${words}::tsquery
    ORDER BY id DESC LIMIT ${wanted}`;
}

const isBefore = (id: SQL, before: string | undefined): SQL =>
  before === undefined ? sql`true` : sql`${id} < ${before}::uuid`;

async function readIds(db: Db, statement: SQL): Promise<string[]> {
  return (await queryRows<{ id: string }>(db, statement)).map(({ id }) => id);
}
