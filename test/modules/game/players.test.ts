// Players: one for each user, with what they begin with; who sees what of them; who may follow their topics.

import { beforeAll, expect, test } from 'bun:test';
import type { PlayerFace, PlayerState } from '../../../src/modules/game/contract.ts';
import { applyPlayer } from '../../../src/modules/game/state.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  durableState,
  eventsOf,
  frameOf,
  makePlayer,
  makePlayers,
  must,
  refusalOf,
  storedPlayer,
  typesOf,
  unknownId,
  withoutLive,
} from './setup.ts';

onEachDatabase('players', (open) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await open();
  });

  test('a new one has 1,000 money, all its energy, a computer, the first unlocks and a shield for 24 hours', async () => {
    const user = await server.register('Ann');
    const { status, body } = await attempt(server, user, 'POST', '/players', { handle: 'ann_1' });
    expect(status).toBe(201);
    const { events, ...state } = body;
    expect(state).toMatchObject({
      player: {
        userId: user.id,
        handle: 'ann_1',
        money: 1_000,
        energy: { amount: 100, max: 100, perHour: 120 },
        xp: 0,
        level: 1,
        version: 1,
      },
      computers: [
        { playerId: state.player.id, name: 'Home Server', cpu: 1, memory: 1, storage: 2, defenses: [] },
      ],
      unlocks: [{ key: 'basics' }, { key: 'port-scanner' }],
      hacks: { attacking: [], defending: [] },
      live: { progress: [] },
    });
    expect(state.computers[0].ip).toMatch(/^10(?:\.\d{1,3}){3}$/);
    const { shieldUntil, energy } = state.player;
    expect(Date.parse(shieldUntil) - Date.parse(energy.at)).toBe(24 * 3_600_000);
    expect(events.map(({ topic }: { topic: string }) => topic)).toContain(`player:${state.player.id}`);
    expect(await must(server, user, 'GET', '/players/me')).toEqual(state);
  });

  test('what happened to it tells all of it from the beginning', async () => {
    const { id, user } = await makePlayer(server, { shielded: true });
    const frames = await eventsOf(server, `player:${id}`);
    expect(typesOf(frames)).toEqual([
      'resources.updated',
      'computer.created',
      'progression.unlocked',
      'progression.unlocked',
    ]);
    expect(frames[0]?.meta).toMatchObject({ actorId: user.id, source: 'http' });
    const { player } = await durableState(server, id);
    const nothing: PlayerState = {
      player: { id, userId: player.userId, handle: player.handle } as PlayerState['player'], // the rest comes with events
      computers: [],
      unlocks: [],
      hacks: { attacking: [], defending: [] },
      live: { progress: [] },
    };
    expect(withoutLive(frames.map(frameOf).reduce(applyPlayer, nothing))).toEqual(
      await durableState(server, id),
    );
  });

  test('a second one is a conflict, also of 20 at once', async () => {
    const user = await server.register('Bob');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => attempt(server, user, 'POST', '/players', { handle: `bob_${n}` })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(409)]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body.error).toMatchObject({
      code: 'conflict',
      message: 'You have a player already: GET /v1/players/me.',
    });
  });

  test('a handle is taken once, also by 10 at once', async () => {
    const users = await Promise.all(Array.from({ length: 10 }, (_, n) => server.register(`User ${n}`)));
    const answers = await Promise.all(
      users.map((user) => attempt(server, user, 'POST', '/players', { handle: 'the_one' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body.error.message).toBe('This handle is taken. Choose another one.');
  });

  test('a handle has 3 to 20 of a-z, 0-9 and _', async () => {
    const user = await server.register('Cid');
    for (const handle of ['ab', 'a'.repeat(21), 'Ann', 'a-b', 'a b', 'äöü', '', 'abc\n', 7, null]) {
      const answer = await attempt(server, user, 'POST', '/players', { handle });
      expect([handle, answer.status, answer.body.error?.details?.[0]?.path]).toEqual([
        handle,
        400,
        '/body/handle',
      ]);
    }
    for (const handle of ['abc', `_${'9'.repeat(19)}`]) {
      const other = await server.register('Someone');
      expect((await attempt(server, other, 'POST', '/players', { handle })).status).toBe(201);
    }
  });

  test('without a player there is nothing to play with', async () => {
    const user = await server.register('Dan');
    const { computerId } = await makePlayer(server);
    for (const [method, path, body] of [
      ['GET', '/players/me', undefined],
      ['GET', '/computers?scan=1', undefined],
      ['POST', '/computers', { name: 'Garage' }],
      ['POST', `/computers/${computerId}/defenses`, { type: 'ids' }],
      ['POST', '/hacks', { targetComputerId: computerId, type: 'ddos' }],
      ['GET', '/hacks', undefined],
      ['GET', '/unlocks', undefined],
      ['POST', '/unlocks/networking', undefined],
    ] as const) {
      const { status, body: answer } = await attempt(server, user, method, path, body);
      expect([path, status, answer.error?.message]).toEqual([
        path,
        404,
        'You have no player yet. Make one: POST /v1/players.',
      ]);
    }
  });

  test('others see a handle, a level and xp, and nothing else', async () => {
    const [ann, bob] = await makePlayers(server, 2, { xp: 450 });
    if (ann === undefined || bob === undefined) throw new Error('Two were made.');
    const face = { id: ann.id, handle: ann.handle, level: 3, xp: 450 };
    expect(await must(server, bob.user, 'GET', `/players/${ann.id}`)).toEqual(face);
    expect(await must(server, ann.user, 'GET', `/players/${ann.id}`)).toEqual(face);
    expect(refusalOf(await attempt(server, bob.user, 'GET', `/players/${unknownId}`))).toEqual([
      404,
      'not_found',
      undefined,
    ]);
  });

  test('the list has every player once, most xp first, page by page', async () => {
    const fresh = await open();
    for (const xp of [0, 700, 700, 20, 700, 5_000, 0]) await makePlayer(fresh, { xp });
    const { user } = await makePlayer(fresh, { xp: 90 });
    const listed: PlayerFace[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { items: PlayerFace[]; nextCursor: string | null } = await must(
        fresh,
        user,
        'GET',
        `/players?sort=xp&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      listed.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(listed.map(({ xp }) => xp)).toEqual([5_000, 700, 700, 700, 90, 20, 0, 0]);
    expect(new Set(listed.map(({ id }) => id)).size).toBe(8);
    expect((await attempt(fresh, user, 'GET', '/players?sort=money')).status).toBe(400);
    await fresh.stop();
  });

  test('only its own user follows a player and its computers, and gets their state', async () => {
    const [ann, bob] = await makePlayers(server, 2);
    if (ann === undefined || bob === undefined) throw new Error('Two were made.');
    const [mine, theirs] = [await server.connect(ann.user), await server.connect(bob.user)];
    for (const topic of [`player:${ann.id}`, `computer:${ann.computerId}`]) {
      const { snapshot } = await mine.subscribe(topic, { snapshot: true });
      expect(snapshot).toBeDefined();
      const foreign = await theirs.request('subscribe', undefined, { topic });
      const absent = await theirs.request('subscribe', undefined, {
        topic: topic.replace(/:.*/, `:${unknownId}`),
      });
      expect([foreign.error?.code, foreign.error]).toEqual(['forbidden', absent.error]);
    }
    const { snapshot } = await mine.subscribe(`player:${ann.id}`, { snapshot: true });
    expect(snapshot).toEqual(await must(server, ann.user, 'GET', '/players/me'));
    const reply = await mine.request('player.state');
    expect(reply.payload).toEqual(snapshot);
    for (const client of [mine, theirs]) client.close();
  });

  test('the state keeps energy as it was and when; a request changes nothing of it', async () => {
    const ann = await makePlayer(server, { energy: 40 });
    const before = await storedPlayer(server, ann);
    const { player } = await must(server, ann.user, 'GET', '/players/me');
    expect(player.energy).toEqual({ amount: 40, at: before.energyAt.toISOString(), max: 100, perHour: 120 });
    expect(await storedPlayer(server, ann)).toEqual(before);
  });
});
