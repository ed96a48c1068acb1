// Unlocks: bought with xp that is not spent yet, when the parents are held; the level stays what it is.

import { beforeAll, expect, test } from 'bun:test';
import type { UnlockNode } from '../../../src/modules/game/contract.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  eventsOf,
  makePlayer,
  must,
  refusalOf,
  storedPlayer,
  type TestPlayer,
  typesOf,
} from './setup.ts';

onEachDatabase('unlocks', (open) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await open();
  });

  const unlock = (player: TestPlayer, key: string) => attempt(server, player.user, 'POST', `/unlocks/${key}`);

  test('the tree shows what each costs, what it needs, what it opens, and what I hold', async () => {
    const player = await makePlayer(server, { xp: 130 });
    const { unspentXp, items } = await must(server, player.user, 'GET', '/unlocks');
    expect([unspentXp, items.length >= 15]).toEqual([130, true]);
    const held = items.filter(({ unlockedAt }: UnlockNode) => unlockedAt !== null);
    expect(held.map(({ key }: UnlockNode) => key)).toEqual(['basics', 'port-scanner']);
    expect(items.find(({ key }: UnlockNode) => key === 'zero-day')).toEqual({
      key: 'zero-day',
      name: 'Zero day',
      cost: 600,
      parents: ['fuzzer', 'stealth'],
      tool: 'zero-day',
      unlockedAt: null,
    });
  });

  test('it costs xp that is not spent yet; xp and level stay', async () => {
    const player = await makePlayer(server, { xp: 130 });
    const { status, body } = await unlock(player, 'networking');
    expect([status, body.key, typeof body.unlockedAt]).toEqual([200, 'networking', 'string']);
    expect((await must(server, player.user, 'GET', '/unlocks')).unspentXp).toBe(70);
    expect((await unlock(player, 'packet-flood')).status).toBe(200);
    expect(refusalOf(await unlock(player, 'wordlist'))).toEqual([
      409,
      'conflict',
      { missing: 'xp', needed: 40, present: 10 },
    ]);
    const { player: state, unlocks } = await must(server, player.user, 'GET', '/players/me');
    expect([state.xp, state.level]).toEqual([130, 2]);
    expect(unlocks.map(({ key }: { key: string }) => key)).toEqual([
      'basics',
      'networking',
      'packet-flood',
      'port-scanner',
    ]);
    const news = await eventsOf(server, `player:${player.id}`, 4);
    expect(typesOf(news)).toEqual(['progression.unlocked', 'progression.unlocked']);
    expect(news[0]?.payload).toEqual({ unlock: { key: 'networking', unlockedAt: body.unlockedAt } });
  });

  test('parents come first, once is enough, and there are no others', async () => {
    const player = await makePlayer(server, { xp: 10_000 });
    const early = await unlock(player, 'stealth');
    expect(refusalOf(early)).toEqual([
      409,
      'conflict',
      { missing: 'parents', needed: ['networking', 'cryptography'] },
    ]);
    expect((await unlock(player, 'basics')).body.error.message).toBe('You hold this unlock already.');
    expect((await unlock(player, 'telepathy')).status).toBe(404);
    const client = await server.connect(player.user);
    for (const key of ['networking', 'cryptography', 'stealth']) {
      expect((await client.request('unlock.buy', { key })).type).toBe('ok');
    }
    client.close();
  });

  test('of 20 at once with xp for one, one is bought', async () => {
    const player = await makePlayer(server, { xp: 80 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => unlock(player, n % 2 ? 'cryptography' : 'social-skills')),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await must(server, player.user, 'GET', '/unlocks')).unspentXp).toBe(0);
    expect((await storedPlayer(server, player)).xp).toBe(80);
  });
});
