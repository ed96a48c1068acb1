// However many offers there are, each question is answered by an index and reads no more than it shows.

import { beforeAll, expect, test } from 'bun:test';
import { type SQL, sql } from 'drizzle-orm';
import { offerExpiry } from '../../../src/modules/offers/expiry.ts';
import { findMine } from '../../../src/modules/offers/reading.ts';
import { selectListed } from '../../../src/modules/offers/rows.ts';
import type { TestUser } from '../../support/api.ts';
import { explain } from '../../support/explain.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { createGroup, registerAll } from '../chat/setup.ts';
import { offer } from './setup.ts';

onEachDatabase('the indexes of offers', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let chatId: string;
  const limit = 51;

  beforeAll(async () => {
    server = await open();
    const [creator, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
    ann = creator;
    ({ id: chatId } = await createGroup(server, ann, bob));
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    // 1,000 that expired, by the same two in the same chat; and 12,000 of others in other chats, half of them pending.
    const others = sql`title, amount, currency, round, is_listed, version, updated_at`;
    const columns = sql`id, chat_id, seq, created_by, recipient_id, status, expires_at, created_at, ${others}`;
    await server.db.execute(sql`
      INSERT INTO offers (${columns})
      SELECT gen_random_uuid(), chat_id, 1000 + n, created_by, recipient_id, 'expired', now() - make_interval(secs => n),
        now() - make_interval(secs => n), ${others}
      FROM offers, generate_series(1, 1000) AS n WHERE id = ${made.id}`);
    await server.db.execute(sql`
      INSERT INTO offers (${columns})
      SELECT gen_random_uuid(), gen_random_uuid(), n, ${cid.id}, ${cid.id}, CASE n % 2 WHEN 0 THEN 'pending' ELSE 'accepted' END,
        now() + make_interval(days => 1, secs => n), created_at, ${others}
      FROM offers, generate_series(1, 12000) AS n WHERE id = ${made.id}`);
    await server.db.execute(sql`ANALYZE offers`);
  }, 60_000);

  const mine = (status?: 'pending' | 'accepted' | 'expired', role?: 'creator') =>
    findMine({ userId: ann.id, status, role, limit, after: undefined });

  for (const [name, statement, indexes, most] of [
    ['my lists, of every status', () => mine(), ['offers_creator', 'offers_recipient'], limit + 9],
    ['my list of one status', () => mine('pending'), ['offers_creator', 'offers_recipient'], 1],
    ['my list of a status that none has', () => mine('accepted', 'creator'), ['offers_creator'], 0],
    [
      'the list of a chat',
      () => sql`(SELECT * FROM offers WHERE chat_id = ${chatId} ORDER BY seq DESC LIMIT ${limit})`,
      ['offers_chat_seq'],
      limit,
    ],
    ['the part of a snapshot', () => selectListed(server.db, chatId).getSQL(), ['offers_listed'], 1],
    [
      'how many are pending',
      () =>
        sql`(SELECT count(*) FROM offers WHERE chat_id = ${chatId} AND created_by = ${ann.id} AND status = 'pending')`,
      ['offers_pending'],
      1,
    ],
    [
      'what is due',
      () =>
        sql`(SELECT id FROM offers WHERE ${offerExpiry.isOpen} AND expires_at <= now() ORDER BY expires_at LIMIT 100)`,
      ['offers_due'],
      0,
    ],
  ] as const satisfies readonly (readonly [string, () => SQL, readonly string[], number])[]) {
    test(`${name}: by its index, at most ${most} rows`, async () => {
      const explained = await explain(server.db, statement(), 'offers');
      expect([...explained.indexes].sort()).toEqual([...indexes]);
      expect(explained.scans.filter((scan) => scan === 'Seq Scan')).toEqual([]);
      expect(explained.rows).toBeLessThanOrEqual(most);
    });
  }
});
