// Makes offers one after another, each with its key, until it is acknowledged, and lets each end in one of three ways: taken
// back, accepted by the other side, or expired by the clockwork, whoever of the instances is there for it.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import { chatTopic } from '../../src/modules/chat/contract.ts';
import type { ListedOffers, Offer, OfferStatus } from '../../src/modules/offers/contract.ts';
import { readListed } from '../../src/modules/offers/rows.ts';
import { applyOffers } from '../../src/modules/offers/state.ts';
import type { TestUser } from '../support/api.ts';
import { insist, insistOn } from './insist.ts';
import type { Outcome } from './load.ts';
import { readFrames } from './log.ts';
import { RoamingClient } from './roaming-client.ts';

export interface TraderOptions {
  readonly maker: TestUser;
  readonly taker: TestUser;
  readonly urls: readonly string[];
  readonly chatId: string;
  /** For bringing the end of an offer near, which over the wire is a minute off at least. */
  readonly db: Db;
}

const replyPatienceMs = 3_000;
const pauseMs = 50;
const expiresInMs = 500;
/** The clockwork's own bound, with an instance killed under it, and what a frozen database or instance takes. */
const expiryPatienceMs = 30_000;

export class Trader {
  readonly #options: TraderOptions;
  readonly #maker: RoamingClient;
  readonly #taker: RoamingClient;
  readonly #ended: Promise<void>;
  /** By offer: how it must have ended, as it was acknowledged. */
  readonly #offers = new Map<string, OfferStatus>();
  #isStopping = false;
  #isAbandoned = false;

  constructor(options: TraderOptions) {
    this.#options = options;
    const { maker, taker, urls } = options;
    this.#maker = new RoamingClient({ user: maker, urls, first: 0, commandTimeoutMs: replyPatienceMs });
    this.#taker = new RoamingClient({ user: taker, urls, first: 1, commandTimeoutMs: replyPatienceMs });
    this.#ended = this.#run();
  }

  get ended(): number {
    return this.#offers.size;
  }

  /** Resolves when the last offer has ended as it should. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ended;
  }

  abandon(): void {
    this.#isStopping = true;
    this.#isAbandoned = true;
    this.#maker.abandon();
    this.#taker.abandon();
  }

  /** Offers that are not as they were acknowledged, or whose events are not; the state by the events is that of the tables. */
  async compare(): Promise<Pick<Outcome, 'lost' | 'repeated' | 'invented'>> {
    const { db, chatId, maker } = this.#options;
    await this.#untilExpired();
    const rows = await queryRows<{ id: string; status: OfferStatus }>(
      db,
      sql`SELECT id, status FROM offers WHERE chat_id = ${chatId} AND created_by = ${maker.id}`,
    );
    const status = new Map(rows.map((row) => [row.id, row.status]));
    const frames = await readFrames(db, chatTopic(chatId));
    const said = (type: string): string[] =>
      frames.flatMap((frame) => (frame.type === type ? [frame.payload.offer.id] : []));
    const own = (ids: string[]): string[] => ids.filter((id) => status.has(id));
    const [created, updated] = [own(said('offer.created')), own(said('offer.updated'))];
    const part = frames.reduce<ListedOffers>(
      (state, { type, payload }) => applyOffers(state, { type, payload }),
      [],
    );
    const isLawful = Bun.deepEquals(part, await readListed(db, chatId));
    return {
      lost: [...this.#offers].filter(([id, ended]) => status.get(id) !== ended).length + (isLawful ? 0 : 1),
      repeated: created.length - new Set(created).size + updated.length - new Set(updated).size,
      invented:
        rows.filter(({ id }) => !this.#offers.has(id)).length + Math.abs(updated.length - rows.length),
    };
  }

  async #run(): Promise<void> {
    const { chatId, taker, db } = this.#options;
    const isAbandoned = () => this.#isAbandoned;
    for (let number = 0; !this.#isStopping; number += 1) {
      const terms = {
        chatId,
        recipientId: taker.id,
        title: `Offer ${number}`,
        amount: '12.50',
        currency: 'EUR',
      };
      const offer = await insist<Offer>(this.#maker, 'offer.create', terms, isAbandoned);
      if (offer === undefined) return;
      const { id: offerId } = offer;
      if (number % 3 === 0) {
        await insist(this.#maker, 'offer.update', { offerId, action: 'withdraw' }, isAbandoned);
        this.#offers.set(offerId, 'withdrawn');
      } else if (number % 3 === 1) {
        await insist(this.#taker, 'offer.update', { offerId, action: 'accept' }, isAbandoned);
        this.#offers.set(offerId, 'accepted');
      } else {
        const soon = sql`now() + make_interval(secs => ${expiresInMs / 1_000})`;
        await insistOn(
          () => db.execute(sql`UPDATE offers SET expires_at = ${soon} WHERE id = ${offerId}`),
          isAbandoned,
        );
        this.#offers.set(offerId, 'expired');
      }
      await Bun.sleep(pauseMs);
    }
  }

  async #untilExpired(): Promise<void> {
    const { db } = this.#options;
    const ids = [...this.#offers].flatMap(([id, ended]) => (ended === 'expired' ? [id] : []));
    const deadline = performance.now() + expiryPatienceMs;
    for (;;) {
      const pending = await queryRows(
        db,
        sql`SELECT 1 FROM offers WHERE id = ANY(${sql.param(ids)}::uuid[]) AND status = 'pending'`,
      );
      if (pending.length === 0) return;
      if (performance.now() > deadline)
        throw new Error(`${pending.length} offers are over, and stay pending.`);
      await Bun.sleep(50);
    }
  }
}
