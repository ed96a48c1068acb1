// Defenses of a computer: one of each type, made better one level at a time.

import { eq } from 'drizzle-orm';
import { AppError } from '../../protocol/errors.ts';
import { command } from '../../realtime/index.ts';
import { findComputer, lockPlayers, noSuchOwnComputer, requirePlayerId } from './access.ts';
import { requireMoney } from './computers.ts';
import { Defense, InstallDefense, maxDefenseLevel } from './contract.ts';
import { toDefense } from './rows.ts';
import { defensePrice, effectivenessOf } from './rules.ts';
import { defenses } from './schema.ts';
import { computer, player } from './topics.ts';
import { changePlayer } from './writer.ts';

export const installDefense = command('defense.install', {
  summary: 'Install a defense, or make an installed one better by a level',
  description: `Each level costs more than the one before; there are ${maxDefenseLevel}. The computer's storage says how many types it holds.`,
  tag: 'Computers',
  http: 'POST /computers/:computerId/defenses',
  takesKey: true,
  input: InstallDefense,
  output: Defense,
  refuses: ['not_found', 'conflict'],
  async run({ actor, tx, emit }, { computerId, type }) {
    const playerId = await requirePlayerId(tx, actor.userId);
    const machine = await findComputer(tx, computerId);
    if (machine?.playerId !== playerId) throw noSuchOwnComputer();
    const locked = await lockPlayers(tx, [playerId]);
    const me = locked.get(playerId);
    const installed = await tx.select().from(defenses).where(eq(defenses.computerId, computerId));
    const present = installed.find((defense) => defense.type === type);
    if (present?.level === maxDefenseLevel) {
      throw new AppError('conflict', `A defense has at most level ${maxDefenseLevel}.`, {
        details: toDefense(present),
      });
    }
    if (present === undefined && installed.length >= machine.storage) {
      throw new AppError('conflict', `This computer holds at most ${machine.storage} types of defense.`);
    }
    const level = (present?.level ?? 0) + 1;
    const price = defensePrice(type, level);
    const money = me.money - requireMoney(me.money, price, `Level ${level} of this defense`);
    const row = {
      id: present?.id ?? Bun.randomUUIDv7(),
      computerId,
      type,
      level,
      effectiveness: effectivenessOf(type, level).toFixed(2),
      installedAt: new Date(locked.nowMs),
    };
    const { effectiveness, installedAt } = row;
    const target = [defenses.computerId, defenses.type];
    const set = { level, effectiveness, installedAt };
    await tx.insert(defenses).values(row).onConflictDoUpdate({ target, set });
    const defense = toDefense(row);
    emit([computer.on(computerId), player.on(playerId)], 'defense.installed', { computerId, defense });
    await changePlayer({ tx, emit }, me, { money });
    return defense;
  },
});
