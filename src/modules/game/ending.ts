// The end of hacks whose time is over, by the clock of the database: whichever instance comes first decides them, each once.
// What a hack yields follows from its seed and from the state that both sides have by then.

import { asc, inArray, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { type Emit, timed } from '../../realtime/index.ts';
import { type LockedPlayers, lockPlayers } from './access.ts';
import { type DefenseRow, type HackRow, type PlayerRow, toDefense } from './rows.ts';
import { isTracing, outcomeOf, payOut, shieldAfterSuccess } from './rules.ts';
import { defenses, hackOperations } from './schema.ts';
import { announceChange, announceHack, announceSuccess, saveHack, savePlayer } from './writer.ts';

export const hackEnd = timed('hack.end', {
  table: hackOperations,
  id: hackOperations.id,
  dueAt: hackOperations.completionAt,
  isOpen: sql`status = 'running'`,
  run: ({ tx, emit }, ids) => endHacks(tx, emit, ids),
});

/** Their rows are locked. The one that was due first comes first: those behind it find what it left. */
export async function endHacks(tx: Db, emit: Emit, ids: readonly string[]): Promise<void> {
  const rows = await tx
    .select()
    .from(hackOperations)
    .where(inArray(hackOperations.id, [...ids]))
    .orderBy(asc(hackOperations.completionAt), asc(hackOperations.id));
  const locked = await lockPlayers(
    tx,
    rows.flatMap(({ attackerId, defenderId }) => [attackerId, defenderId]),
  );
  const targetIds = rows.map(({ targetComputerId }) => targetComputerId);
  const installed = await tx.select().from(defenses).where(inArray(defenses.computerId, targetIds));
  const present = new Map<string, PlayerRow>();
  for (const row of rows) await saveHack(tx, endHack(emit, row, installed, present, locked));
  for (const row of present.values()) await savePlayer(tx, row);
}

/** Answers the hack as it is then; the players as they are then are in `present`. */
function endHack(
  emit: Emit,
  row: HackRow,
  installed: readonly DefenseRow[],
  present: Map<string, PlayerRow>,
  { get, nowMs }: LockedPlayers,
): HackRow {
  const attacker = present.get(row.attackerId) ?? get(row.attackerId);
  const target = present.get(row.defenderId) ?? get(row.defenderId);
  const own = installed.filter(({ computerId }) => computerId === row.targetComputerId).map(toDefense);
  const { type, tools, seed } = row;
  const { isSuccess, loot, xp } = outcomeOf(seed, {
    type,
    tools,
    attackerXp: attacker.xp,
    target,
    defenses: own,
  });
  const ended: HackRow = {
    ...row,
    status: isSuccess ? 'succeeded' : 'failed',
    result: { loot, xp },
    isTraced: row.isTraced || !isSuccess || isTracing(own),
  };
  if (!isSuccess) {
    announceHack(emit, 'hack.failed', ended);
    return ended;
  }
  announceSuccess(emit, ended);
  const paid = payOut({ loot, xp }, attacker, target);
  const shieldUntil = new Date(shieldAfterSuccess(target.shieldUntil?.getTime(), nowMs));
  const { money } = paid.target;
  present.set(
    attacker.id,
    announceChange(emit, attacker, { money: paid.attacker.money, xp: paid.attacker.xp }),
  );
  present.set(target.id, announceChange(emit, target, { money, shieldUntil }));
  return ended;
}
