// How a hack begins, and how who started it gives it up. What it yields is not known before its end (`ending.ts`).

import { and, asc, count, eq, max } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { command, type Emit, type OnUserDeleted } from '../../realtime/index.ts';
import { findComputer, lockOwnHack, lockPlayers, noSuchComputer, requirePlayerId } from './access.ts';
import { hackKinds, tools as toolsByKey } from './catalogue.ts';
import { Hack, HackPath, maxListed, maxRunning, StartHack } from './contract.ts';
import { type HackRow, type PlayerRow, toEnergy, toHack } from './rows.ts';
import { durationMs, energyAt, isShielded, isTracing, spendEnergy, toolLimit } from './rules.ts';
import { computers, defenses, hackOperations, players } from './schema.ts';
import { readNowMs } from './time.ts';
import { isRunning, selectAttacking } from './topics.ts';
import { readHeld } from './unlocks.ts';
import { announceHack, changePlayer, saveHack } from './writer.ts';

const tag = 'Hacks';

export const startHack = command('hack.start', {
  summary: 'Start a hack on a computer of somebody else',
  description:
    `At most ${maxRunning} run at a time, and one on a target; none on a player behind a shield. It costs energy at once, and ` +
    'ends by itself. The first hack of a new player ends its shield.',
  tag,
  http: 'POST /hacks',
  takesKey: true,
  input: StartHack,
  output: Hack,
  refuses: ['forbidden', 'not_found', 'conflict'],
  check: ({ tools = [] }) => requireTools(tools),
  async run({ actor, tx, emit, wakeIn }, { targetComputerId, type, tools = [] }) {
    const attackerId = await requirePlayerId(tx, actor.userId);
    const target = await findComputer(tx, targetComputerId);
    if (target === undefined) throw noSuchComputer();
    const { playerId: defenderId } = target;
    if (defenderId === attackerId)
      throw new AppError('conflict', 'This computer is yours: hack another one.');
    const locked = await lockPlayers(tx, [attackerId, defenderId]);
    const [attacker, defender, { nowMs }] = [locked.get(attackerId), locked.get(defenderId), locked];
    requireUnshielded(defender, nowMs);
    await requireUnlocked(tx, attackerId, tools);
    const { cpu, memory } = await readBest(tx, attackerId);
    requireMemory(memory, tools);
    await requirePlace(tx, attackerId, targetComputerId);
    const energy = spend(attacker, hackKinds[type].energy, nowMs);
    const tookMs = durationMs(type, cpu);
    const installed = await tx.select().from(defenses).where(eq(defenses.computerId, targetComputerId));
    const row: HackRow = {
      id: Bun.randomUUIDv7(),
      attackerId,
      targetComputerId,
      defenderId,
      type,
      tools,
      status: 'running',
      startedAt: new Date(nowMs),
      completionAt: new Date(nowMs + tookMs),
      seed: makeSeed(),
      result: null,
      isListed: (await countListed(tx, defenderId, targetComputerId)) < maxListed,
      isTraced: isTracing(installed),
    };
    await tx.insert(hackOperations).values(row);
    announceHack(emit, 'hack.initiated', row);
    const isNewcomer = attacker.shieldUntil !== null && !(await wasHacked(tx, attackerId));
    await changePlayer({ tx, emit }, attacker, {
      energy: energy.amount,
      energyAt: new Date(energy.at),
      shieldUntil: isNewcomer ? null : attacker.shieldUntil,
    });
    wakeIn(tookMs);
    return toHack(row);
  },
});

export const abortHack = command('hack.abort', {
  summary: 'Give up a hack that I started',
  description: 'No energy comes back. A `conflict` has the hack as it is in its `details`.',
  tag,
  http: 'DELETE /hacks/:hackId',
  input: HackPath,
  output: Hack,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit }, { hackId }) {
    const row = await lockOwnHack(tx, actor.userId, hackId);
    const isDue = row.completionAt.getTime() <= (await readNowMs(tx));
    if (row.status !== 'running' || isDue) {
      const why =
        row.status === 'aborted' ? 'This hack was aborted already.' : 'This hack has come to its end.';
      throw new AppError('conflict', why, { details: toHack(row) });
    }
    return toHack(await abort(tx, emit, row));
  },
});

/**
 * A deleted user's hacks are given up; those against them go on, as the computers stay. The handle goes without an event: only
 * its user could follow the player's topic.
 */
export const retirePlayer: OnUserDeleted = async ({ actor: { userId }, tx, emit }) => {
  const [player] = await tx.select().from(players).where(eq(players.userId, userId));
  if (player === undefined) return;
  const running = await tx
    .select()
    .from(hackOperations)
    .where(and(isRunning, eq(hackOperations.attackerId, player.id)))
    .orderBy(asc(hackOperations.id))
    .for('no key update');
  for (const row of running) await abort(tx, emit, row);
  await lockPlayers(tx, [player.id]);
  await tx
    .update(players)
    .set({ handle: `deleted-${player.id}` })
    .where(eq(players.id, player.id));
};

