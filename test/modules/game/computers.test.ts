// Computers and their defenses: what they cost, how many there may be, who sees what of them, and what a scan finds.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { maxComputers, maxDefenseLevel, maxTargets } from '../../../src/modules/game/contract.ts';
import { defensePrice } from '../../../src/modules/game/rules.ts';
import { addComputer } from '../../../src/modules/game/writer.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  buy,
  durableComputer,
  eventsOf,
  makePlayer,
  makePlayers,
  must,
  refusalOf,
  setDefense,
  setWealth,
  storedPlayer,
  type TestPlayer,
  typesOf,
  unknownId,
} from './setup.ts';

onEachDatabase('computers', (open) => {
  let server: TestServer;
  let ann: TestPlayer;
  let bob: TestPlayer;

  beforeAll(async () => {
    server = await open();
    ann = await makePlayer(server);
    bob = await makePlayer(server);
  });

  const install = (player: TestPlayer, type: string, computerId = player.computerId) =>
    attempt(server, player.user, 'POST', `/computers/${computerId}/defenses`, { type });

  test('each one costs twice as much as the one before, and after eight there are no more', async () => {
    const player = await makePlayer(server, { money: 2_500 * 127 });
    const prices = [];
    for (let owned = 1; owned < maxComputers; owned += 1) {
      const before = (await storedPlayer(server, player)).money;
      await buy(server, player);
      prices.push(before - (await storedPlayer(server, player)).money);
    }
    expect(prices).toEqual([2_500, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000]);
    await setWealth(server, player.id, { money: 10_000_000 });
    const { status, body } = await attempt(server, player.user, 'POST', '/computers', { name: 'One more' });
    expect([status, body.error.code, body.error.message]).toEqual([
      409,
      'conflict',
      'A player has at most 8 computers.',
    ]);
    const { computers } = await must(server, player.user, 'GET', '/players/me');
    expect(computers.map(({ cpu }: { cpu: number }) => cpu)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const news = typesOf(await eventsOf(server, `player:${player.id}`, 4));
    expect(news.slice(0, 2)).toEqual(['computer.created', 'resources.updated']);
    expect(news).toHaveLength(14);
  });

  test('without the money it is a conflict that says how much is missing', async () => {
    const player = await makePlayer(server, { money: 2_499 });
    const answer = await attempt(server, player.user, 'POST', '/computers', { name: 'Garage' });
    expect(refusalOf(answer)).toEqual([409, 'conflict', { missing: 'money', needed: 2_500, present: 2_499 }]);
    expect(answer.body.error.message).toContain('1 are missing');
    expect((await storedPlayer(server, player)).money).toBe(2_499);
  });

  test('of 50 purchases with money for one exactly one succeeds', async () => {
    const player = await makePlayer(server, { money: 2_500 });
    const client = await server.connect(player.user);
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        if (n % 2 === 0) return (await client.request('computer.buy', { name: `No. ${n}` })).type === 'ok';
        return (
          (await attempt(server, player.user, 'POST', '/computers', { name: `No. ${n}` })).status === 201
        );
      }),
    );
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect((await storedPlayer(server, player)).money).toBe(0);
    const { computers } = await must(server, player.user, 'GET', '/players/me');
    expect(computers).toHaveLength(2);
    client.close();
  });

  test('the same key buys one, whoever asks again', async () => {
    const player = await makePlayer(server, { money: 100_000 });
    const ask = () =>
      attempt(server, player.user, 'POST', '/computers', { name: 'Garage' }, { 'Idempotency-Key': 'k' });
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect((await storedPlayer(server, player)).money).toBe(97_500);
  });

  test('a name is one line of 1 to 60 characters', async () => {
    for (const name of ['', ' ', 'two\nlines', 'x'.repeat(61), 7]) {
      expect((await attempt(server, ann.user, 'POST', '/computers', { name })).status).toBe(400);
    }
  });

  test('an address that is taken is passed over, and a bounded number of times', async () => {
    const player = await makePlayer(server);
    const { ip } = (await must(server, player.user, 'GET', `/computers/${player.computerId}`)) as {
      ip: string;
    };
    const draft = { playerId: player.id, name: 'Garage', owned: 1 };
    const addresses = [ip, ip, '10.0.0.77'];
    const row = await addComputer(server.db, draft, () => addresses.shift() ?? ip);
    expect(row.ip).toBe('10.0.0.77');
    const failing = addComputer(server.db, draft, () => ip);
    expect(await failing.catch((error) => error.code)).toBe('unavailable');
  });

  test('its owner sees all of it, others its name, its address and levels', async () => {
    const player = await makePlayer(server, { xp: 100 });
    await setDefense(server, player.computerId, 'ids', 3);
    const own = await must(server, player.user, 'GET', `/computers/${player.computerId}`);
    expect(own).toMatchObject({
      cpu: 1,
      memory: 1,
      storage: 2,
      defenses: [{ type: 'ids', effectiveness: 21.75 }],
    });
    const foreign = await must(server, bob.user, 'GET', `/computers/${player.computerId}`);
    expect(foreign).toEqual({
      id: player.computerId,
      playerId: player.id,
      name: 'Home Server',
      ip: own.ip,
      level: 2,
      defenses: [{ type: 'ids', level: 3 }],
    });
    expect((await attempt(server, bob.user, 'GET', `/computers/${unknownId}`)).status).toBe(404);
  });

  test('a defense is installed, made better level by level up to ten, and paid each time', async () => {
    const player = await makePlayer(server, { money: 1_000_000 });
    let money = 1_000_000;
    for (let level = 1; level <= maxDefenseLevel; level += 1) {
      const { status, body } = await install(player, 'firewall');
      expect([status, body]).toMatchObject([201, { computerId: player.computerId, type: 'firewall', level }]);
      money -= defensePrice('firewall', level);
      expect((await storedPlayer(server, player)).money).toBe(money);
    }
    const { status, body } = await install(player, 'firewall');
    expect([status, body.error.code, body.error.details.level]).toEqual([409, 'conflict', maxDefenseLevel]);
    const { defenses } = await durableComputer(server, player.computerId);
    expect(defenses).toMatchObject([{ type: 'firewall', level: 10, effectiveness: 85 }]);
    const own = await eventsOf(server, `computer:${player.computerId}`);
    const theirs = (await eventsOf(server, `player:${player.id}`, 4)).filter(
      ({ type }) => type === 'defense.installed',
    );
    expect(own.map(({ id, payload }) => [id, payload])).toEqual(
      theirs.map(({ id, payload }) => [id, payload]),
    );
    expect(own).toHaveLength(10);
  });

  test('storage says how many types there are room for; what is there can still be made better', async () => {
    const player = await makePlayer(server, { money: 100_000 });
    expect((await install(player, 'ids')).status).toBe(201);
    expect((await install(player, 'honeypot')).status).toBe(201);
    const { status, body } = await install(player, 'firewall');
    expect([status, body.error.message]).toEqual([409, 'This computer holds at most 2 types of defense.']);
    expect((await install(player, 'ids')).body.level).toBe(2);
    const second = await buy(server, player);
    for (const type of ['ids', 'honeypot', 'firewall']) {
      expect((await install(player, type, second.id)).status).toBe(201);
    }
    expect((await install(player, 'antivirus', second.id)).status).toBe(409);
  });

  test('a defense is for the money, for computers of mine, and of a known type', async () => {
    const player = await makePlayer(server, { money: 149 });
    expect(refusalOf(await install(player, 'ids'))).toEqual([
      409,
      'conflict',
      { missing: 'money', needed: 150, present: 149 },
    ]);
    const foreign = await install(player, 'ids', bob.computerId);
    expect(refusalOf(foreign)).toEqual(refusalOf(await install(player, 'ids', unknownId)));
    expect(foreign.status).toBe(404);
    expect((await install(player, 'moat')).status).toBe(400);
  });

  test('of 50 upgrades with money for three levels three happen, each once', async () => {
    const player = await makePlayer(server, { money: 150 + 300 + 450 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => install(player, 'ids')));
    const levels = answers.flatMap(({ status, body }) => (status === 201 ? [body.level] : []));
    expect(levels.sort()).toEqual([1, 2, 3]);
    expect((await storedPlayer(server, player)).money).toBe(0);
  });

  test('a scan finds up to 20 of others near my level, nearest first, and nobody behind a shield', async () => {
    const fresh = await open();
    const me = await makePlayer(fresh, { xp: 900 });
    const near = await makePlayers(fresh, 12, { xp: 950 });
    const above = await makePlayers(fresh, 6, { xp: 2_500 });
    const below = await makePlayers(fresh, 6, { xp: 0 });
    const shielded = await makePlayer(fresh, { xp: 900, shielded: true });
    const { items } = await must(fresh, me.user, 'GET', '/computers?scan=1');
    expect(items).toHaveLength(maxTargets);
    const ids = items.map(({ playerId }: { playerId: string }) => playerId);
    expect(new Set(ids.slice(0, 12))).toEqual(new Set(near.map(({ id }) => id)));
    expect(new Set(ids.slice(12, 18))).toEqual(new Set(above.map(({ id }) => id))); // 2 levels away
    for (const id of ids.slice(18)) expect(below.map((each) => each.id)).toContain(id); // 3 levels away
    expect(ids).not.toContain(me.id);
    expect(ids).not.toContain(shielded.id);
    expect(Object.keys(items[0]).sort()).toEqual(['defenses', 'id', 'ip', 'level', 'name', 'playerId']);
    await fresh.db.execute(sql`UPDATE players SET shield_until = now() - interval '1 ms'`);
    const client = await fresh.connect(me.user);
    const { payload } = await client.request('computer.scan');
    expect(payload.items.map(({ playerId }: { playerId: string }) => playerId)).toContain(shielded.id);
    client.close();
    expect((await attempt(fresh, me.user, 'GET', '/computers?scan=2')).status).toBe(400);
    await fresh.stop();
  });
});
