// Hacks begin where they are allowed to, in every limit exactly; who started one can give it up; both sides list them.

import { beforeAll, expect, test } from 'bun:test';
import type { Hack } from '../../../src/modules/game/contract.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  buy,
  durableComputer,
  durableState,
  eventsOf,
  hackThrough,
  makeDue,
  makePlayer,
  makePlayers,
  must,
  outputOf,
  refusalOf,
  setWealth,
  startOn,
  storedHack,
  storedPlayer,
  tryStart,
  typesOf,
  unknownId,
  untilEnded,
} from './setup.ts';

onEachDatabase('hacks', (open) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await open();
  });

  const two = async (wealth: object = {}) => {
    const [attacker, target] = await makePlayers(server, 2, wealth);
    if (attacker === undefined || target === undefined) throw new Error('Two were made.');
    return { attacker, target };
  };

  test('one begins: energy goes, and both sides have it among the running ones', async () => {
    const { attacker, target } = await two();
    const { status, body } = await tryStart(server, attacker, target.computerId, { tools: ['port-scanner'] });
    const hack: Hack = outputOf(body);
    expect([status, hack]).toEqual([
      201,
      {
        id: expect.any(String),
        attackerId: attacker.id,
        defenderId: target.id,
        targetComputerId: target.computerId,
        type: 'bruteforce',
        tools: ['port-scanner'],
        status: 'running',
        startedAt: expect.any(String),
        completionAt: expect.any(String),
        result: null,
      },
    ]);
    expect(Date.parse(hack.completionAt) - Date.parse(hack.startedAt)).toBe(30_000);
    const mine = await durableState(server, attacker.id);
    expect([mine.hacks, mine.player.energy.amount]).toEqual([{ attacking: [hack], defending: [] }, 90]);
    const hidden = { ...hack, attackerId: null, tools: null };
    expect((await durableState(server, target.id)).hacks).toEqual({ attacking: [], defending: [hidden] });
    expect((await durableComputer(server, target.computerId)).hacks).toEqual([hidden]);
    expect(typesOf(await eventsOf(server, `player:${attacker.id}`, 4))).toEqual([
      'hack.initiated',
      'resources.updated',
    ]);
    const { live } = await must(server, target.user, 'GET', '/players/me');
    expect(live.progress).toMatchObject([{ hackId: hack.id, percent: expect.any(Number) }]);
    expect(live.progress[0].remainingMs).toBeLessThanOrEqual(30_000);
  });

  test('the seed of a hack is never told', async () => {
    const { attacker, target } = await two();
    const hack = await startOn(server, attacker, target.computerId);
    const { seed } = await storedHack(server, hack);
    expect(seed).toBeInteger();
    const frames = [
      ...(await eventsOf(server, `player:${attacker.id}`)),
      ...(await eventsOf(server, `player:${target.id}`)),
    ];
    const seen = [hack, frames, await must(server, attacker.user, 'GET', `/hacks/${hack.id}`)];
    expect(JSON.stringify(seen)).not.toContain('seed');
  });

  test('the best cpu of mine shortens it, the best memory takes more tools', async () => {
    const { attacker, target } = await two({ money: 20_000 });
    await setWealth(server, attacker.id, { xp: 1_000 });
    for (const key of ['wordlist']) await must(server, attacker.user, 'POST', `/unlocks/${key}`);
    const tools = ['port-scanner', 'wordlist'];
    const over = await tryStart(server, attacker, target.computerId, { tools });
    expect(refusalOf(over)).toEqual([409, 'conflict', { missing: 'memory', needed: 2, present: 1 }]);
    await buy(server, attacker);
    const hack = await startOn(server, attacker, target.computerId, { tools });
    expect(hack.tools).toEqual(tools);
    expect(Date.parse(hack.completionAt) - Date.parse(hack.startedAt)).toBe(Math.ceil(30_000 / 1.1));
  });

  test('tools: unknown ones, one twice and four are invalid; what is not unlocked is forbidden', async () => {
    const { attacker, target } = await two();
    const ask = (tools: unknown) => tryStart(server, attacker, target.computerId, { tools });
    const unknown = await ask(['port-scanner', 'magic']);
    expect([unknown.status, unknown.body.error.details]).toEqual([
      400,
      [{ path: '/body/tools/1', message: expect.any(String) }],
    ]);
    const twice = await ask(['port-scanner', 'port-scanner']);
    expect(twice.body.error.details).toEqual([{ path: '/body/tools/1', message: 'Expected each tool once' }]);
    expect((await ask(['port-scanner', 'wordlist', 'botnet', 'fuzzer'])).body.error.code).toBe('invalid');
    expect((await ask('port-scanner')).status).toBe(400);
    const locked = await ask(['botnet']);
    expect([locked.status, locked.body.error.message]).toEqual([403, 'Unlock these tools first: botnet.']);
    expect((await storedPlayer(server, attacker)).energy).toBe(100);
  });

  test('none on what is not there, on a computer of mine, or behind a shield', async () => {
    const { attacker, target } = await two();
    expect((await tryStart(server, attacker, unknownId)).status).toBe(404);
    const own = await tryStart(server, attacker, attacker.computerId);
    expect([own.status, own.body.error.code]).toEqual([409, 'conflict']);
    const shielded = await makePlayer(server, { shielded: true });
    const until = (await storedPlayer(server, shielded)).shieldUntil?.toISOString();
    expect(refusalOf(await tryStart(server, attacker, shielded.computerId))).toEqual([
      409,
      'conflict',
      { shieldUntil: until },
    ]);
    expect((await tryStart(server, attacker, target.computerId, { type: 'magic' })).status).toBe(400);
    expect((await storedPlayer(server, attacker)).energy).toBe(100);
  });

  test('without the energy it is a conflict that says how much is missing', async () => {
    const { attacker, target } = await two();
    await setWealth(server, attacker.id, { energy: 24 });
    expect(refusalOf(await tryStart(server, attacker, target.computerId, { type: 'exploit' }))).toEqual([
      409,
      'conflict',
      { missing: 'energy', needed: 25, present: 24 },
    ]);
    await setWealth(server, attacker.id, { energy: 25 });
    const client = await server.connect(attacker.user);
    const payload = { targetComputerId: target.computerId, type: 'exploit' };
    expect((await client.request('hack.start', payload, { key: 'k' })).type).toBe('ok');
    // The same key: the same hack, and no more energy.
    const { body } = await attempt(server, attacker.user, 'POST', '/hacks', payload, {
      'Idempotency-Key': 'k',
    });
    expect(body.status).toBe('running');
    expect((await storedPlayer(server, attacker)).energy).toBe(0);
    client.close();
  });

  test('three run at a time, and one on a target', async () => {
    const attacker = await makePlayer(server);
    const targets = await makePlayers(server, 4);
    const [first, second, third, fourth] = targets.map(({ computerId }) => computerId);
    if (!first || !second || !third || !fourth) throw new Error('Four were made.');
    const hack = await startOn(server, attacker, first);
    expect(refusalOf(await tryStart(server, attacker, first))).toEqual([409, 'conflict', hack]);
    await startOn(server, attacker, second);
    await startOn(server, attacker, third);
    const over = await tryStart(server, attacker, fourth);
    expect([over.status, over.body.error.message]).toEqual([
      409,
      'At most 3 hacks of a player run at a time.',
    ]);
    await must(server, attacker.user, 'DELETE', `/hacks/${hack.id}`);
    await startOn(server, attacker, fourth);
    expect((await tryStart(server, attacker, first)).status).toBe(409);
    expect((await durableState(server, attacker.id)).hacks.attacking).toHaveLength(3);
  });

  test("a newcomer's shield ends with the own first hack; one behind a success does not", async () => {
    const target = await makePlayer(server);
    const newcomer = await makePlayer(server, { shielded: true });
    await hackThrough(server, newcomer, target, 'failure');
    expect((await storedPlayer(server, newcomer)).shieldUntil).toBeNull();
    const frames = await eventsOf(server, `player:${newcomer.id}`, 4);
    const updated = frames.find(({ type }) => type === 'resources.updated');
    expect(updated?.payload.shieldUntil).toBeNull();
    await hackThrough(server, target, newcomer, 'success');
    const { shieldUntil } = await storedPlayer(server, newcomer);
    expect(shieldUntil).not.toBeNull();
    await startOn(server, newcomer, target.computerId);
    expect((await storedPlayer(server, newcomer)).shieldUntil).toEqual(shieldUntil);
  });

  test('who started one gives it up: no energy comes back, and both sides hear of it', async () => {
    const { attacker, target } = await two();
    const hack = await startOn(server, attacker, target.computerId);
    const aborted = await must(server, attacker.user, 'DELETE', `/hacks/${hack.id}`);
    expect(aborted).toEqual({ ...hack, status: 'aborted' });
    const mine = await durableState(server, attacker.id);
    expect([mine.hacks.attacking, mine.player.energy.amount]).toEqual([[], 90]);
    for (const topic of [`player:${attacker.id}`, `player:${target.id}`, `computer:${target.computerId}`]) {
      expect(typesOf(await eventsOf(server, topic)).at(-1)).toBe('hack.aborted');
    }
    expect((await durableComputer(server, target.computerId)).hacks).toEqual([]);
    const again = await attempt(server, attacker.user, 'DELETE', `/hacks/${hack.id}`);
    expect(refusalOf(again)).toEqual([409, 'conflict', aborted]);
  });

  test('nobody else gives it up: to the defender it is forbidden, to others there is none', async () => {
    const { attacker, target } = await two();
    const stranger = await makePlayer(server);
    const hack = await startOn(server, attacker, target.computerId);
    const byTarget = await attempt(server, target.user, 'DELETE', `/hacks/${hack.id}`);
    expect(refusalOf(byTarget)).toEqual([403, 'forbidden', undefined]);
    const byStranger = await attempt(server, stranger.user, 'DELETE', `/hacks/${hack.id}`);
    const absent = await attempt(server, stranger.user, 'DELETE', `/hacks/${unknownId}`);
    expect([byStranger.status, byStranger.body]).toEqual([404, absent.body]);
    expect((await attempt(server, stranger.user, 'GET', `/hacks/${hack.id}`)).body).toEqual(absent.body);
    expect((await storedHack(server, hack)).status).toBe('running');
  });

  test('behind its end it is given up no more, whether the clockwork was there or not', async () => {
    const { attacker, target } = await two();
    const hack = await startOn(server, attacker, target.computerId);
    await makeDue(server, hack, 'failure');
    const client = await server.connect(attacker.user);
    const { error } = await client.request('hack.abort', { hackId: hack.id });
    expect([error.code, ['running', 'failed'].includes(error.details.status)]).toEqual(['conflict', true]);
    await untilEnded(server, hack);
    expect((await storedHack(server, hack)).status).toBe('failed');
    client.close();
  });

  test('both sides list theirs, newest first, by role or together, page by page', async () => {
    const { attacker, target } = await two();
    const others = await makePlayers(server, 2);
    const started: string[] = [];
    for (const { computerId } of [target, ...others])
      started.unshift((await startOn(server, attacker, computerId)).id);
    const [other] = others;
    if (other === undefined) throw new Error('Two were made.');
    const against = await startOn(server, other, attacker.computerId);
    const list = async (query: string): Promise<string[]> => {
      const ids: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const path: string = `/hacks?limit=2${query}${cursor === '' ? '' : `&cursor=${cursor}`}`;
        const page = await must(server, attacker.user, 'GET', path);
        ids.push(...page.items.map(({ id }: Hack) => id));
        cursor = page.nextCursor;
      }
      return ids;
    };
    expect(await list('&role=attacker')).toEqual(started);
    expect(await list('&role=defender')).toEqual([against.id]);
    expect(await list('')).toEqual([against.id, ...started]);
    const { items } = await must(server, target.user, 'GET', '/hacks?role=defender');
    expect(items).toMatchObject([{ id: started.at(-1), attackerId: null, tools: null }]);
    expect((await attempt(server, attacker.user, 'GET', '/hacks?role=both')).status).toBe(400);
  });

  test('a defender sees 20 running ones on a computer; one that came later gets no place when another ends', async () => {
    const target = await makePlayer(server);
    const attackers = await makePlayers(server, 22);
    const hacks: Hack[] = [];
    for (const attacker of attackers) hacks.push(await startOn(server, attacker, target.computerId));
    const listed = async () => {
      const ids = (await durableState(server, target.id)).hacks.defending.map(({ id }) => id);
      expect((await durableComputer(server, target.computerId)).hacks.map(({ id }) => id)).toEqual(ids);
      return ids;
    };
    const ids = hacks.map(({ id }) => id);
    expect(await listed()).toEqual(ids.slice(0, 20).sort());
    const [first] = attackers;
    if (first === undefined) throw new Error('They were made.');
    await must(server, first.user, 'DELETE', `/hacks/${ids[0]}`);
    expect(await listed()).toEqual(ids.slice(1, 20).sort());
    const next = await startOn(server, first, target.computerId);
    expect(await listed()).toEqual([...ids.slice(1, 20), next.id].sort());
  });
});
