// Two players of the game, of whom one hacks the other's computer again and again: each hack ends once, by the clockwork of
// whichever instance is there, and no money comes or goes between the two.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import { type Hack, type HackStatus, playerTopic } from '../../src/modules/game/contract.ts';
import type { TestUser } from '../support/api.ts';
import { insist, insistOn } from './insist.ts';
import type { Outcome } from './load.ts';
import { readFrames } from './log.ts';
import { RoamingClient } from './roaming-client.ts';

/** A player, with its first computer. */
export interface Duellist {
  readonly user: TestUser;
  readonly playerId: string;
  readonly computerId: string;
}

export interface DuelOptions {
  readonly attacker: Duellist;
  readonly target: Duellist;
  readonly urls: readonly string[];
  readonly db: Db;
}

const replyPatienceMs = 3_000;
const pauseMs = 50;
const endsInMs = 300;
const endPatienceMs = 30_000;

export class Duel {
  readonly #options: DuelOptions;
  readonly #client: RoamingClient;
  readonly #hacks = new Set<string>();
  readonly #ended: Promise<void>;
  #isStopping = false;
  #isAbandoned = false;

  constructor(options: DuelOptions) {
    this.#options = options;
    const { attacker, urls } = options;
    const { user } = attacker;
    this.#client = new RoamingClient({ user, urls, first: 0, commandTimeoutMs: replyPatienceMs });
    this.#ended = this.#run();
  }

  get hacks(): number {
    return this.#hacks.size;
  }

  /** Resolves when the last hack has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ended;
  }

  abandon(): void {
    this.#isStopping = true;
    this.#isAbandoned = true;
    this.#client.abandon();
  }

  /** Hacks that are not there or not ended, or whose ends are not told once to each side; loot is what moved the money. */
  async compare(): Promise<Pick<Outcome, 'lost' | 'repeated' | 'invented'>> {
    const { db, attacker, target } = this.#options;
    const rows = await queryRows<{ id: string; status: HackStatus; loot: number | null }>(
      db,
      sql`SELECT id, status, (result->>'loot')::int AS loot FROM hack_operations WHERE attacker_id = ${attacker.playerId}`,
    );
    const ended = rows.filter(({ id, status }) => this.#hacks.has(id) && status !== 'running');
    const outcome = {
      lost: this.#hacks.size - ended.length,
      repeated: 0,
      invented: rows.length - this.#hacks.size,
    };
    for (const { playerId } of [attacker, target]) {
      const frames = await readFrames(db, playerTopic(playerId));
      const ends = frames.flatMap(({ type, payload }) =>
        type === 'hack.completed' || type === 'hack.failed' ? [payload.hack.id] : [],
      );
      outcome.repeated += ends.length - new Set(ends).size;
      outcome.lost += ended.filter(({ id }) => !ends.includes(id)).length;
    }
    const [money] = await queryRows<{ attacker: number; target: number }>(
      db,
      sql`
        SELECT (SELECT money FROM players WHERE id = ${attacker.playerId})::int AS attacker,
          (SELECT money FROM players WHERE id = ${target.playerId})::int AS target`,
    );
    const loot = rows.reduce((sum, row) => sum + (row.loot ?? 0), 0);
    if (money?.attacker !== firstMoney + loot) outcome.lost += 1;
    if (money?.target !== firstMoney - loot) outcome.lost += 1;
    return outcome;
  }

  async #run(): Promise<void> {
    const { attacker, target, db } = this.#options;
    const isAbandoned = () => this.#isAbandoned;
    const change = (statement: ReturnType<typeof sql>) => insistOn(() => db.execute(statement), isAbandoned);
    while (!this.#isStopping) {
      // Rested, and without a shield: else a success would end the duel for ten minutes.
      await change(
        sql`UPDATE players SET energy = energy_max, energy_at = now() WHERE id = ${attacker.playerId}`,
      );
      await change(sql`UPDATE players SET shield_until = NULL WHERE id = ${target.playerId}`);
      const asked = { targetComputerId: target.computerId, type: 'bruteforce' };
      const hack = await insist<Hack>(this.#client, 'hack.start', asked, isAbandoned);
      if (hack === undefined) return;
      this.#hacks.add(hack.id);
      const soon = sql`now() + make_interval(secs => ${endsInMs / 1_000})`;
      await change(
        sql`UPDATE hack_operations SET completion_at = ${soon} WHERE id = ${hack.id} AND status = 'running'`,
      );
      await this.#untilEnded(hack.id);
      await Bun.sleep(pauseMs);
    }
  }

  async #untilEnded(hackId: string): Promise<void> {
    const { db } = this.#options;
    const deadline = performance.now() + endPatienceMs;
    let isRunning = true;
    while (isRunning && !this.#isAbandoned) {
      if (performance.now() > deadline) throw new Error(`The hack ${hackId} is over, and stays running.`);
      await Bun.sleep(50);
      const query = sql`SELECT 1 FROM hack_operations WHERE id = ${hackId} AND status = 'running'`;
      isRunning = await queryRows(db, query).then(
        (rows) => rows.length > 0,
        () => true, // the database is away
      );
    }
  }
}

/** What every player begins with. */
const firstMoney = 1_000;
