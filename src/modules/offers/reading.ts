// Offers as their readers see them: those of a chat for its members, and one's own for ever.
// Membership is asked behind each reading: asked before it, a member who is removed in between would read what came later.

import { Type } from '@sinclair/typebox';
import { and, desc, eq, lt, type SQL, sql } from 'drizzle-orm';
import { defaultPageSize, readCursor, TimePosition, toPage } from '../../protocol/paging.ts';
import { query } from '../../realtime/index.ts';
import { findOwnChats, noSuchChat } from '../chat/index.ts';
import { noSuchOffer } from './access.ts';
import { GetOffer, ListMyOffers, ListOffers, Offer, OfferPage, OfferStatus } from './contract.ts';
import { toOffer } from './rows.ts';
import { offers } from './schema.ts';

const tag = 'Offers';

export const listOffers = query('offer.list', {
  summary: 'Offers of a chat, newest first',
  tag,
  http: 'GET /chats/:chatId/offers',
  input: ListOffers,
  output: OfferPage,
  refuses: ['not_found'],
  async run({ actor, db }, { chatId, limit = defaultPageSize, cursor }) {
    const after = readCursor(ChatPosition, cursor);
    const rows = await db
      .select()
      .from(offers)
      .where(and(eq(offers.chatId, chatId), after && lt(offers.seq, after[0])))
      .orderBy(desc(offers.seq))
      .limit(limit + 1);
    if (!(await findOwnChats(db, actor.userId, [chatId])).has(chatId)) throw noSuchChat();
    return toPage(rows, limit, ({ seq }) => [seq], toOffer);
  },
});

export const listMyOffers = query('offer.mine', {
  summary: 'Offers that I made or got, newest first',
  description: 'Over all chats, also those that I have left.',
  tag,
  http: 'GET /offers',
  input: ListMyOffers,
  output: OfferPage,
  async run({ actor, db }, { status, role, limit = defaultPageSize, cursor }) {
    const asked = { userId: actor.userId, status, role, limit: limit + 1 };
    const rows = await db
      .select()
      .from(offers)
      .where(sql`${offers.id} IN ${findMine({ ...asked, after: readCursor(TimePosition, cursor) })}`)
      .orderBy(desc(offers.createdAt), desc(offers.id));
    return toPage(rows, limit, ({ createdAt, id }) => [createdAt.getTime(), id], toOffer);
  },
});

export const getOffer = query('offer.get', {
  summary: 'An offer',
  description: 'For members of its chat, and for its two sides for ever.',
  tag,
  http: 'GET /offers/:offerId',
  input: GetOffer,
  output: Offer,
  refuses: ['not_found'],
  async run({ actor, db }, { offerId }) {
    const [row] = await db.select().from(offers).where(eq(offers.id, offerId));
    if (row === undefined) throw noSuchOffer();
    const isSide = [row.createdBy, row.recipientId].includes(actor.userId);
    if (!isSide && !(await findOwnChats(db, actor.userId, [row.chatId])).has(row.chatId)) throw noSuchOffer();
    return toOffer(row);
  },
});

/** The seq in the chat. */
const ChatPosition = Type.Tuple([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })]);

interface MineRequest {
  readonly userId: string;
  readonly status: ListMyOffers['status'];
  readonly role: ListMyOffers['role'];
  readonly limit: number;
  readonly after: TimePosition | undefined;
}

/**
 * The ids of a page: the newest of each status and role by their index, and of those the newest. A list of few among many
 * others so costs no more than any.
 */
export function findMine({ userId, status, role, limit, after }: MineRequest): SQL {
  const isBehind =
    after === undefined
      ? sql`true`
      : sql`(created_at, id) < (${new Date(after[0]).toISOString()}::timestamptz, ${after[1]}::uuid)`;
  const newest = sql`${isBehind} ORDER BY created_at DESC, id DESC LIMIT ${limit}`;
  const of = (side: SQL) =>
    sql`(SELECT id, created_at FROM offers WHERE ${side} = ${userId} AND offers.status = asked.status AND ${newest})`;
  const sides = [
    ...(role === 'recipient' ? [] : [of(sql`created_by`)]),
    ...(role === 'creator' ? [] : [of(sql`recipient_id`)]),
  ];
  const statuses = status === undefined ? OfferStatus.anyOf.map((one) => one.const) : [status];
  return sql`(
    SELECT mine.id FROM unnest(${sql.param(statuses)}::text[]) AS asked(status)
    CROSS JOIN LATERAL (${sql.join(sides, sql` UNION ALL `)}) AS mine
    ORDER BY mine.created_at DESC, mine.id DESC LIMIT ${limit})`;
}
