// From rows to what goes over the wire, each for whom it is: a defender sees of a hack no more than they may know.

import { compare } from '../../protocol/order.ts';
import type {
  Computer,
  Defense,
  Energy,
  Hack,
  Machine,
  Player,
  PlayerFace,
  Resources,
  Unlock,
} from './contract.ts';
import { energyPerHour, levelOf } from './rules.ts';
import type { computers, defenses, hackOperations, players, progressionUnlocks } from './schema.ts';

export type PlayerRow = typeof players.$inferSelect;
export type ComputerRow = typeof computers.$inferSelect;
export type DefenseRow = typeof defenses.$inferSelect;
export type HackRow = typeof hackOperations.$inferSelect;
export type UnlockRow = typeof progressionUnlocks.$inferSelect;

export function toPlayer(row: PlayerRow): Player {
  return { id: row.id, userId: row.userId, handle: row.handle, ...toResources(row) };
}

export function toResources(row: PlayerRow): Resources {
  return {
    money: row.money,
    energy: toEnergy(row),
    xp: row.xp,
    level: levelOf(row.xp),
    shieldUntil: row.shieldUntil?.toISOString() ?? null,
    version: row.version,
  };
}

export function toEnergy(row: PlayerRow): Energy {
  return {
    amount: row.energy,
    at: row.energyAt.toISOString(),
    max: row.energyMax,
    perHour: energyPerHour,
  };
}

export function toFace({ id, handle, xp }: Pick<PlayerRow, 'id' | 'handle' | 'xp'>): PlayerFace {
  return { id, handle, level: levelOf(xp), xp };
}

export function toMachine(row: ComputerRow): Machine {
  return {
    id: row.id,
    playerId: row.playerId,
    name: row.name,
    ip: row.ip,
    cpu: row.cpu,
    memory: row.memory,
    storage: row.storage,
  };
}

/** `installed`: on it, or on others beside it. */
export function toComputer(row: ComputerRow, installed: readonly DefenseRow[]): Computer {
  return {
    ...toMachine(row),
    defenses: toDefenses(installed.filter(({ computerId }) => computerId === row.id)),
  };
}

/** By type; sorted here, as collations differ. */
export function toDefenses(rows: readonly DefenseRow[]): Defense[] {
  return rows.map(toDefense).sort((a, b) => compare(a.type, b.type));
}

export function toDefense(row: DefenseRow): Defense {
  return {
    id: row.id,
    computerId: row.computerId,
    type: row.type,
    level: row.level,
    effectiveness: Number(row.effectiveness),
    installedAt: row.installedAt.toISOString(),
  };
}

/** By key. */
export function toUnlocks(rows: readonly UnlockRow[]): Unlock[] {
  return rows.map(toUnlock).sort((a, b) => compare(a.key, b.key));
}

export function toUnlock({ key, unlockedAt }: UnlockRow): Unlock {
  return { key, unlockedAt: unlockedAt.toISOString() };
}

/** For the attacker. */
export function toHack(row: HackRow): Hack {
  return {
    id: row.id,
    attackerId: row.attackerId,
    defenderId: row.defenderId,
    targetComputerId: row.targetComputerId,
    type: row.type,
    tools: row.tools,
    status: row.status,
    startedAt: row.startedAt.toISOString(),
    completionAt: row.completionAt.toISOString(),
    result: row.result,
  };
}

/** For the defender. */
export function toEndured(row: HackRow): Hack {
  return row.isTraced ? toHack(row) : { ...toHack(row), attackerId: null, tools: null };
}
