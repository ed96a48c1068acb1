// The words of messages, which search looks into: an index that is filled behind the messages, chat by chat in the order of
// their seqs. What is behind `chat_words.seq` is not in it yet, and search reads it from the messages themselves; so it does
// not matter who fills in, when, and whether it is ever interrupted.
//
// The words of a message have its chat among them: what one may read is decided within the index, and nothing of other
// chats is read. No text has such a word, since it begins with a blank.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';

/** The words of a row of messages, as part of a statement. */
export const wordsOf = (message: { content: SQL; chatId: SQL }): SQL =>
  sql`to_tsvector('simple', fold_text(${message.content})) || array_to_tsvector(ARRAY[' ' || ${message.chatId}])`;

/**
 * Takes the words of a message out of the index, and puts those in that it has now, if any. Call it in the transaction that
 * edits or deletes it, behind the change. Also where the message is not filled in yet: whoever does that meanwhile has
 * read the old text, and leaves what is there alone; so a deleted message keeps a row without words.
 */
export async function forgetWords(tx: Db, messageId: string): Promise<void> {
  await tx.execute(sql`
    INSERT INTO message_words (message_id, words)
    SELECT id, CASE WHEN content IS NULL THEN '' ELSE ${wordsOf(message)} END FROM messages AS message WHERE id = ${messageId}
    ON CONFLICT (message_id) DO UPDATE SET words = excluded.words`);
}

const message = { content: sql`message.content`, chatId: sql`message.chat_id` };

/** Those of the messages that can be found: what the system said is not searched. */
export const isSearched = sql`message.content IS NOT NULL AND message.message_type <> 'system'`;

/**
 * Fills in the next messages of each of the chats, as many of each, in one statement. Answers the chats in which no more
 * are left; one that another instance is at is not among them.
 */
export async function fillWords(db: Db, chatIds: readonly string[], ofEach: number): Promise<Set<string>> {
  const ids = sql.param([...chatIds]);
  // Asked first: to insert a row that somebody is changing would wait for them.
  await db.execute(sql`
    INSERT INTO chat_words (chat_id, seq) SELECT id, 0 FROM unnest(${ids}::uuid[]) AS id
    WHERE (SELECT true FROM chat_words WHERE chat_id = id) IS NULL ORDER BY id
    ON CONFLICT DO NOTHING`);
  // The seqs of a chat are committed in their order: what is not there yet comes behind what is.
  const rows = await queryRows<{ chat_id: string; filled: number }>(
    db,
    sql`
      WITH mine AS MATERIALIZED (
        SELECT chat_id, seq FROM chat_words WHERE chat_id = ANY(${ids}::uuid[]) FOR UPDATE SKIP LOCKED
      ), message AS MATERIALIZED (
        SELECT next.* FROM mine CROSS JOIN LATERAL (
          SELECT id, chat_id, seq, content, message_type FROM messages
          WHERE messages.chat_id = mine.chat_id AND messages.seq > mine.seq ORDER BY messages.seq LIMIT ${ofEach}
        ) AS next
      ), filled AS (
        INSERT INTO message_words (message_id, words)
        SELECT id, ${wordsOf(message)} FROM message WHERE ${isSearched} ORDER BY id
        ON CONFLICT DO NOTHING
      ), moved AS (
        UPDATE chat_words SET seq = reached.seq
        FROM (SELECT chat_id, max(seq) AS seq FROM message GROUP BY chat_id) AS reached
        WHERE chat_words.chat_id = reached.chat_id
      )
      SELECT mine.chat_id, (SELECT count(*)::int FROM message WHERE message.chat_id = mine.chat_id) AS filled FROM mine`,
  );
  return new Set(rows.flatMap(({ chat_id, filled }) => (filled < ofEach ? [chat_id] : [])));
}
