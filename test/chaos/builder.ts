// Changes a settlement again and again, at the same time as others do: each change names the version that it is about, so of
// two one is refused, and looks at what is there before it tries again.

import { sql } from 'drizzle-orm';
import { Refused } from '../../src/client/refused.ts';
import { type Db, queryRows } from '../../src/db/database.ts';
import {
  campaignTopic,
  type Settlement,
  type SettlementEvent,
  settlementTopic,
} from '../../src/modules/campaigns/contract.ts';
import type { TestUser } from '../support/api.ts';
import type { Outcome } from './load.ts';
import { readFrames } from './log.ts';
import { RoamingClient } from './roaming-client.ts';

export interface Site {
  readonly campaignId: string;
  readonly settlementId: string;
}

export interface BuilderOptions {
  readonly user: TestUser;
  readonly urls: readonly string[];
  readonly first: number;
  readonly settlementId: string;
}

const replyPatienceMs = 3_000;
const pauseMs = 50;
const levels = 101;

export class Builder {
  readonly #options: BuilderOptions;
  readonly #client: RoamingClient;
  readonly #ended: Promise<void>;
  /** By version: the level that was acknowledged with it. */
  readonly #acknowledged = new Map<number, number>();
  #isStopping = false;
  #isAbandoned = false;

  constructor(options: BuilderOptions) {
    this.#options = options;
    this.#client = new RoamingClient({ ...options, commandTimeoutMs: replyPatienceMs });
    this.#ended = this.#run();
  }

  get acknowledged(): ReadonlyMap<number, number> {
    return this.#acknowledged;
  }

  /** Resolves when one more change is acknowledged: those before it, without an answer, can no longer happen behind it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ended;
  }

  abandon(): void {
    this.#isAbandoned = true;
    this.#client.abandon();
  }

  /** A change without an answer is not repeated as it was: whether it happened, the next one's version tells. */
  async #run(): Promise<void> {
    const { settlementId, first } = this.#options;
    let version = 1;
    let isLast = false;
    for (let number = first; !isLast && !this.#isAbandoned; number += 7) {
      const level = number % levels;
      const mayBeLast = this.#isStopping;
      try {
        const changed = (await this.#client.send('settlement.update', {
          settlementId,
          version,
          level,
        })) as Settlement; // the contract of settlement.update
        if (changed.version > version) this.#acknowledged.set(changed.version, level);
        version = changed.version;
        isLast = mayBeLast;
      } catch (error) {
        if (!(error instanceof Refused)) continue;
        if (error.code === 'conflict')
          version = (error.details as Settlement).version; // as it is there
        else if (error.code !== 'unavailable') throw error;
      }
      await Bun.sleep(pauseMs);
    }
  }
}

/** Of the changes of one settlement: what was acknowledged is in the log and nothing twice, on both topics, and in the table. */
export async function compareSite(
  db: Db,
  { campaignId, settlementId }: Site,
  builders: readonly Builder[],
): Promise<Pick<Outcome, 'lost' | 'repeated' | 'invented'>> {
  const frames = await readFrames(db, settlementTopic(settlementId));
  const changes = frames.map(({ payload }) => payload as SettlementEvent['payload']);
  const levelAt = new Map(changes.map(({ version, entity }) => [version, entity?.level]));
  const [row] = await queryRows<{ version: number; level: number; shared: number }>(
    db,
    sql`
      SELECT version, level, (
        SELECT count(*)::int FROM events AS below JOIN events AS above ON above.id = below.id
        WHERE below.topic = ${settlementTopic(settlementId)} AND above.topic = ${campaignTopic(campaignId)}
      ) AS shared
      FROM settlements WHERE id = ${settlementId}`,
  );
  const newest = changes.at(-1);
  const acknowledged = builders.flatMap((builder) => [...builder.acknowledged]);
  const isStored =
    row?.version === 1 + changes.length && (newest === undefined || newest.entity?.level === row.level);
  return {
    lost:
      acknowledged.filter(([version, level]) => levelAt.get(version) !== level).length +
      (isStored ? 0 : 1) +
      Math.abs(changes.length - (row?.shared ?? 0)),
    repeated:
      changes.length - levelAt.size + acknowledged.length - new Set(acknowledged.map(([v]) => v)).size,
    invented: 0,
  };
}
