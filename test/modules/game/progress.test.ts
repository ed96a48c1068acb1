// `hack.progress`: about once a second, from each instance to its own followers of the two players, and to nobody else.

import { expect, test } from 'bun:test';
import type { TestClient } from '../../support/client.ts';
import { onEachDatabase } from '../../support/server.ts';
import { eventsOf, makePlayers, startOn } from './setup.ts';

const progressOf = ({ frames }: TestClient) => frames.filter(({ type }) => type === 'hack.progress');

onEachDatabase('the progress of hacks', (open, database) => {
  test('both players hear of it about once a second, on every instance; nobody who does not follow', async () => {
    const server = await open();
    const elsewhere = database.kind === 'postgres' ? await open(server.env) : server;
    const [attacker, target, stranger] = await makePlayers(server, 3);
    if (attacker === undefined || target === undefined || stranger === undefined)
      throw new Error('Three were made.');
    const [mine, theirs, idle, other] = [
      await server.connect(attacker.user),
      await elsewhere.connect(target.user),
      await server.connect(attacker.user),
      await server.connect(stranger.user),
    ];
    await mine.subscribe(`player:${attacker.id}`);
    await theirs.subscribe(`player:${target.id}`);
    await idle.subscribe(`computer:${attacker.computerId}`);
    await other.subscribe(`player:${stranger.id}`);
    const hack = await startOn(server, attacker, target.computerId);
    for (const client of [mine, theirs]) {
      for (const _ of [1, 2, 3]) await client.next('hack.progress');
      const heard = progressOf(client).slice(0, 3);
      for (const { payload, meta, seq } of heard) {
        expect([payload.hackId, seq, meta]).toEqual([hack.id, undefined, { source: 'system' }]);
        expect(Object.keys(payload).sort()).toEqual(['hackId', 'percent', 'remainingMs']);
      }
      const times = heard.map(({ at }) => Date.parse(at ?? ''));
      const left = heard.map(({ payload }) => payload.remainingMs as number);
      for (const n of [1, 2]) {
        const [between, less] = [(times[n] ?? 0) - (times[n - 1] ?? 0), (left[n - 1] ?? 0) - (left[n] ?? 0)];
        expect([between > 700, between < 1_700]).toEqual([true, true]);
        expect([less > 700, less < 1_700]).toEqual([true, true]);
      }
    }
    for (const client of [idle, other]) {
      await client.request('ping');
      expect(progressOf(client)).toEqual([]);
    }
    // Nothing of it is kept.
    expect(
      (await eventsOf(server, `player:${attacker.id}`)).some(({ type }) => type === 'hack.progress'),
    ).toBe(false);
    // Whoever follows no more hears no more.
    await mine.request('unsubscribe', undefined, { topic: `player:${attacker.id}` });
    const heard = progressOf(mine).length;
    await theirs.next('hack.progress');
    await theirs.next('hack.progress');
    await mine.request('ping');
    expect(progressOf(mine)).toHaveLength(heard);
    // And it ends with the hack.
    const aborting = await idle.request('hack.abort', { hackId: hack.id });
    expect(aborting.type).toBe('ok');
    await theirs.next('hack.aborted');
    const again = await startOn(server, target, stranger.computerId);
    await theirs.next(({ type, payload }) => type === 'hack.progress' && payload.hackId === again.id);
    const behind = theirs.frames.slice(theirs.frames.findIndex(({ type }) => type === 'hack.aborted'));
    const late = behind.filter(({ type, payload }) => type === 'hack.progress' && payload.hackId === hack.id);
    expect(late.length).toBeLessThanOrEqual(1); // one that was on its way
    for (const client of [mine, theirs, idle, other]) client.close();
  }, 30_000);
});
