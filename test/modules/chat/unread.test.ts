// Unread messages, counted for many members at once: the same numbers as one by one.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { countUnread, type Membership, unreadOf } from '../../../src/modules/chat/unread.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { addCrowd, createGroup, registerAll } from './setup.ts';

const messages = 20_000;

onEachDatabase('unread messages', (open) => {
  let server: TestServer;
  let chatId: string;
  let members: Membership[];

  beforeAll(async () => {
    server = await open();
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    chatId = (await createGroup(server, ann, bob)).id;
    await addCrowd(server, chatId, bob, 198);
    members = await queryRows<Membership>(
      server.db,
      sql`SELECT chat_id AS "chatId", user_id AS "userId" FROM chat_participants WHERE chat_id = ${chatId}`,
    );
    // Everybody says something; some of it is deleted, some is the system's.
    await server.db.execute(sql`
      INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, created_at, deleted_at)
      SELECT gen_random_uuid(), ${chatId}, seq, members.ids[1 + seq * 7 % cardinality(ids)], 'x',
        CASE seq % 11 WHEN 0 THEN 'system' ELSE 'text' END, now(), CASE seq % 13 WHEN 0 THEN now() END
      FROM generate_series(2, ${messages}) AS seq,
        (SELECT array_agg(user_id) AS ids FROM chat_participants WHERE chat_id = ${chatId}) AS members`);
  });

  const oneByOne = async (): Promise<Record<string, number>> => {
    const unread = unreadOf({
      chatId: sql`p.chat_id`,
      userId: sql`p.user_id`,
      lastReadSeq: sql`p.last_read_seq`,
    });
    return byUser(
      await queryRows<Membership & { unread: number }>(
        server.db,
        sql`SELECT p.user_id AS "userId", unread FROM chat_participants AS p CROSS JOIN LATERAL ${unread} AS counted
          WHERE p.chat_id = ${chatId}`,
      ),
    );
  };
  const byUser = (rows: readonly { userId: string; unread: number }[]) =>
    Object.fromEntries(rows.map(({ userId, unread }) => [userId, unread]));

  test.each([
    ['nobody has read anything', sql`0`],
    ['everyone has read up to somewhere', sql`abs(hashtext(user_id::text)) % ${messages}::int`],
    ['everyone is near the end', sql`${messages}::int - abs(hashtext(user_id::text)) % 5`],
  ])('the numbers are those of each member alone where %s', async (_, position) => {
    await server.db.execute(
      sql`UPDATE chat_participants SET last_read_seq = ${position} WHERE chat_id = ${chatId}`,
    );
    const together = await countUnread(server.db, [
      ...members,
      { chatId, userId: crypto.randomUUID() }, // no member
    ]);
    expect(together).toHaveLength(members.length);
    expect(byUser(together)).toEqual(await oneByOne());
  });
});
