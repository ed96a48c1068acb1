// The defender learns who attacks by an ids of level 3 or more, or when the hack fails, and in no other way: no answer, no
// event, no meta and no snapshot says it.

import { beforeAll, expect, test } from 'bun:test';
import type { Hack } from '../../../src/modules/game/contract.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  eventsOf,
  hackThrough,
  makeDue,
  makePlayers,
  must,
  setDefense,
  startOn,
  type TestPlayer,
  untilEnded,
} from './setup.ts';

onEachDatabase('who attacks', (open) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await open();
  });

  async function pair(): Promise<{ attacker: TestPlayer; target: TestPlayer }> {
    const [attacker, target] = await makePlayers(server, 2, { money: 1_000 });
    if (attacker === undefined || target === undefined) throw new Error('Two were made.');
    return { attacker, target };
  }

  /** All that the defender can get to see of the hack, by any way. */
  async function seenBy({ user, id, computerId }: TestPlayer, hack: Hack): Promise<unknown[]> {
    const client = await server.connect(user);
    const topics = [`player:${id}`, `computer:${computerId}`];
    const seen: unknown[] = [];
    for (const topic of topics) {
      seen.push((await client.subscribe(topic, { snapshot: true })).snapshot);
      seen.push(await eventsOf(server, topic));
      await client.subscribe(topic, { since: 0 });
    }
    await client.request('ping');
    seen.push(client.frames.filter(({ type }) => type !== 'welcome'));
    for (const path of [
      '/hacks?role=defender',
      '/hacks',
      `/hacks/${hack.id}`,
      '/players/me',
      `/computers/${computerId}`,
    ])
      seen.push(await must(server, user, 'GET', path));
    for (const [type, payload] of [
      ['hack.list', {}],
      ['hack.get', { hackId: hack.id }],
      ['player.state', {}],
      ['hack.abort', { hackId: hack.id }],
    ] as const)
      seen.push(await client.request(type, payload));
    client.close();
    return seen;
  }

  /** Whether the player, the user or the handle of the attacker stands anywhere in it. */
  const tells = (seen: unknown, { id, user, handle }: TestPlayer): boolean =>
    [id, user.id, handle].some((name) => JSON.stringify(seen).includes(name));

  test('is told nowhere while a hack runs, when it is given up, and when it succeeds', async () => {
    const { attacker, target } = await pair();
    const hack = await startOn(server, attacker, target.computerId, { tools: ['port-scanner'] });
    const running = await seenBy(target, hack);
    expect([running.length, tells(running, attacker)]).toEqual([14, false]);
    expect(JSON.stringify(running)).toContain(hack.id);
    expect(JSON.stringify(running.slice(0, 5))).not.toContain('"tools":["');
    const client = await server.connect(attacker.user);
    await client.request('hack.abort', { hackId: hack.id }, { id: 'a-frame-id' });
    expect(tells(await seenBy(target, hack), attacker)).toBe(false);
    expect(JSON.stringify(await eventsOf(server, `player:${target.id}`))).not.toContain('a-frame-id');
    const second = await hackThrough(server, attacker, target, 'success');
    const ended = await seenBy(target, second);
    expect([JSON.stringify(ended).includes('"loot":100'), tells(ended, attacker)]).toEqual([true, false]);
    client.close();
  });

  test('meta of what the defender hears has the source alone, that of the attacker all of it', async () => {
    const { attacker, target } = await pair();
    const client = await server.connect(attacker.user);
    const payload = { targetComputerId: target.computerId, type: 'ddos' };
    await client.request('hack.start', payload, { id: 'begin' });
    const [mine] = await eventsOf(server, `player:${attacker.id}`, 4);
    const [theirs] = await eventsOf(server, `player:${target.id}`, 4);
    const [onComputer] = await eventsOf(server, `computer:${target.computerId}`);
    expect(mine?.meta).toEqual({ actorId: attacker.user.id, source: 'ws', correlationId: 'begin' });
    expect(theirs?.meta).toEqual({ source: 'ws' });
    expect([onComputer?.id, onComputer?.meta]).toEqual([theirs?.id, { source: 'ws' }]);
    expect(theirs?.id).not.toBe(mine?.id);
    expect(mine?.payload.hack).toMatchObject({ attackerId: attacker.id, tools: [] });
    client.close();
  });

  test('is told from the beginning where the computer has an ids of level 3', async () => {
    for (const [level, isTold] of [
      [2, false],
      [3, true],
    ] as const) {
      const { attacker, target } = await pair();
      await setDefense(server, target.computerId, 'ids', level);
      const hack = await startOn(server, attacker, target.computerId);
      expect([level, tells(await seenBy(target, hack), attacker)]).toEqual([level, isTold]);
      const [theirs] = await eventsOf(server, `player:${target.id}`, 4);
      expect(theirs?.payload.hack.attackerId).toBe(isTold ? attacker.id : null);
      expect(theirs?.meta?.actorId).toBe(isTold ? attacker.user.id : undefined);
    }
  });

  test('is told at the end where the ids came while it ran, and not before', async () => {
    const { attacker, target } = await pair();
    const hack = await startOn(server, attacker, target.computerId);
    for (let level = 1; level <= 3; level += 1)
      await must(server, target.user, 'POST', `/computers/${target.computerId}/defenses`, { type: 'ids' });
    expect(tells(await seenBy(target, hack), attacker)).toBe(false);
    await makeDue(server, hack, 'success');
    await untilEnded(server, hack);
    const last = (await eventsOf(server, `computer:${target.computerId}`)).at(-1);
    expect(last).toMatchObject({ type: 'hack.completed', payload: { hack: { attackerId: attacker.id } } });
  });

  test('is told when the hack fails', async () => {
    const { attacker, target } = await pair();
    const hack = await hackThrough(server, attacker, target, 'failure');
    const { items } = await must(server, target.user, 'GET', '/hacks?role=defender');
    expect(items).toMatchObject([{ id: hack.id, status: 'failed', attackerId: attacker.id, tools: [] }]);
    const last = (await eventsOf(server, `player:${target.id}`)).at(-1);
    expect(last).toMatchObject({ type: 'hack.failed', payload: { hack: { attackerId: attacker.id } } });
    expect(last?.meta).toEqual({ source: 'system' });
  });
});
