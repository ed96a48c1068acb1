// What happens at once: one of two opposite acts wins, limits hold to the last place, nobody waits in a circle, and no money
// comes or goes.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import type { Hack } from '../../../src/modules/game/contract.ts';
import { applyPlayer } from '../../../src/modules/game/state.ts';
import type { Answer } from '../../support/api.ts';
import { createRandom } from '../../support/random.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  attempt,
  durableState,
  eventsOf,
  frameOf,
  makeDue,
  makePlayer,
  makePlayers,
  seeds,
  setWealth,
  startOn,
  storedHack,
  storedPlayer,
  type TestPlayer,
  tryStart,
  untilEnded,
  withoutLive,
} from './setup.ts';

const random = createRandom('RACE_SEED');

onEachDatabase('races of the game', (open, database) => {
  let server: TestServer;
  /** On PostgreSQL the second is another instance on the same database. */
  let servers: readonly [TestServer, TestServer];

  beforeAll(async () => {
    console.log(`RACE_SEED=${random.seed}`);
    server = await open();
    servers = [server, database.kind === 'postgres' ? await open(server.env) : server];
  });

  const either = () => servers[random.below(2)] ?? server;
  const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status).sort();

  /** What the log builds from the first snapshot is what the tables have. */
  async function expectLaw(players: readonly TestPlayer[], before: Awaited<ReturnType<typeof look>>) {
    for (const { id } of players) {
      const known = before.get(id);
      if (known === undefined) throw new Error('It was looked at before.');
      const events = await eventsOf(server, `player:${id}`, known.head);
      const built = events.map(frameOf).reduce(applyPlayer, { ...known.state, live: { progress: [] } });
      expect(withoutLive(built)).toEqual(await durableState(server, id));
    }
  }
  async function look(players: readonly TestPlayer[]) {
    const states = new Map<string, { head: number; state: Awaited<ReturnType<typeof durableState>> }>();
    for (const { id } of players) {
      const head = (await eventsOf(server, `player:${id}`)).length;
      states.set(id, { head, state: await durableState(server, id) });
    }
    return states;
  }

  test('of 50 starts by one player on one target one runs', async () => {
    const [attacker, target] = await makePlayers(server, 2);
    if (attacker === undefined || target === undefined) throw new Error('Two were made.');
    const before = await look([attacker, target]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tryStart(either(), attacker, target.computerId)),
    );
    expect(statuses(answers)).toEqual([201, ...Array(49).fill(409)]);
    const [won] = answers.filter(({ status }) => status === 201);
    for (const { status, body } of answers)
      if (status === 409) expect(body.error.details.id).toBe(won?.body.id);
    expect((await storedPlayer(server, attacker)).energy).toBe(90);
    await expectLaw([attacker, target], before);
  });

  test('of 50 starts on 10 targets exactly 3 run; energy goes for no more', async () => {
    const attacker = await makePlayer(server);
    const targets = await makePlayers(server, 10);
    const before = await look([attacker, ...targets]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => tryStart(either(), attacker, targets[n % 10]?.computerId ?? '')),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(47);
    expect((await storedPlayer(server, attacker)).energy).toBe(70);
    await expectLaw([attacker, ...targets], before);
  });

  test('50 players start on one target at once: all run, 20 of them are listed', async () => {
    const target = await makePlayer(server);
    const attackers = await makePlayers(server, 50);
    const before = await look([target]);
    const answers = await Promise.all(
      attackers.map((attacker) => tryStart(either(), attacker, target.computerId)),
    );
    expect(statuses(answers)).toEqual(Array(50).fill(201));
    expect((await durableState(server, target.id)).hacks.defending).toHaveLength(20);
    await expectLaw([target], before);
  }, 60_000);

  test('around the last place in the list of a defender, who starts and who gives up at once agree on who has it', async () => {
    const target = await makePlayer(server);
    const attackers = await makePlayers(server, 26);
    const start = async (attacker: TestPlayer) =>
      (await tryStart(either(), attacker, target.computerId)).body.id;
    const running = await Promise.all(attackers.slice(0, 20).map(start));
    for (let round = 0; round < 4; round += 1) {
      const before = await look([target]);
      const aborts = attackers.slice(5 * round, 5 * round + 5).map(async ({ user }, n) => {
        await attempt(either(), user, 'DELETE', `/hacks/${running[5 * round + n]}`);
      });
      const starts = attackers.slice(20).map(async (attacker) => {
        const id = await start(attacker);
        if (id !== undefined) await attempt(either(), attacker.user, 'DELETE', `/hacks/${id}`);
        await start(attacker);
      });
      await Promise.all([...aborts, ...starts]);
      await expectLaw([target], before);
      await server.db.execute(sql`UPDATE players SET energy = 100 WHERE id <> ${target.id}`);
    }
  }, 60_000);

  test('energy for two hacks is spent on two, whichever come first', async () => {
    const attacker = await makePlayer(server);
    await setWealth(server, attacker.id, { energy: 25 });
    const targets = await makePlayers(server, 10);
    const answers = await Promise.all(
      targets.map(({ computerId }) => tryStart(either(), attacker, computerId)),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
    expect((await storedPlayer(server, attacker)).energy).toBe(5);
  });

  test('A hacks B while B hacks A, over and over, while both buy: nobody waits in a circle', async () => {
    const [a, b] = await makePlayers(server, 2, { money: 1_000_000 });
    if (a === undefined || b === undefined) throw new Error('Two were made.');
    const before = await look([a, b]);
    for (let round = 0; round < 5; round += 1) {
      await server.db.execute(sql`
        UPDATE players SET energy = 100, shield_until = NULL WHERE id IN (${a.id}, ${b.id})`);
      for (const { id } of [a, b]) {
        const known = before.get(id);
        const present = await durableState(server, id);
        if (known !== undefined)
          before.set(id, { head: (await eventsOf(server, `player:${id}`)).length, state: present });
      }
      const [ofA, ofB, ...rest] = await Promise.all([
        tryStart(either(), a, b.computerId),
        tryStart(either(), b, a.computerId),
        ...[a, b].flatMap(({ user, computerId }) => [
          attempt(either(), user, 'POST', `/computers/${computerId}/defenses`, { type: 'ids' }),
          attempt(either(), user, 'POST', '/computers', { name: `Round ${round}` }),
        ]),
      ]);
      expect([ofA?.status, ofB?.status]).toEqual([201, 201]);
      expect(rest.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
      const hacks: Hack[] = [ofA?.body, ofB?.body];
      await Promise.all(
        hacks.map((hack) => makeDue(server, hack, random.below(2) === 0 ? 'success' : 'failure')),
      );
      for (const hack of hacks) await untilEnded(server, hack);
      await expectLaw([a, b], before);
    }
    const [first, second] = [await storedPlayer(server, a), await storedPlayer(server, b)];
    const spent = [1, 2, 3, 4, 5].reduce((sum, level) => sum + 150 * level + 2_500 * 2 ** (level - 1), 0);
    expect(first.money + second.money).toBe(2 * (1_000_000 - spent));
  }, 60_000);

  test('of an end by the clock and 10 aborts one wins; the others are told how the hack is', async () => {
    const outcomes: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      const [attacker, target] = await makePlayers(server, 2, { money: 1_000 });
      if (attacker === undefined || target === undefined) throw new Error('Two were made.');
      const before = await look([attacker, target]);
      const hack = await startOn(server, attacker, target.computerId);
      await makeDue(server, hack, 'success', random.below(40));
      const aborts = await Promise.all(
        Array.from({ length: 10 }, async () => {
          await Bun.sleep(random.below(50)); // before, at and behind its end
          return attempt(either(), attacker.user, 'DELETE', `/hacks/${hack.id}`);
        }),
      );
      await untilEnded(server, hack);
      const { status } = await storedHack(server, hack);
      outcomes.push(status);
      const won = aborts.filter((answer) => answer.status === 200);
      expect(won).toHaveLength(status === 'aborted' ? 1 : 0);
      for (const { status: code, body } of aborts) {
        if (code !== 200)
          expect([code, body.error.code, body.error.details.id]).toEqual([409, 'conflict', hack.id]);
      }
      const ends = (await eventsOf(server, `player:${target.id}`)).filter(
        ({ payload }) => payload.hack?.id === hack.id,
      );
      expect(ends).toHaveLength(2);
      const money = [await storedPlayer(server, attacker), await storedPlayer(server, target)].map(
        (row) => row.money,
      );
      expect(money).toEqual(status === 'aborted' ? [1_000, 1_000] : [1_100, 900]);
      await expectLaw([attacker, target], before);
    }
    console.log(`ended: ${outcomes.join(' ')}`);
  }, 60_000);

  test('hacks in a ring end together while everybody starts new ones: each ends once, and no money comes or goes', async () => {
    const ring = await makePlayers(server, 12, { money: 10_000 });
    const before = await look(ring);
    const hacks: Hack[] = [];
    for (const [n, attacker] of ring.entries()) {
      const target = ring[(n + 1) % ring.length];
      if (target !== undefined) hacks.push(await startOn(server, attacker, target.computerId));
    }
    const sum = async () => {
      const ids = sql.join(
        ring.map(({ id }) => sql`${id}::uuid`),
        sql`, `,
      );
      const rows = await queryRows<{ sum: number }>(
        server.db,
        sql`SELECT sum(money)::int AS sum FROM players WHERE id IN (${ids})`,
      );
      return rows[0]?.sum;
    };
    const ids = sql.join(
      hacks.map(({ id }) => sql`${id}::uuid`),
      sql`, `,
    );
    await server.db.execute(sql`
      UPDATE hack_operations SET seed = ${seeds.success}, completion_at = clock_timestamp() + interval '50 ms'
      WHERE id IN (${ids})`);
    const answers = await Promise.all(
      ring.flatMap((attacker, n) =>
        [2, 3, 4, 5].map((step) =>
          tryStart(either(), attacker, ring[(n + step) % ring.length]?.computerId ?? ''),
        ),
      ),
    );
    for (const { status } of answers) expect([201, 409]).toContain(status);
    await until(
      async () =>
        (await Promise.all(hacks.map((hack) => storedHack(server, hack)))).every(
          ({ status }) => status === 'succeeded',
        ),
      'all of the ring end',
    );
    expect(await sum()).toBe(120_000);
    await expectLaw(ring, before);
  }, 60_000);
});