/** The row is locked. */
async function abort(tx: Db, emit: Emit, row: HackRow): Promise<HackRow> {
  await lockPlayers(tx, [row.attackerId, row.defenderId]); // their hacks change
  const aborted: HackRow = { ...row, status: 'aborted' };
  await saveHack(tx, aborted);
  announceHack(emit, 'hack.aborted', aborted);
  return aborted;
}

/** Throws `invalid`. */
function requireTools(keys: readonly string[]): void {
  const fields = keys.flatMap((key, n) => {
    const path = `/tools/${n}`;
    if (!toolsByKey.has(key)) return [{ path, message: 'There is no such tool: GET /v1/unlocks names them' }];
    return keys.indexOf(key) < n ? [{ path, message: 'Expected each tool once' }] : [];
  });
  if (fields.length > 0)
    throw new AppError('invalid', 'A hack uses tools that there are, each once.', { fields });
}

/** Throws `conflict`. */
function requireUnshielded({ shieldUntil }: PlayerRow, nowMs: number): void {
  const until = shieldUntil?.toISOString() ?? null;
  if (!isShielded(until, nowMs)) return;
  throw new AppError('conflict', `This player is behind a shield until ${until}. Choose another target.`, {
    details: { shieldUntil: until },
  });
}

/** Throws `forbidden`. */
async function requireUnlocked(tx: Db, playerId: string, keys: readonly string[]): Promise<void> {
  const held = await readHeld(tx, playerId);
  const locked = keys.filter((key) => !held.has(toolsByKey.get(key)?.unlock ?? ''));
  if (locked.length === 0) return;
  throw new AppError('forbidden', `Unlock these tools first: ${locked.join(', ')}.`);
}

/** Throws `conflict`. */
function requireMemory(memory: number, keys: readonly string[]): void {
  const most = toolLimit(memory);
  if (keys.length <= most) return;
  const limit = `The memory of your best computer is enough for ${most} tools a hack, not ${keys.length}.`;
  throw new AppError('conflict', limit, {
    details: { missing: 'memory', needed: keys.length, present: most },
  });
}

/** Throws `conflict` over a limit. Exact behind the lock of the attacker: whatever else they start waits. */
async function requirePlace(tx: Db, attackerId: string, targetComputerId: string): Promise<void> {
  const running = await selectAttacking(tx, attackerId);
  const same = running.find((row) => row.targetComputerId === targetComputerId);
  if (same !== undefined) {
    const message = 'A hack of yours runs on this computer already: wait for its end, or abort it.';
    throw new AppError('conflict', message, { details: toHack(same) });
  }
  if (running.length >= maxRunning) {
    throw new AppError('conflict', `At most ${maxRunning} hacks of a player run at a time.`);
  }
}

/** What is left; throws `conflict`. */
function spend(row: PlayerRow, cost: number, nowMs: number) {
  const energy = toEnergy(row);
  const left = spendEnergy(energy, cost, nowMs);
  if (left !== undefined) return left;
  const present = energyAt(energy, nowMs);
  throw new AppError('conflict', `This hack takes ${cost} energy, and you have ${present}: wait for more.`, {
    details: { missing: 'energy', needed: cost, present },
  });
}

/** Of all computers of the player: each number the highest that there is. */
async function readBest(tx: Db, playerId: string): Promise<{ cpu: number; memory: number }> {
  const [best] = await tx
    .select({ cpu: max(computers.cpu), memory: max(computers.memory) })
    .from(computers)
    .where(eq(computers.playerId, playerId));
  return { cpu: best?.cpu ?? 1, memory: best?.memory ?? 1 };
}

/** Exact behind the lock of the defender. */
async function countListed(tx: Db, defenderId: string, targetComputerId: string): Promise<number> {
  const [row] = await tx
    .select({ listed: count() })
    .from(hackOperations)
    .where(
      and(
        isRunning,
        eq(hackOperations.defenderId, defenderId), // by whom the index goes
        eq(hackOperations.targetComputerId, targetComputerId),
        eq(hackOperations.isListed, true),
      ),
    );
  return row?.listed ?? 0;
}

/**
 * Nobody can be hacked behind the shield of a newcomer, so it is the only one of a player whom no hack has succeeded on.
 */
async function wasHacked(tx: Db, playerId: string): Promise<boolean> {
  const rows = await tx
    .select({ id: hackOperations.id })
    .from(hackOperations)
    .where(and(eq(hackOperations.defenderId, playerId), eq(hackOperations.status, 'succeeded')))
    .limit(1);
  return rows.length > 0;
}

/** From a source that nobody can guess. */
const makeSeed = (): number => crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
