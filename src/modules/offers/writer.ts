// How offers come to be and end, inside of a transaction whose rights are settled: the row, the message in the chat and the
// events together. The message comes first; it takes the lock of the chat's topic, behind which offers are counted and get
// their places in the snapshot.

import { and, asc, eq, inArray, or, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { compare } from '../../protocol/order.ts';
import type { CommandContext, Emit, OnUserDeleted } from '../../realtime/index.ts';
import { addMessage, systemMessage } from '../chat/index.ts';
import { type CounterTerms, maxPending, type Offer, type OfferChange } from './contract.ts';
import { type OfferRow, readListed, toOffer } from './rows.ts';
import { endOf, formatAmount, lineOf } from './rules.ts';
import { offers } from './schema.ts';
import { hasRoom } from './state.ts';
import { chat, user } from './topics.ts';

export interface Draft {
  readonly chatId: string;
  readonly createdBy: string;
  readonly recipientId: string;
  readonly title: string;
  readonly currency: string;
  readonly terms: Pick<CounterTerms, 'amount' | 'note' | 'expiresAt'>;
  /** Where the terms stand in the request. */
  readonly path: string;
  /** The offer that it counters. */
  readonly parent?: OfferRow;
}

type Context = Pick<CommandContext, 'tx' | 'emit'>;

/** Answers the offer and the message it came with. Throws `conflict` over the limit, `invalid` for its end. */
export async function addOffer({ tx, emit }: Context, draft: Draft) {
  const { chatId, createdBy, recipientId, title, currency, terms, parent } = draft;
  const id = Bun.randomUUIDv7();
  const amount = formatAmount(terms.amount, currency);
  const content = lineOf({ title, amount, currency });
  const message = await addMessage(tx, emit, chatId, {
    senderId: createdBy,
    messageType: 'offer',
    content,
    metadata: { offerId: id },
  });
  if (parent !== undefined) await closeCountered(tx, emit, parent, createdBy);
  const { nowMs, endMs } = await requirePlace(tx, draft);
  const row = {
    id,
    chatId,
    seq: message.seq,
    createdBy,
    recipientId,
    title,
    amount,
    currency,
    note: terms.note ?? null,
    status: 'pending' as const,
    parentId: parent?.id ?? null,
    round: parent === undefined ? 0 : parent.round + 1,
    isListed: true,
    expiresAt: new Date(endMs),
    version: 1,
    createdAt: new Date(nowMs),
    updatedAt: new Date(nowMs),
  };
  const offer = toOffer(row);
  const isListed = hasRoom(await readListed(tx, chatId), offer);
  await tx.insert(offers).values({ ...row, isListed });
  emit(chat.on(chatId), 'offer.created', { offer });
  emit(user.on(recipientId), 'offer.received', { offer, chatId });
  return { offer, message };
}

type Verdict = Exclude<OfferChange, 'countered' | 'expired'>;

/** One of the two ends the offer, whose row is locked. */
export async function settleOffer(
  tx: Db,
  emit: Emit,
  row: OfferRow,
  change: Verdict,
  by: string,
): Promise<Offer> {
  const offer = await endOffer(tx, row, change);
  await announceEnd(tx, emit, offer, change, by);
  const other = by === row.createdBy ? row.recipientId : row.createdBy;
  emit(user.on(other), `offer.${change}`, { offer, chatId: row.chatId });
  return offer;
}

/** What a deleted user has offered is withdrawn, and what was offered to them is rejected. */
export const endOffersOf: OnUserDeleted = async ({ actor: { userId }, tx, emit }) => {
  const isSide = or(eq(offers.createdBy, userId), eq(offers.recipientId, userId));
  const rows = await tx
    .select()
    .from(offers)
    .where(and(isSide, eq(offers.status, 'pending')))
    .orderBy(asc(offers.chatId), asc(offers.seq)) // all before the first topic is locked, and the topics in this order
    .for('no key update');
  for (const row of rows) {
    await settleOffer(tx, emit, row, row.createdBy === userId ? 'withdrawn' : 'rejected', userId);
  }
};

/**
 * Their time is over; their rows are locked. All are ended before the first topic is locked; and their chats come in the order
 * of their ids.
 */
export async function expireOffers(tx: Db, emit: Emit, ids: readonly string[]): Promise<void> {
  const rows = await endOffers(tx, ids, 'expired');
  for (const row of rows.sort((a, b) => compare(a.chatId, b.chatId) || a.seq - b.seq)) {
    const offer = toOffer(row);
    await announceEnd(tx, emit, offer, 'expired', null);
    const both = [row.createdBy, row.recipientId].map(user.on);
    emit(both, 'offer.expired', { offer, chatId: row.chatId });
  }
}

async function closeCountered(tx: Db, emit: Emit, parent: OfferRow, by: string): Promise<void> {
  const offer = await endOffer(tx, parent, 'countered');
  emit(chat.on(offer.chatId), 'offer.updated', { offer, change: 'countered', by });
  emit(user.on(offer.createdBy), 'offer.countered', { offer, chatId: offer.chatId });
}

/** What the system says of it in the chat, and what followers of the chat are told. */
async function announceEnd(
  tx: Db,
  emit: Emit,
  offer: Offer,
  change: OfferChange,
  by: string | null,
): Promise<void> {
  const { id, chatId, createdBy, title } = offer;
  const content =
    change === 'expired' ? `The offer “${title}” has expired.` : `The offer “${title}” was ${change}.`;
  const said = systemMessage(by ?? createdBy, content, { event: `offer.${change}`, offerId: id });
  await addMessage(tx, emit, chatId, said);
  emit(chat.on(chatId), 'offer.updated', { offer, change, by });
}

async function endOffer(tx: Db, { id }: OfferRow, status: OfferChange): Promise<Offer> {
  const [row] = await endOffers(tx, [id], status);
  if (row === undefined) throw new Error('An offer was locked, but could not be ended.');
  return toOffer(row);
}

async function endOffers(tx: Db, ids: readonly string[], status: OfferChange): Promise<OfferRow[]> {
  return await tx
    .update(offers)
    .set({ status, version: sql`${offers.version} + 1`, updatedAt: sql`clock_timestamp()` })
    .where(inArray(offers.id, [...ids]))
    .returning();
}

/** When it is made, and when it ends. Exact behind the lock of the chat's topic: whatever else is offered there waits. */
async function requirePlace(
  tx: Db,
  { chatId, createdBy, terms, path }: Draft,
): Promise<{ nowMs: number; endMs: number }> {
  // The transaction's `now()` stands still while it waits for locks.
  const [place] = await queryRows<{ nowMs: number; pending: number }>(
    tx,
    sql`
      SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "nowMs", count(*)::int AS pending FROM offers
      WHERE chat_id = ${chatId} AND created_by = ${createdBy} AND status = 'pending'`,
  );
  if (place === undefined) throw new Error('A count answered no row.');
  if (place.pending >= maxPending) {
    const most = `A member has at most ${maxPending} pending offers in a chat.`;
    throw new AppError('conflict', `${most} Withdraw one first.`);
  }
  const { nowMs } = place;
  const endMs = endOf(nowMs, terms.expiresAt);
  if (endMs === undefined) throw invalidEnd(`${path}/expiresAt`);
  return { nowMs, endMs };
}

const invalidEnd = (path: string) => {
  const message = 'Expected an instant between 1 minute and 90 days ahead';
  return new AppError('invalid', `${message}, by the clock of the server.`, { fields: [{ path, message }] });
};
