// The topics of the game: `player:<id>` for the user whose player it is, `computer:<id>` for its owner. Nobody else may follow
// them. Their states, for those who begin to.

import { and, asc, eq, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { topicKind } from '../../realtime/index.ts';
import { noSuchComputer, noSuchPlayer } from './access.ts';
import { ComputerState, events, type Hack, PlayerState } from './contract.ts';
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
  const hacks = await selectRunning(
    tx,
    or(eq(hackOperations.attackerId, playerId), and(eq(hackOperations.defenderId, playerId), isListed)),
  );
  const attacking = hacks.filter(({ attackerId }) => attackerId === playerId).map(toHack);
  const defending = hacks.filter(({ defenderId }) => defenderId === playerId).map(toEndured);
  return {
    player: toPlayer(row),
    computers: owned.map((each) => toComputer(each, installed)),
    unlocks: toUnlocks(held),
    hacks: { attacking, defending },
    live: await readLive(tx, hacks.map(toHack)),
  };
}

/** As above. */
export async function readComputerState(tx: Db, computerId: string): Promise<ComputerState> {
  const [row] = await tx.select().from(computers).where(eq(computers.id, computerId));
  if (row === undefined) throw noSuchComputer();
  const installed = await tx.select().from(defenses).where(eq(defenses.computerId, computerId));
  // With the owner, by whom the index goes.
  const isOn = and(
    eq(hackOperations.defenderId, row.playerId),
    eq(hackOperations.targetComputerId, computerId),
  );
  const hacks = await selectRunning(tx, and(isOn, isListed));
  return {
    computer: toMachine(row),
    defenses: toDefenses(installed),
    hacks: hacks.map(toEndured),
    live: await readLive(tx, hacks.map(toHack)),
  };
}

const isListed = sql`${hackOperations.isListed}`;

/** In words that the partial indexes have, too: a parameter could be any status. */
export const isRunning = sql`${hackOperations.status} = 'running'`;

const selectRunning = (tx: Db, which: SQL | undefined): Promise<HackRow[]> =>
  tx.select().from(hackOperations).where(and(isRunning, which)).orderBy(asc(hackOperations.id));

async function readLive(tx: Db, hacks: readonly Hack[]): Promise<PlayerState['live']> {
  if (hacks.length === 0) return { progress: [] };
  const nowMs = await readNowMs(tx);
  return { progress: hacks.map((hack) => ({ hackId: hack.id, ...progressOf(hack, nowMs) })) };
}
