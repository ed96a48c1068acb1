// What every change of a player comes to: the rows as they are then, and whoever follows it told. Inside of a transaction that
// has locked the players (`access.ts`).

import { eq } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import type { Emit } from '../../realtime/index.ts';
import { type ComputerRow, type HackRow, type PlayerRow, toEndured, toHack, toResources } from './rows.ts';
import { addressOf, hardwareOf, levelOf } from './rules.ts';
import { computers, hackOperations, players } from './schema.ts';
import { computer, player } from './topics.ts';

interface Context {
  readonly tx: Db;
  readonly emit: Emit;
}

type Changes = Partial<Pick<PlayerRow, 'money' | 'energy' | 'energyAt' | 'xp' | 'shieldUntil'>>;

/** Writes the changes of one player, and says so on its topic. */
export async function changePlayer({ tx, emit }: Context, row: PlayerRow, changes: Changes): Promise<void> {
  const changed = announceChange(emit, row, changes);
  await savePlayer(tx, changed);
}

/** The player as it is then, for who writes it later. */
export function announceChange(emit: Emit, row: PlayerRow, changes: Changes): PlayerRow {
  const changed = { ...row, ...changes, version: row.version + 1 };
  emit(player.on(row.id), 'resources.updated', toResources(changed));
  const [previous, level] = [levelOf(row.xp), levelOf(changed.xp)];
  if (level !== previous) emit(player.on(row.id), 'player.levelled', { level, previous });
  return changed;
}

export async function savePlayer(tx: Db, row: PlayerRow): Promise<void> {
  const { money, energy, energyAt, xp, shieldUntil, version } = row;
  await tx
    .update(players)
    .set({ money, energy, energyAt, xp, shieldUntil, version })
    .where(eq(players.id, row.id));
}

/** The defender is told apart, so that neither the payload nor `meta` says who attacks where that is not known. */
export function announceHack(
  emit: Emit,
  type: 'hack.initiated' | 'hack.failed' | 'hack.aborted',
  row: HackRow,
): void {
  emit(player.on(row.attackerId), type, { hack: toHack(row) });
  emit(defenderTopics(row), type, { hack: toEndured(row) }, { isAnonymous: !row.isTraced });
}

/** The same of a success. */
export function announceSuccess(emit: Emit, row: HackRow): void {
  const { result } = row;
  if (result === null) throw new Error('A hack has succeeded without a result.');
  emit(player.on(row.attackerId), 'hack.completed', { hack: toHack(row), result });
  emit(
    defenderTopics(row),
    'hack.completed',
    { hack: toEndured(row), result },
    { isAnonymous: !row.isTraced },
  );
}

const defenderTopics = ({ defenderId, targetComputerId }: HackRow) =>
  [player.on(defenderId), computer.on(targetComputerId)] as const;

export async function saveHack(tx: Db, { id, status, result, isTraced }: HackRow): Promise<void> {
  await tx.update(hackOperations).set({ status, result, isTraced }).where(eq(hackOperations.id, id));
}

/** Of 16 million: with half of them taken, one in a million finds none. */
const maxAddressTries = 20;

/** The next computer of a player who has so many. */
export async function addComputer(
  tx: Db,
  { playerId, name, owned }: { readonly playerId: string; readonly name: string; readonly owned: number },
  nextAddress = (): string => addressOf(Math.floor(Math.random() * 2 ** 24)),
): Promise<ComputerRow> {
  const made = { id: Bun.randomUUIDv7(), playerId, name, ...hardwareOf(owned) };
  for (let tries = 0; tries < maxAddressTries; tries += 1) {
    const [row] = await tx
      .insert(computers)
      .values({ ...made, ip: nextAddress() })
      .onConflictDoNothing({ target: computers.ip })
      .returning();
    if (row !== undefined) return row;
  }
  throw new AppError('unavailable', 'No free address was found for the computer. Try again in a moment.', {
    retryAfterMs: 1_000,
  });
}
