// What the suites of offers do all the time: make offers, end them, over HTTP or the socket, and look at what there is.

import { eq, sql } from 'drizzle-orm';
import type { Offer } from '../../../src/modules/offers/contract.ts';
import { readListed, toOffer } from '../../../src/modules/offers/rows.ts';
import { offers } from '../../../src/modules/offers/schema.ts';
import { applyOffers } from '../../../src/modules/offers/state.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame } from '../../support/client.ts';
import type { TestServer } from '../../support/server.ts';
import { attempt, eventsOf, must } from '../chat/setup.ts';

export const bicycle = { title: 'A bicycle, blue', amount: '12.50', currency: 'EUR' };

/** To the other one of a direct chat, or to `recipientId` in `terms`. */
export function offer(
  server: TestServer,
  creator: TestUser,
  chatId: string,
  terms: object = {},
): Promise<Offer> {
  return must(server, creator, 'POST', `/chats/${chatId}/offers`, { ...bicycle, ...terms });
}

export type Action = 'accept' | 'reject' | 'withdraw' | 'counter';

/** What the action was answered, over HTTP. */
export async function tryAct(
  server: TestServer,
  user: TestUser,
  { id }: Pick<Offer, 'id'>,
  action: Action,
  terms: object = { amount: '11' },
) {
  const body = action === 'counter' ? terms : undefined;
  return await attempt(server, user, 'POST', `/offers/${id}/${action}`, body);
}

export async function act(
  server: TestServer,
  user: TestUser,
  { id }: Pick<Offer, 'id'>,
  action: Action,
  terms: object = { amount: '11' },
): Promise<Offer> {
  return await must(
    server,
    user,
    'POST',
    `/offers/${id}/${action}`,
    action === 'counter' ? terms : undefined,
  );
}

/** As it stands in the table. */
export async function stored(server: TestServer, { id }: Pick<Offer, 'id'>): Promise<Offer> {
  const [row] = await server.db.select().from(offers).where(eq(offers.id, id));
  if (row === undefined) throw new Error('There is no such offer.');
  return toOffer(row);
}

/** Moves its end into the past, or so many ms ahead, behind the server's back. */
export async function moveEnd(server: TestServer, { id }: Pick<Offer, 'id'>, aheadMs = -1): Promise<void> {
  await server.db.execute(
    sql`UPDATE offers SET expires_at = clock_timestamp() + ${`${aheadMs} ms`}::interval WHERE id = ${id}`,
  );
}

/** The part that the log builds from nothing; it must be the one that the tables have. */
export async function builtParts(server: TestServer, chatId: string) {
  const frames: Pick<Frame, 'type' | 'payload'>[] = await eventsOf(server, `chat:${chatId}`);
  const built = frames.reduce<Offer[]>((part, { type, payload }) => applyOffers(part, { type, payload }), []);
  return { built, read: await readListed(server.db, chatId) };
}

/** The changes of the offer that the log of its chat tells. */
export async function changesOf(server: TestServer, { id, chatId }: Pick<Offer, 'id' | 'chatId'>) {
  const frames = await eventsOf(server, `chat:${chatId}`);
  return frames.flatMap(({ type, payload }) =>
    type === 'offer.updated' && payload.offer.id === id ? [payload.change as string] : [],
  );
}
