// Hacks as their two sides see them: one's own, and those on one's computers.

import { and, desc, eq, lt, or } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { compare } from '../../protocol/order.ts';
import { defaultPageSize, readCursor, TimePosition, toPage } from '../../protocol/paging.ts';
import { query } from '../../realtime/index.ts';
import { noSuchHack, requirePlayerId } from './access.ts';
import { Hack, HackPage, HackPath, ListHacks } from './contract.ts';
import { type HackRow, toEndured, toHack } from './rows.ts';
import { hackOperations } from './schema.ts';

const tag = 'Hacks';

export const listHacks = query('hack.list', {
  summary: 'Hacks that I started, and those on computers of mine, newest first',
  tag,
  http: 'GET /hacks',
  input: ListHacks,
  output: HackPage,
  refuses: ['not_found'],
  async run({ actor, db }, { role, limit = defaultPageSize, cursor }) {
    const playerId = await requirePlayerId(db, actor.userId);
    const asked = { playerId, after: readCursor(TimePosition, cursor), limit: limit + 1 };
    const sides = role === undefined ? (['attacker', 'defender'] as const) : [role];
    const found: HackRow[] = [];
    for (const side of sides) found.push(...(await selectSide(db, side, asked)));
    found.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime() || compare(b.id, a.id));
    return toPage(
      found,
      limit,
      ({ startedAt, id }) => [startedAt.getTime(), id],
      (row) => toSeen(row, playerId),
    );
  },
});

export const getHack = query('hack.get', {
  summary: 'A hack of mine, or on a computer of mine',
  tag,
  http: 'GET /hacks/:hackId',
  input: HackPath,
  output: Hack,
  refuses: ['not_found'],
  async run({ actor, db }, { hackId }) {
    const playerId = await requirePlayerId(db, actor.userId);
    const [row] = await db.select().from(hackOperations).where(eq(hackOperations.id, hackId));
    if (row === undefined || ![row.attackerId, row.defenderId].includes(playerId)) throw noSuchHack();
    return toSeen(row, playerId);
  },
});

const toSeen = (row: HackRow, playerId: string): Hack =>
  row.attackerId === playerId ? toHack(row) : toEndured(row);

interface Asked {
  readonly playerId: string;
  readonly after: TimePosition | undefined;
  readonly limit: number;
}

/** By the index of that side: a page reads no more than twice what it shows. */
export function selectSide(db: Db, side: 'attacker' | 'defender', { playerId, after, limit }: Asked) {
  const { startedAt, id } = hackOperations;
  const isMine = eq(side === 'attacker' ? hackOperations.attackerId : hackOperations.defenderId, playerId);
  const at = after && new Date(after[0]);
  const isBehind = after && at && or(lt(startedAt, at), and(eq(startedAt, at), lt(id, after[1])));
  return db
    .select()
    .from(hackOperations)
    .where(and(isMine, isBehind))
    .orderBy(desc(startedAt), desc(id))
    .limit(limit);
}
