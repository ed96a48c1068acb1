// Computers: what others find when they scan, what its owner sees, and how one buys more of them.

import { eq, inArray, type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { compare } from '../../protocol/order.ts';
import { command, query } from '../../realtime/index.ts';
import { findComputer, lockOwnPlayer, noSuchComputer, requirePlayerId } from './access.ts';
import {
  BuyComputer,
  Computer,
  type ComputerFace,
  ComputerView,
  GetComputer,
  maxComputers,
  maxTargets,
  ScanComputers,
  Targets,
} from './contract.ts';
import { type ComputerRow, type DefenseRow, toComputer } from './rows.ts';
import { computerPrice, levelOf } from './rules.ts';
import { computers, defenses, players } from './schema.ts';
import { player } from './topics.ts';
import { addComputer, changePlayer } from './writer.ts';

const tag = 'Computers';

export const scanComputers = query('computer.scan', {
  summary: `Find up to ${maxTargets} computers to hack`,
  description:
    'Of players near my level, nearest first, by chance among equals; none of mine, and none behind a shield.',
  tag,
  http: 'GET /computers',
  input: ScanComputers,
  output: Targets,
  refuses: ['not_found'],
  async run({ actor, db }) {
    const playerId = await requirePlayerId(db, actor.userId);
    const ids = await findTargets(db, playerId);
    const rows = await db
      .select({ computer: computers, xp: players.xp })
      .from(computers)
      .innerJoin(players, eq(players.id, computers.playerId))
      .where(inArray(computers.id, ids));
    const installed = await db.select().from(defenses).where(inArray(defenses.computerId, ids));
    const faces = new Map(rows.map(({ computer, xp }) => [computer.id, toFaceOf(computer, xp, installed)]));
    return { items: ids.flatMap((id) => faces.get(id) ?? []) };
  },
});

export const buyComputer = command('computer.buy', {
  summary: 'Buy one more computer',
  description: `A player has at most ${maxComputers}. The first one that is bought costs 2,500, each further one twice as much as the one before.`,
  tag,
  http: 'POST /computers',
  takesKey: true,
  input: BuyComputer,
  output: Computer,
  refuses: ['not_found', 'conflict'],
  async run({ actor, tx, emit }, { name }) {
    const { me } = await lockOwnPlayer(tx, actor.userId);
    const owned = await tx.$count(computers, eq(computers.playerId, me.id));
    if (owned >= maxComputers) {
      throw new AppError('conflict', `A player has at most ${maxComputers} computers.`);
    }
    const money = me.money - requireMoney(me.money, computerPrice(owned), 'The next computer');
    const computer = toComputer(await addComputer(tx, { playerId: me.id, name, owned }), []);
    emit(player.on(me.id), 'computer.created', { computer });
    await changePlayer({ tx, emit }, me, { money });
    return computer;
  },
});

/** The price; throws `conflict` where the money is too little. */
export function requireMoney(money: number, price: number, what: string): number {
  if (money >= price) return price;
  throw new AppError(
    'conflict',
    `${what} costs ${price}, and you have ${money}: ${price - money} are missing.`,
    {
      details: { missing: 'money', needed: price, present: money },
    },
  );
}

export const getComputer = query('computer.get', {
  summary: 'A computer: all of it for its owner, its face for others',
  tag,
  http: 'GET /computers/:computerId',
  input: GetComputer,
  output: ComputerView,
  refuses: ['not_found'],
  async run({ actor, db }, { computerId }) {
    const row = await findComputer(db, computerId);
    if (row === undefined) throw noSuchComputer();
    const [owner] = await db.select().from(players).where(eq(players.id, row.playerId));
    if (owner === undefined) throw new Error('A computer without an owner.');
    const installed = await db.select().from(defenses).where(eq(defenses.computerId, computerId));
    return owner.userId === actor.userId ? toComputer(row, installed) : toFaceOf(row, owner.xp, installed);
  },
});

/** `installed`: on it, or on others beside it. */
function toFaceOf(row: ComputerRow, xp: number, installed: readonly DefenseRow[]): ComputerFace {
  const { id, playerId, name, ip } = row;
  const own = installed
    .filter(({ computerId }) => computerId === id)
    .map(({ type, level }) => ({ type, level }))
    .sort((a, b) => compare(a.type, b.type));
  return { id, playerId, name, ip, level: levelOf(xp), defenses: own };
}

/** How many players above me, and as many below, are looked at. */
const nearby = 50;

async function findTargets(db: Db, playerId: string): Promise<string[]> {
  const rows = await queryRows<{ id: string }>(db, selectTargets(playerId));
  return rows.map(({ id }) => id);
}

/** By the index of xp, from mine upwards and downwards: however many players there are, few are read. */
export function selectTargets(playerId: string): SQL {
  const isOpen = sql`id <> ${playerId} AND (shield_until IS NULL OR shield_until <= now())`;
  return sql`
    WITH mine AS (SELECT xp FROM players WHERE id = ${playerId}),
    near AS (
      (SELECT id, xp FROM players WHERE xp >= (SELECT xp FROM mine) AND ${isOpen} ORDER BY xp LIMIT ${nearby})
      UNION ALL
      (SELECT id, xp FROM players WHERE xp < (SELECT xp FROM mine) AND ${isOpen} ORDER BY xp DESC LIMIT ${nearby})
    )
    SELECT own.id FROM near
    CROSS JOIN LATERAL (SELECT id FROM computers WHERE player_id = near.id ORDER BY id LIMIT ${maxComputers}) AS own
    ORDER BY abs(${levelIn(sql`near.xp`)} - (SELECT ${levelIn(sql`xp`)} FROM mine)), random() LIMIT ${maxTargets}`;
}

/** As `levelOf` says it. */
const levelIn = (xp: SQL) => sql`floor(sqrt(${xp} / 100.0::float8))`;
