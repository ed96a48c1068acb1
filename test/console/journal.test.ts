// The journal of the inspector: what it shows, what it forgets, and what it never keeps.

import { expect, test } from 'bun:test';
import { createJournal, filterEntries } from '../../src/console/inspector/journal.ts';

const now = () => new Date(0);

test('access tokens are not kept, the rest of their frame is', () => {
  const journal = createJournal(10, now);
  journal.record('out', { id: 'c1', type: 'auth', payload: { token: 'marked-secret' } });
  expect(JSON.stringify(journal.getSnapshot())).not.toContain('marked-secret');
  expect(journal.getSnapshot()[0]?.frame).toEqual({ id: 'c1', type: 'auth', payload: { token: '(hidden)' } });
});

test('a reply says what it answers, an event with the same id does not', () => {
  const journal = createJournal(10, now);
  journal.record('out', { id: 'c1', type: 'message.send', payload: {} });
  journal.record('in', { type: 'message.created', id: 'c1', topic: 'chat:1', seq: 4 });
  journal.record('in', { type: 'ok', id: 'c1' });
  journal.record('in', { type: 'ok', id: 'c1' });
  const shown = journal.getSnapshot().map(({ type, answers, seq }) => [type, answers, seq]);
  expect(shown).toEqual([
    ['message.send', undefined, undefined],
    ['message.created', undefined, 4],
    ['ok', 'message.send', undefined],
    ['ok', undefined, undefined],
  ]);
});

test('only the newest are kept, and the numbers go on', () => {
  const journal = createJournal(3, now);
  for (let n = 1; n <= 20; n += 1) journal.record('in', { type: `t${n}` });
  expect(journal.getSnapshot().map(({ number }) => number)).toEqual([18, 19, 20]);
  journal.clear();
  expect(journal.getSnapshot()).toEqual([]);
});

test('the snapshot is the same until something comes, and listeners hear of that', () => {
  const journal = createJournal(3, now);
  let heard = 0;
  const stop = journal.subscribe(() => {
    heard += 1;
  });
  expect(journal.getSnapshot()).toBe(journal.getSnapshot());
  journal.record('in', { type: 'pong' });
  stop();
  journal.record('in', { type: 'pong' });
  expect([heard, journal.getSnapshot().length]).toEqual([1, 2]);
});

test('the filter goes by topic and type, also of what is answered and of several topics', () => {
  const journal = createJournal(10, now);
  journal.record('out', { id: 'c1', type: 'subscribe', payload: { topics: [{ topic: 'chat:1' }, 'job:2'] } });
  journal.record('in', {
    type: 'ok',
    id: 'c1',
    payload: { results: [{ topic: 'chat:1' }, { topic: 'job:2' }] },
  });
  journal.record('in', { type: 'message.created', topic: 'chat:1', seq: 1, id: 'e' });
  const find = (filter: string) => filterEntries(journal.getSnapshot(), filter).map(({ type }) => type);
  expect(find('')).toEqual(['subscribe', 'ok', 'message.created']);
  expect(find('chat:1')).toEqual(['subscribe', 'ok', 'message.created']);
  expect(find('JOB:2 subscribe')).toEqual(['subscribe', 'ok']);
  expect(find('message chat')).toEqual(['message.created']);
  expect(find('nothing')).toEqual([]);
});
