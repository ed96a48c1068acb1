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
    // 3,000 that expired, by the same two in the same chat; and 40,000 of others in other chats, half of them pending.
    await server.db.execute(sql`
      INSERT INTO offers
      SELECT (jsonb_populate_record(offers, jsonb_build_object(
        'id', gen_random_uuid(), 'seq', 1000 + n, 'status', 'expired', 'expires_at', now() - make_interval(secs => n),
        'created_at', now() - make_interval(secs => n)))).*
      FROM offers, generate_series(1, 3000) AS n WHERE id = ${made.id}`);
    await server.db.execute(sql`
      INSERT INTO offers
      SELECT (jsonb_populate_record(offers, jsonb_build_object(
        'id', gen_random_uuid(), 'chat_id', gen_random_uuid(), 'created_by', ${cid.id}::text, 'recipient_id', ${cid.id}::text,
        'status', CASE n % 2 WHEN 0 THEN 'pending' ELSE 'accepted' END, 'expires_at', now() + make_interval(days => 1, secs => n)))).*
      FROM offers, generate_series(1, 40000) AS n WHERE id = ${made.id}`);
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
