// Who is told of comings and goings, in which order, and what happens while the database is away.

import { expect, test } from 'bun:test';
import { createAnnouncer } from '../../../src/realtime/presence/announcer.ts';
import { combineHiding, type Hiding } from '../../../src/realtime/presence/hiding.ts';
import { until } from '../../support/until.ts';

/** What was announced, as `joined ann except ben`. */
function createLedger() {
  const lines: string[] = [];
  return {
    lines,
    announce(type: string, _topic: string, userId: string, hiddenFrom: readonly string[]): void {
      if (userId === 'broken') throw new Error('no hub');
      lines.push(`${type.replace('presence.', '')} ${userId} except ${hiddenFrom.join()}`);
    },
    has: (count: number) => until(() => lines.length >= count, `${count} announcements`),
  };
}

const reporter = { report() {} };

test('[P1] in the order of their happening, those who come at once asked about together', async () => {
  const { lines, announce, has } = createLedger();
  const asked: (readonly string[])[] = [];
  const firstAnswer = Promise.withResolvers<void>();
  const announcer = createAnnouncer({
    announce,
    async findUnseeing(userIds) {
      asked.push(userIds);
      if (asked.length === 1) await firstAnswer.promise;
      return new Map([['ann', ['ben', 'cid']]]);
    },
    reporter,
  });
  announcer.announce('presence.joined', 'chat', 'ann');
  announcer.announce('presence.joined', 'chat', 'dan');
  announcer.announce('presence.left', 'chat', 'ann');
  await until(() => asked.length === 1, 'the first are asked about');
  announcer.announce('presence.joined', 'chat', 'ann');
  firstAnswer.resolve();
  await has(4);
  expect(lines).toEqual([
    'joined ann except ben,cid',
    'joined dan except ',
    'left ann except ben,cid',
    'joined ann except ben,cid',
  ]);
  expect(asked).toEqual([['ann', 'dan'], ['ann']]);
});

test('nothing is said before it is known from whom one hides: it is asked again, and reported once', async () => {
  const { lines, announce, has } = createLedger();
  const reports: string[] = [];
  let failures = 3;
  const announcer = createAnnouncer({
    announce,
    async findUnseeing() {
      failures -= 1;
      if (failures >= 0) throw new Error('no database');
      expect(lines).toEqual([]);
      return new Map([['ann', ['ben']]]);
    },
    reporter: { report: (_, what) => reports.push(what) },
    retryMs: 1,
  });
  announcer.announce('presence.joined', 'chat', 'ann');
  await has(1);
  expect(lines).toEqual(['joined ann except ben']);
  expect(reports).toEqual(['finding out from whom users hide']);
});

test('one that cannot be announced keeps no other back', async () => {
  const { lines, announce, has } = createLedger();
  const announcer = createAnnouncer({ announce, findUnseeing: async () => new Map(), reporter });
  announcer.announce('presence.joined', 'chat', 'broken');
  announcer.announce('presence.joined', 'chat', 'ann');
  await has(1);
  expect(lines).toEqual(['joined ann except ']);
});

test('once stopped it says nothing more', async () => {
  const { lines, announce } = createLedger();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<ReadonlyMap<string, readonly string[]>>();
  const announcer = createAnnouncer({
    announce,
    findUnseeing() {
      asked.resolve();
      return answer.promise;
    },
    reporter,
  });
  announcer.announce('presence.joined', 'chat', 'ann');
  await asked.promise;
  announcer.stop();
  answer.resolve(new Map());
  await new Promise(setImmediate);
  expect(lines).toEqual([]);
});

test('[P4] whoever hides by one module hides, from all whom the modules name, each once', async () => {
  const hidingAs = (from: Record<string, string[]>): Hiding => ({
    findHidden: async (_, viewerId, userIds) =>
      new Set(userIds.filter((userId) => from[userId]?.includes(viewerId))),
    findUnseeing: async (_, userIds) =>
      new Map(userIds.flatMap((userId) => (from[userId] === undefined ? [] : [[userId, from[userId]]]))),
  });
  const { findHidden, findUnseeing } = combineHiding(() => [
    hidingAs({ ann: ['ben', 'cid'] }),
    hidingAs({ ann: ['cid', 'dan'], ben: ['ann'] }),
  ]);
  const db = {} as Parameters<Hiding['findHidden']>[0]; // nobody asks it
  expect(await findHidden(db, 'cid', ['ann', 'ben'])).toEqual(new Set(['ann']));
  expect(await findHidden(db, 'ann', ['ann', 'ben'])).toEqual(new Set(['ben']));
  expect(await findUnseeing(db, ['ann', 'ben', 'cid'])).toEqual(
    new Map([
      ['ann', ['ben', 'cid', 'dan']],
      ['ben', ['ann']],
    ]),
  );
});
