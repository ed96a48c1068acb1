// However many players and hacks there are, each question about them is answered by an index and reads no more than it shows.

import { beforeAll, expect, test } from 'bun:test';
import { type SQL, sql } from 'drizzle-orm';
import { selectTargets } from '../../../src/modules/game/computers.ts';
import { hackEnd } from '../../../src/modules/game/ending.ts';
import { selectSide } from '../../../src/modules/game/hacks.ts';
import { selectProgress } from '../../../src/modules/game/progress.ts';
import { selectAttacking, selectDefending } from '../../../src/modules/game/topics.ts';
import { selectDue } from '../../../src/realtime/clockwork/items.ts';
import { explain } from '../../support/explain.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { makePlayers, startOn, type TestPlayer } from './setup.ts';

onEachDatabase('the indexes of the game', (open) => {
  let server: TestServer;
  let ann: TestPlayer;

  beforeAll(async () => {
    server = await open();
    const [attacker, target] = await makePlayers(server, 2, { xp: 3_000 });
    if (attacker === undefined || target === undefined) throw new Error('Two were made.');
    ann = attacker;
    const hack = await startOn(server, attacker, target.computerId);
    // 6,000 others with a computer each; 1,000 hacks of the two that are over, and 12,000 of others, half of them running.
    await server.db.execute(sql`
      WITH users AS (
        INSERT INTO users
        SELECT (jsonb_populate_record(users, jsonb_build_object(
          'id', gen_random_uuid(), 'email', gen_random_uuid() || '@example.com'))).*
        FROM users, generate_series(1, 6000) WHERE users.id = ${ann.user.id}
        RETURNING id
      ), made AS (
        INSERT INTO players (id, user_id, handle, money, energy, energy_max, energy_at, xp, version)
        SELECT id, id, substr(id::text, 1, 20), 0, 0, 100, now(), (row_number() OVER ()), 1 FROM users
        RETURNING id
      )
      INSERT INTO computers (id, player_id, name, ip, cpu, memory, storage)
      SELECT id, id, 'x', id::text, 1, 1, 1 FROM made`);
    const rest = sql`type, tools, started_at, seed, is_listed, is_traced`;
    await server.db.execute(sql`
      INSERT INTO hack_operations (id, attacker_id, target_computer_id, defender_id, status, completion_at, ${rest})
      SELECT gen_random_uuid(), attacker_id, target_computer_id, defender_id, 'failed', now(), ${rest}
      FROM hack_operations, generate_series(1, 1000) WHERE id = ${hack.id}`);
    await server.db.execute(sql`
      INSERT INTO hack_operations (id, attacker_id, target_computer_id, defender_id, status, completion_at, ${rest})
      SELECT gen_random_uuid(), c.player_id, other.id, other.player_id,
        CASE n WHEN 1 THEN 'running' ELSE 'succeeded' END, now() + interval '1 hour', h.type, h.tools, h.started_at, h.seed,
        h.is_listed, h.is_traced
      FROM hack_operations AS h, generate_series(1, 2) AS n, computers AS c
      JOIN computers AS other ON other.id = c.id
      WHERE h.id = ${hack.id} AND c.name = 'x'`);
    for (const table of ['players', 'computers', 'hack_operations'])
      await server.db.execute(sql`ANALYZE ${sql.identifier(table)}`);
  }, 60_000);

  const page = { after: undefined, limit: 51 };

  for (const [name, statement, table, indexes, most] of [
    ['what is due', () => selectDue(hackEnd, 100), 'hack_operations', ['hack_operations_due'], 0],
    [
      'my running hacks, as an attacker',
      () => selectAttacking(server.db, ann.id).getSQL(),
      'hack_operations',
      ['hack_operations_running'],
      1,
    ],
    [
      'my running hacks, as a defender',
      () => selectDefending(server.db, ann.id).getSQL(),
      'hack_operations',
      ['hack_operations_endured'],
      0,
    ],
    [
      'those on one computer',
      () => selectDefending(server.db, ann.id, ann.computerId).getSQL(),
      'hack_operations',
      ['hack_operations_endured'],
      0,
    ],
    [
      'my hacks as an attacker',
      () => selectSide(server.db, 'attacker', { playerId: ann.id, ...page }).getSQL(),
      'hack_operations',
      ['hack_operations_attacker'],
      51,
    ],
    [
      'my hacks as a defender',
      () => selectSide(server.db, 'defender', { playerId: ann.id, ...page }).getSQL(),
      'hack_operations',
      ['hack_operations_defender'],
      0,
    ],
    [
      'what is told of progress',
      () => selectProgress([ann.id]),
      'hack_operations',
      ['hack_operations_endured', 'hack_operations_running'],
      1,
    ],
    [
      'a scan',
      () => selectTargets(ann.id),
      'players',
      ['computers_player', 'players_pkey', 'players_xp'],
      120,
    ],
  ] as const satisfies readonly (readonly [string, () => SQL, string, readonly string[], number])[]) {
    test(`${name}: by its index, at most ${most} rows`, async () => {
      const explained = await explain(server.db, statement(), table);
      expect(explained.scans.filter((scan) => scan === 'Seq Scan')).toEqual([]);
      expect(explained.rows).toBeLessThanOrEqual(most);
      expect([...explained.indexes]).toEqual(expect.arrayContaining([...indexes]));
    });
  }
});
