// Names by id: asked for together, and once.

import { expect, test } from 'bun:test';
import { createPeople } from '../../src/console/people/people.ts';
import { until } from '../support/until.ts';

test('what is shown at once is asked for at once, and nothing twice', async () => {
  const asked: string[][] = [];
  const people = createPeople(async (ids) => {
    asked.push(ids);
    return ids.filter((id) => id !== 'gone').map((id) => ({ id, name: id.toUpperCase() }));
  });
  expect([people.get('ann'), people.get('ben'), people.get('gone'), people.get('ann')]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  await until(() => people.get('ann') !== undefined, 'the names come');
  expect([people.get('ann'), people.get('ben'), people.get('gone')]).toEqual(['ANN', 'BEN', 'Somebody']);
  expect(asked).toEqual([['ann', 'ben', 'gone']]);
});

test('more than a question holds are several questions', async () => {
  const sizes: number[] = [];
  const people = createPeople(async (ids) => {
    sizes.push(ids.length);
    return ids.map((id) => ({ id, name: id }));
  });
  for (let n = 0; n < 250; n += 1) people.get(`u${n}`);
  await until(() => people.get('u249') !== undefined, 'all names come');
  expect(sizes).toEqual([100, 100, 50]);
});

test('a new name is told', async () => {
  const people = createPeople(async () => []);
  let heard = 0;
  people.subscribe(() => {
    heard += 1;
  });
  people.learn({ id: 'ann', name: 'Ann' });
  people.learn({ id: 'ann', name: 'Ann' });
  await until(() => heard > 0, 'it is told');
  expect([people.get('ann'), heard]).toEqual(['Ann', 1]);
});
