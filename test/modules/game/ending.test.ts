// The end of hacks: by the database's clock, once, with what the seed and the state by then yield, and both sides told.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import type { Hack } from '../../../src/modules/game/contract.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  durableState,
  eventsOf,
  hackThrough,
  makeDue,
  makePlayer,
  makePlayers,
  setWealth,
  startOn,
  storedHack,
  storedPlayer,
  tryStart,
  typesOf,
  untilEnded,
} from './setup.ts';

onEachDatabase('the end of hacks', (open, database) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await open();
  });

  const two = async (through = server, wealth: object = {}) => {
    const [attacker, target] = await makePlayers(through, 2, wealth);
    if (attacker === undefined || target === undefined) throw new Error('Two were made.');
    return { attacker, target };
  };
  const moneyIn = async (through: TestServer) =>
    (await queryRows<{ sum: string }>(through.db, sql`SELECT sum(money)::text FROM players`))[0]?.sum;

  test('a success: loot goes over once, xp comes, the target is shielded for 10 minutes, both are told', async () => {
    const { attacker, target } = await two(server, { money: 2_340 });
    const clients = [await server.connect(attacker.user), await server.connect(target.user)] as const;
    await clients[0].subscribe(`player:${attacker.id}`);
    await clients[1].subscribe(`player:${target.id}`);
    await clients[1].subscribe(`computer:${target.computerId}`);
    const hack = await startOn(server, attacker, target.computerId);
    await makeDue(server, hack, 'success');
    const mine = await clients[0].next('hack.completed');
    const result = { loot: 234, xp: 20 };
    expect(mine.payload).toMatchObject({ hack: { id: hack.id, status: 'succeeded', result }, result });
    expect(mine.meta).toEqual({ source: 'system' });
    for (const kind of ['player', 'computer']) {
      const theirs = await clients[1].next(
        ({ type, topic }) => type === 'hack.completed' && topic?.startsWith(kind) === true,
      );
      expect(theirs.payload).toMatchObject({ hack: { id: hack.id, attackerId: null }, result });
    }
    const earned = await clients[0].next(
      ({ type, payload }) => type === 'resources.updated' && payload.xp === 20,
    );
    expect(earned.payload.money).toBe(2_574);
    const lost = await clients[1].next('resources.updated');
    expect(lost.payload.money).toBe(2_106);
    const shieldMs = Date.parse(lost.payload.shieldUntil) - Date.parse(lost.at ?? '');
    expect(Math.abs(shieldMs - 600_000)).toBeLessThan(5_000);
    expect((await tryStart(server, attacker, target.computerId)).body.error.details).toEqual({
      shieldUntil: lost.payload.shieldUntil,
    });
    expect((await durableState(server, target.id)).hacks.defending).toEqual([]);
    for (const client of clients) client.close();
  });

  test('a failure: nothing goes over, and no shield comes', async () => {
    const { attacker, target } = await two();
    const hack = await hackThrough(server, attacker, target, 'failure');
    const row = await storedHack(server, hack);
    expect([row.status, row.result]).toEqual(['failed', { loot: 0, xp: 0 }]);
    const [mine, theirs] = [await storedPlayer(server, attacker), await storedPlayer(server, target)];
    expect([mine.money, mine.xp, theirs.money, theirs.shieldUntil]).toEqual([1_000, 0, 1_000, null]);
    expect(typesOf(await eventsOf(server, `player:${attacker.id}`)).slice(-1)).toEqual(['hack.failed']);
    await startOn(server, attacker, target.computerId);
  });

  test('a new level is told, with the one before', async () => {
    const { attacker, target } = await two();
    await setWealth(server, attacker.id, { xp: 95 });
    await hackThrough(server, attacker, target, 'success');
    const [updated, levelled] = (await eventsOf(server, `player:${attacker.id}`)).slice(-2);
    expect(updated).toMatchObject({ type: 'resources.updated', payload: { xp: 115, level: 2 } });
    expect(levelled).toMatchObject({ type: 'player.levelled', payload: { level: 2, previous: 1 } });
  });

  test('what counts is the state at its end, not that at its start', async () => {
    const { attacker, target } = await two(server, { money: 1_000 });
    const hack = await startOn(server, attacker, target.computerId, { type: 'exploit' });
    await setWealth(server, target.id, { money: 500, xp: 400 });
    await makeDue(server, hack, 'success');
    await untilEnded(server, hack);
    expect((await storedHack(server, hack)).result).toEqual({ loot: 50, xp: 80 });
  });

  test('a hack ends at its time, without being looked for', async () => {
    const { attacker, target } = await two();
    const hack = await startOn(server, attacker, target.computerId);
    await makeDue(server, hack, 'success', 600);
    const { completionAt } = await storedHack(server, hack);
    await untilEnded(server, hack);
    const ended = (await eventsOf(server, `player:${attacker.id}`)).find(
      ({ type }) => type === 'hack.completed',
    );
    expect(Date.parse(ended?.at ?? '') - completionAt.getTime()).toBeGreaterThanOrEqual(0);
  });

  test('several hacks on one target end one after another: each takes its part of what the one before left', async () => {
    const target = await makePlayer(server, { money: 1_000 });
    const attackers = await makePlayers(server, 3);
    const hacks: Hack[] = [];
    for (const attacker of attackers) hacks.push(await startOn(server, attacker, target.computerId));
    const before = await moneyIn(server);
    for (const hack of hacks) await makeDue(server, hack, 'success', 300);
    for (const hack of hacks) await untilEnded(server, hack);
    const loot = [];
    for (const hack of hacks) loot.push((await storedHack(server, hack)).result?.loot ?? 0);
    expect(loot.sort((a, b) => b - a)).toEqual([100, 90, 81]);
    expect((await storedPlayer(server, target)).money).toBe(729);
    expect(await moneyIn(server)).toBe(before);
  });

  test('what came due while all instances were down ends once after the start, and loot goes over once', async () => {
    const first = await open();
    const targets = await makePlayers(first, 20, { money: 1_000 });
    const attackers = await makePlayers(first, 20);
    const hacks: Hack[] = [];
    for (const [n, attacker] of attackers.entries()) {
      for (const step of [0, 1, 2]) {
        const target = targets[(n + step) % targets.length];
        if (target !== undefined) hacks.push(await startOn(first, attacker, target.computerId));
      }
    }
    const spared = hacks.pop();
    if (spared === undefined) throw new Error('Hacks were started.');
    const before = await moneyIn(first);
    await first.db.execute(sql`
      UPDATE hack_operations SET completion_at = now() - interval '1 hour', started_at = now() - interval '2 hours'
      WHERE id <> ${spared.id}`);
    await first.stop();
    const again = await open(first.env);
    const beside = database.kind === 'postgres' ? await open(first.env) : undefined;
    await until(
      async () =>
        (await Promise.all(hacks.map((hack) => storedHack(again, hack)))).every(
          ({ status }) => status !== 'running',
        ),
      'all of them end',
      20_000,
    );
    expect((await storedHack(again, spared)).status).toBe('running');
    expect(await moneyIn(again)).toBe(before);
    let looted = 0;
    for (const hack of hacks) {
      const row = await storedHack(again, hack);
      looted += row.result?.loot ?? 0;
      for (const topic of [
        `player:${row.attackerId}`,
        `player:${row.defenderId}`,
        `computer:${row.targetComputerId}`,
      ]) {
        const ends = (await eventsOf(again, topic)).filter(
          ({ type, payload }) => /^hack\.(?:completed|failed)$/.test(type) && payload.hack.id === hack.id,
        );
        expect([hack.id, topic, ends.length]).toEqual([hack.id, topic, 1]);
        expect(ends[0]?.type).toBe(row.status === 'succeeded' ? 'hack.completed' : 'hack.failed');
      }
    }
    expect(looted).toBeGreaterThan(0);
    let earned = 0;
    for (const attacker of attackers) earned += (await storedPlayer(again, attacker)).money - 1_000;
    expect(earned).toBe(looted);
    await Promise.all([again.stop(), beside?.stop()]);
  }, 60_000);
});
