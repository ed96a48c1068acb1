// Who may do what, and the locks behind which it is done. For somebody who may not see it, what exists and what does not are
// the same: `not_found`.
//
// Locks are taken in this order, so that transactions wait for each other and never in a circle: the rows of hacks (the
// clockwork locks up to 100 of them before all else; everybody else at most one), the rows of players in the order of their
// ids, the topics. Whatever a player has (computers, defenses, unlocks, the hacks that run from and against them) changes
// behind the lock of the player's row and under no other: a hack begins and ends behind those of both sides. So the events
// on `player:` and `computer:` stand in the order of these changes, and each change sees what the one before it did.

import { asc, eq, inArray } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import type { ComputerRow, HackRow, PlayerRow } from './rows.ts';
import { computers, hackOperations, players } from './schema.ts';
import { readNowMs } from './time.ts';

/** Of the user. Throws `not_found` where there is none. */
export async function requirePlayerId(db: Db, userId: string): Promise<string> {
  const [row] = await db.select({ id: players.id }).from(players).where(eq(players.userId, userId));
  if (row === undefined)
    throw new AppError('not_found', 'You have no player yet. Make one: POST /v1/players.');
  return row.id;
}

export interface LockedPlayers {
  /** As it is until COMMIT. */
  get(id: string): PlayerRow;
  /** By the database's clock, behind the locks. */
  readonly nowMs: number;
}

export async function lockPlayers(tx: Db, ids: Iterable<string>): Promise<LockedPlayers> {
  const rows = await tx
    .select()
    .from(players)
    .where(inArray(players.id, [...new Set(ids)]))
    .orderBy(asc(players.id)) // they are locked as they come out of the order
    .for('no key update');
  const byId = new Map(rows.map((row) => [row.id, row]));
  return {
    nowMs: await readNowMs(tx),
    get(id) {
      const row = byId.get(id);
      if (row === undefined) throw new Error(`The player ${id} was not locked.`);
      return row;
    },
  };
}

/** The player of the user, alone. Throws `not_found`. */
export async function lockOwnPlayer(
  tx: Db,
  userId: string,
): Promise<{ readonly me: PlayerRow; readonly nowMs: number }> {
  const id = await requirePlayerId(tx, userId);
  const locked = await lockPlayers(tx, [id]);
  return { me: locked.get(id), nowMs: locked.nowMs };
}

/** A computer never changes hands, and is never gone. */
export async function findComputer(db: Db, id: string): Promise<ComputerRow | undefined> {
  const [row] = await db.select().from(computers).where(eq(computers.id, id));
  return row;
}

/**
 * The hack as it is until COMMIT, for who started it. Throws `not_found` for who has nothing to do with it, and `forbidden`
 * for the defender.
 */
export async function lockOwnHack(tx: Db, userId: string, hackId: string): Promise<HackRow> {
  const playerId = await requirePlayerId(tx, userId);
  const is = eq(hackOperations.id, hackId);
  const [sides] = await tx
    .select({ attackerId: hackOperations.attackerId, defenderId: hackOperations.defenderId })
    .from(hackOperations)
    .where(is);
  if (sides?.attackerId !== playerId) {
    if (sides?.defenderId !== playerId) throw noSuchHack();
    throw new AppError('forbidden', 'Only who started a hack can abort it.');
  }
  const [row] = await tx.select().from(hackOperations).where(is).for('no key update');
  if (row === undefined) throw new Error('A hack was found, but could not be locked.');
  return row;
}

export const noSuchPlayer = () => new AppError('not_found', 'There is no such player.');
export const noSuchComputer = () => new AppError('not_found', 'There is no such computer.');
export const noSuchOwnComputer = () => new AppError('not_found', 'There is no such computer among yours.');
export const noSuchHack = () => new AppError('not_found', 'There is no such hack from you or against you.');
