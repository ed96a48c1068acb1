// The tree of unlocks. What one costs is taken from the xp that is not spent yet; the xp itself stays, and the level with it.

import { eq } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { command, query } from '../../realtime/index.ts';
import { lockOwnPlayer, requirePlayerId } from './access.ts';
import { tools, unlockTree } from './catalogue.ts';
import { BuyUnlock, ListUnlocks, Unlock, UnlockTree } from './contract.ts';
import { toUnlock, type UnlockRow } from './rows.ts';
import { unspentXp } from './rules.ts';
import { players, progressionUnlocks } from './schema.ts';
import { player } from './topics.ts';

const tag = 'Unlocks';

export const listUnlocks = query('unlock.list', {
  summary: 'The tree of unlocks, and which of them I hold',
  tag,
  http: 'GET /unlocks',
  input: ListUnlocks,
  output: UnlockTree,
  refuses: ['not_found'],
  async run({ actor, db }) {
    const playerId = await requirePlayerId(db, actor.userId);
    const rows = await db
      .select({ xp: players.xp, key: progressionUnlocks.key, unlockedAt: progressionUnlocks.unlockedAt })
      .from(players)
      .innerJoin(progressionUnlocks, eq(progressionUnlocks.playerId, players.id))
      .where(eq(players.id, playerId));
    const held = new Map(rows.map(({ key, unlockedAt }) => [key, unlockedAt.toISOString()]));
    return {
      unspentXp: unspentXp(rows[0]?.xp ?? 0, held.keys()),
      items: [...unlockTree].map(([key, { name, cost, parents }]) => ({
        key,
        name,
        cost,
        parents: [...parents],
        tool: toolBehind.get(key) ?? null,
        unlockedAt: held.get(key) ?? null,
      })),
    };
  },
});

export const buyUnlock = command('unlock.buy', {
  summary: 'Unlock a node of the tree whose parents I hold',
  description: 'It costs xp that has not been spent yet. The level does not fall with it.',
  tag,
  http: 'POST /unlocks/:key',
  input: BuyUnlock,
  output: Unlock,
  refuses: ['not_found', 'conflict'],
  async run({ actor, tx, emit }, { key }) {
    const node = unlockTree.get(key);
    if (node === undefined)
      throw new AppError('not_found', 'There is no such unlock: GET /v1/unlocks lists them.');
    const { me, nowMs } = await lockOwnPlayer(tx, actor.userId);
    const held = await readHeld(tx, me.id);
    if (held.has(key)) throw new AppError('conflict', 'You hold this unlock already.');
    const missing = node.parents.filter((parent) => !held.has(parent));
    if (missing.length > 0) {
      throw new AppError('conflict', `Unlock these first: ${missing.join(', ')}.`, {
        details: { missing: 'parents', needed: missing },
      });
    }
    const present = unspentXp(me.xp, held);
    if (present < node.cost) {
      throw new AppError(
        'conflict',
        `This costs ${node.cost} xp, and you have ${present} that are not spent.`,
        {
          details: { missing: 'xp', needed: node.cost, present },
        },
      );
    }
    const row: UnlockRow = { playerId: me.id, key, unlockedAt: new Date(nowMs) };
    await tx.insert(progressionUnlocks).values(row);
    const unlock = toUnlock(row);
    emit(player.on(me.id), 'progression.unlocked', { unlock });
    return unlock;
  },
});

/** The keys of what the player holds. */
export async function readHeld(db: Db, playerId: string): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ key: progressionUnlocks.key })
    .from(progressionUnlocks)
    .where(eq(progressionUnlocks.playerId, playerId));
  return new Set(rows.map(({ key }) => key));
}

/** By the node that opens it. */
const toolBehind = new Map([...tools].map(([key, { unlock }]) => [unlock, key]));
