// A draft of an entity that others change, too.

import { expect, test } from 'bun:test';
import {
  beginDraft,
  follow,
  isChanged,
  keepMine,
  pickChanged,
  takeTheirs,
  write,
} from '../../src/console/campaigns/draft.ts';

const first = { version: 1, name: 'Harrow', level: 2, variables: { population: 120, mayor: 'Odo' } };

test('what others change is taken as long as nothing was written', () => {
  const draft = follow(beginDraft(first), { ...first, version: 2, level: 3 });
  expect([draft.mine.level, draft.theirs, isChanged(draft)]).toEqual([3, undefined, false]);
});

test('what others change meanwhile is kept apart until the writer decides', () => {
  const written = write(beginDraft(first), { name: 'Old Harrow' });
  const behind = follow(written, { ...first, version: 2, level: 3 });
  expect([behind.mine.name, behind.mine.level, behind.theirs?.level]).toEqual(['Old Harrow', 2, 3]);
  const kept = keepMine(behind);
  expect(kept.mine).toEqual({ ...first, version: 2, level: 3, name: 'Old Harrow' });
  expect(pickChanged(kept.base, kept.mine)).toEqual({ name: 'Old Harrow' });
  expect(takeTheirs(behind).mine).toEqual({ ...first, version: 2, level: 3 });
});

test('one’s own save, as it comes back, is nothing to decide: whatever the order of its fields', () => {
  const written = write(beginDraft(first), { variables: { population: 90, mayor: 'Odo' } });
  const saved = follow(written, { ...first, version: 2, variables: { mayor: 'Odo', population: 90 } });
  expect([saved.theirs, isChanged(saved), saved.base.version]).toEqual([undefined, false, 2]);
});

test('older versions, and the same one again, change nothing', () => {
  const written = write(beginDraft({ ...first, version: 3 }), { name: 'x' });
  expect(follow(written, { ...first, version: 2 })).toBe(written);
  const behind = follow(written, { ...first, version: 4, level: 9 });
  expect(follow(behind, { ...first, version: 4, level: 9 })).toBe(behind);
});

test('written back to what it was, it is not changed', () => {
  const written = write(write(beginDraft(first), { level: 9 }), { level: 2 });
  expect(isChanged(written)).toBe(false);
});
