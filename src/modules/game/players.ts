// Players: one for each user. Making one brings its first computer and unlocks along.

import { Type } from '@sinclair/typebox';
import { and, desc, eq, lt, or } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { Id } from '../../protocol/values.ts';
import { command, query } from '../../realtime/index.ts';
import { noSuchPlayer, requirePlayerId } from './access.ts';
import { firstUnlocks } from './catalogue.ts';
import {
  CreatePlayer,
  GetPlayer,
  GetState,
  ListPlayers,
  PlayerFace,
  PlayerPage,
  PlayerState,
} from './contract.ts';
import { toComputer, toFace, toResources, toUnlock } from './rows.ts';
import { maxEnergy, newcomerShieldMs, startMoney } from './rules.ts';
import { players, progressionUnlocks } from './schema.ts';
import { readNowMs } from './time.ts';
import { player, readPlayerState } from './topics.ts';
import { addComputer } from './writer.ts';

const tag = 'Players';

export const createPlayer = command('player.create', {
  summary: 'Make my player',
  description:
    'A user has one. It comes with a computer and the first unlocks, and for 24 hours, or until its own first hack, nobody ' +
    'can start a hack on it.',
  tag,
  http: 'POST /players',
  status: 201,
  input: CreatePlayer,
  output: PlayerState,
  refuses: ['conflict'],
  async run({ actor, tx, emit, audit }, { handle }) {
    const nowMs = await readNowMs(tx);
    const row = {
      id: Bun.randomUUIDv7(),
      userId: actor.userId,
      handle,
      money: startMoney,
      energy: maxEnergy,
      energyMax: maxEnergy,
      energyAt: new Date(nowMs),
      xp: 0,
      shieldUntil: new Date(nowMs + newcomerShieldMs),
      version: 1,
    };
    const made = await tx.insert(players).values(row).onConflictDoNothing().returning({ id: players.id });
    if (made.length === 0) throw await explainConflict(tx, actor.userId);
    const home = await addComputer(tx, { playerId: row.id, name: 'Home Server', owned: 0 });
    const held = firstUnlocks.map((key) => ({ playerId: row.id, key, unlockedAt: new Date(nowMs) }));
    await tx.insert(progressionUnlocks).values(held);
    await audit('player_created', { playerId: row.id, handle });
    const on = player.on(row.id);
    emit(on, 'resources.updated', toResources(row));
    emit(on, 'computer.created', { computer: toComputer(home, []) });
    for (const each of held) emit(on, 'progression.unlocked', { unlock: toUnlock(each) });
    return await readPlayerState(tx, row.id);
  },
});

export const getState = query('player.state', {
  summary: 'All of my player: what a client needs when it comes back',
  description: 'The same as the snapshot of `player:<id>`, without its position.',
  tag,
  http: 'GET /players/me',
  input: GetState,
  output: PlayerState,
  refuses: ['not_found'],
  async run({ actor, db }) {
    const id = await requirePlayerId(db, actor.userId);
    return await db.transaction((tx) => readPlayerState(tx, id), {
      isolationLevel: 'repeatable read',
      accessMode: 'read only',
    });
  },
});

export const listPlayers = query('player.list', {
  summary: 'All players, most xp first',
  tag,
  http: 'GET /players',
  input: ListPlayers,
  output: PlayerPage,
  async run({ db }, { limit = defaultPageSize, cursor }) {
    const after = readCursor(XpPosition, cursor);
    const rows = await db
      .select({ id: players.id, handle: players.handle, xp: players.xp })
      .from(players)
      .where(after && or(lt(players.xp, after[0]), and(eq(players.xp, after[0]), lt(players.id, after[1]))))
      .orderBy(desc(players.xp), desc(players.id))
      .limit(limit + 1);
    return toPage(rows, limit, ({ xp, id }) => [xp, id], toFace);
  },
});

export const getPlayer = query('player.get', {
  summary: 'How a player looks to everybody',
  tag,
  http: 'GET /players/:playerId',
  input: GetPlayer,
  output: PlayerFace,
  refuses: ['not_found'],
  async run({ db }, { playerId }) {
    const [row] = await db.select().from(players).where(eq(players.id, playerId));
    if (row === undefined) throw noSuchPlayer();
    return toFace(row);
  },
});

const XpPosition = Type.Tuple([Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), Id]);

/** Which of the two there was already; the one who was first has committed by now. */
async function explainConflict(tx: Db, userId: string): Promise<AppError> {
  const own = await tx.$count(players, eq(players.userId, userId));
  return new AppError(
    'conflict',
    own > 0 ? 'You have a player already: GET /v1/players/me.' : 'This handle is taken. Choose another one.',
  );
}
