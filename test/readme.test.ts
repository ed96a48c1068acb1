// The tables of test/README.md name tests that exist: what was renamed or deleted does not go on proving anything.

import { expect, test } from 'bun:test';
import { join } from 'node:path';

test('every test that the README of the tests names exists', async () => {
  const text = await Bun.file(join(import.meta.dir, 'README.md')).text();
  const rows = [...text.matchAll(/^\| [^|]+ \| `([^`|]+\.test\.ts)` \| ([^|]+) \|$/gm)];
  expect(rows.length).toBeGreaterThan(50);
  for (const [, path = '', title = ''] of rows) {
    const source = (await Bun.file(join(import.meta.dir, path)).text()).replaceAll("\\'", "'");
    expect([path, title, source.includes(title)]).toEqual([path, title, true]);
  }
});
