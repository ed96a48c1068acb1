// Locks are taken in one order: whatever meets whatever else at once, nobody waits in a circle. A circle would last for the 2 s
// that a lock is waited for, and one of them be refused as `unavailable`: the database of this suite looks for none before.
// On PostgreSQL; the embedded database has one connection.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Hack } from '../../../src/modules/game/contract.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import { createRandom } from '../../support/random.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  makeDue,
  makePlayers,
  startOn,
  storedHack,
  type TestPlayer,
  tryStart,
  untilEnded,
} from './setup.ts';

const random = createRandom('LOCK_SEED');

onEachDatabase('locks of the game', (open, database) => {
  if (database.kind === 'embedded') {
    test.skip('(the embedded database has one connection)', () => {});
    return;
  }
  let servers: readonly [TestServer, TestServer];
  let server: TestServer;

  beforeAll(async () => {
    console.log(`LOCK_SEED=${random.seed}`);
    const first = await open();
    await first.db.execute(sql`DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''60s''', current_database()); END $$`);
    await first.stop(); // connections that are there know nothing of it
    server = await open(first.env);
    servers = [server, await open(first.env)];
  });

  const either = () => servers[random.below(2)] ?? server;

  test('a hack is given up behind the locks of both players: their events stand in the order of what happens to them', async () => {
    const [attacker, target] = await makePlayers(server, 2);
    if (attacker === undefined || target === undefined) throw new Error('Two were made.');
    for (const { id } of [attacker, target]) {
      const hack = await startOn(server, attacker, target.computerId);
      const held = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const holding = server.db.transaction(async (tx) => {
        await tx.execute(sql`SELECT id FROM players WHERE id = ${id} FOR NO KEY UPDATE`);
        held.resolve();
        await goOn.promise;
      });
      await held.promise;
      const aborting = attempt(server, attacker.user, 'DELETE', `/hacks/${hack.id}`);
      await untilWaiting(server.db, 1);
      expect((await storedHack(server, hack)).status).toBe('running');
      goOn.resolve();
      await holding;
      expect((await aborting).status).toBe(200);
    }
  });

  test('three players hack each other, give up, buy and install, while hacks end', async () => {
    const players = await makePlayers(server, 3, { money: 10_000_000, xp: 100_000 });
    const acts = (player: TestPlayer, round: number) => {
      const others = players.filter(({ id }) => id !== player.id);
      const post = (path: string, body?: object) => () => attempt(either(), player.user, 'POST', path, body);
      return [
        ...others.map(
          ({ computerId }) =>
            () =>
              tryStart(either(), player, computerId),
        ),
        post('/computers', { name: `Round ${round}` }),
        post(`/computers/${player.computerId}/defenses`, { type: 'ids' }),
        post('/unlocks/networking'),
        () => attempt(either(), player.user, 'GET', '/players/me'),
      ];
    };
    let running: Hack[] = [];
    let started = 0;
    for (let round = 0; round < 12; round += 1) {
      await server.db.execute(sql`UPDATE players SET energy = 100, shield_until = NULL`);
      const ends = running.map((hack) => () => makeDue(either(), hack, 'success', random.below(20)));
      const aborts = running.map((hack) => () => {
        const { user } = players.find(({ id }) => id === hack.attackerId) ?? fail();
        return attempt(either(), user, 'DELETE', `/hacks/${hack.id}`);
      });
      const [answers] = await Promise.all([
        Promise.all([...players.flatMap((player) => acts(player, round)), ...aborts].map((act) => act())),
        Promise.all(ends.map((end) => end())),
      ]);
      const failed = answers.filter(({ status }) => status >= 500);
      expect(failed.map(({ status, body }) => [status, body.error])).toEqual([]);
      for (const hack of running) await untilEnded(server, hack);
      running = answers.flatMap(({ body }) => (body.status === 'running' ? [body as Hack] : [])); // as the contract has it
      started += running.length;
    }
    expect(started).toBeGreaterThan(20);
  }, 60_000);
});

function fail(): never {
  throw new Error('Somebody started it.');
}
