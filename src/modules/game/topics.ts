// The topics of the game: `player:<id>` for the user whose player it is, `computer:<id>` for its owner. Nobody else may follow
// them. Their states, for those who begin to.

import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { compare } from '../../protocol/order.ts';
import { topicKind } from '../../realtime/index.ts';
import { noSuchComputer, noSuchPlayer } from './access.ts';
import { ComputerState, events, maxComputers, maxListed, maxRunning, PlayerState } from './contract.ts';
import {
  type HackRow,
  toComputer,
  toDefenses,
  toEndured,
  toHack,
  toMachine,
  toPlayer,
  toUnlocks,
} from './rows.ts';
import { progressOf } from './rules.ts';
import { computers, defenses, hackOperations, players, progressionUnlocks } from './schema.ts';
import { readNowMs } from './time.ts';

export const player = topicKind('player', {
  events,
  async findFollowable(db, actor, ids) {
    const isMine = and(eq(players.userId, actor.userId), inArray(players.id, [...ids]));
    return toSet(await db.select({ id: players.id }).from(players).where(isMine));
  },
  snapshot: { schema: PlayerState, read: (tx, _actor, id) => readPlayerState(tx, id) },
});

export const computer = topicKind('computer', {
  events,
  async findFollowable(db, actor, ids) {
    const isMine = and(eq(players.userId, actor.userId), inArray(computers.id, [...ids]));
    const rows = await db
      .select({ id: computers.id })
      .from(computers)
      .innerJoin(players, eq(players.id, computers.playerId))
      .where(isMine);
    return toSet(rows);
  },
  snapshot: { schema: ComputerState, read: (tx, _actor, id) => readComputerState(tx, id) },
});

const toSet = (rows: readonly { readonly id: string }[]): ReadonlySet<string> =>
  new Set(rows.map(({ id }) => id));

/** In one snapshot of `tx`, so that the parts belong together. */
export async function readPlayerState(tx: Db, playerId: string): Promise<PlayerState> {
  const [row] = await tx.select().from(players).where(eq(players.id, playerId));
  if (row === undefined) throw noSuchPlayer();
  const owned = await tx
    .select()
    .from(computers)
    .where(eq(computers.playerId, playerId))
    .orderBy(asc(computers.id));
  const ids = owned.map(({ id }) => id);
  const installed = await tx.select().from(defenses).where(inArray(defenses.computerId, ids));
  const held = await tx.select().from(progressionUnlocks).where(eq(progressionUnlocks.playerId, playerId));
  const attacking = byId(await selectAttacking(tx, playerId));
  const defending = byId(await selectDefending(tx, playerId));
  return {
    player: toPlayer(row),
    computers: owned.map((each) => toComputer(each, installed)),
    unlocks: toUnlocks(held),
    hacks: { attacking: attacking.map(toHack), defending: defending.map(toEndured) },
    live: await readLive(tx, byId([...attacking, ...defending])),
  };
}

/** As above. */
export async function readComputerState(tx: Db, computerId: string): Promise<ComputerState> {
  const [row] = await tx.select().from(computers).where(eq(computers.id, computerId));
  if (row === undefined) throw noSuchComputer();
  const installed = await tx.select().from(defenses).where(eq(defenses.computerId, computerId));
  const hacks = byId(await selectDefending(tx, row.playerId, computerId));
  return {
    computer: toMachine(row),
    defenses: toDefenses(installed),
    hacks: hacks.map(toEndured),
    live: await readLive(tx, hacks),
  };
}

/** In words that the partial indexes have, too: a parameter could be any status. */
export const isRunning = sql`${hackOperations.status} = 'running'`;

/**
 * There are no more than the limit, here and below; the planner, who cannot know, takes the index for it, also of a player
 * with thousands of hacks that are over.
 */
export const selectAttacking = (tx: Db, playerId: string) =>
  tx
    .select()
    .from(hackOperations)
    .where(and(isRunning, eq(hackOperations.attackerId, playerId)))
    .orderBy(asc(hackOperations.targetComputerId))
    .limit(maxRunning);

/** Those that the snapshots have; `computerId`: of one computer alone. */
export const selectDefending = (tx: Db, playerId: string, computerId?: string) =>
  tx
    .select()
    .from(hackOperations)
    .where(
      and(
        isRunning,
        eq(hackOperations.defenderId, playerId),
        computerId === undefined ? undefined : eq(hackOperations.targetComputerId, computerId),
        sql`${hackOperations.isListed}`,
      ),
    )
    .orderBy(asc(hackOperations.targetComputerId))
    .limit(maxComputers * maxListed);

const byId = (rows: readonly HackRow[]): HackRow[] => rows.toSorted((a, b) => compare(a.id, b.id));

async function readLive(tx: Db, rows: readonly HackRow[]): Promise<PlayerState['live']> {
  if (rows.length === 0) return { progress: [] };
  const nowMs = await readNowMs(tx);
  return { progress: rows.map((row) => ({ hackId: row.id, ...progressOf(toHack(row), nowMs) })) };
}
