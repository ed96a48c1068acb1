// What the documents point at is there: relative links, and paths in backticks. README stays short enough to be read.

import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Glob } from 'bun';

const root = join(import.meta.dir, '..');
const documents = ['*.md', '{src,test,drizzle,deploy}/**/*.md']
  .flatMap((pattern) => [...new Glob(pattern).scanSync(root)])
  .filter((path) => !path.includes('node_modules/')) // the bench has its own
  .sort();

const readText = (document: string) => Bun.file(join(root, document)).text();

/** Links to elsewhere in the web, or in the same document, are left out. */
const listLinks = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target.replace(/#.*/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target));

/** In text, not in blocks of code: files, and folders that are named from the root. */
const listPaths = (text: string): string[] =>
  [
    ...text
      .replaceAll(/^```.*?^```$/gms, '')
      .matchAll(/`([\w./-]+\.(?:ts|md)|(?:src|test|drizzle|deploy)\/[\w./-]*)`/g),
  ].map(([, path = '']) => path);

/**
 * A path may begin at the root or beside the document; a name alone may also be that of a file beside the one named before
 * it (`src/a/b.ts`, `c.ts`), or in each of the folders that the document is about (`contract.ts` of a module).
 */
function listMissing(document: string, text: string): string[] {
  const beside = join(root, dirname(document));
  let before = beside;
  return listPaths(text).filter((path) => {
    const found = [root, beside, before].find((base) => existsSync(join(base, path)));
    if (found !== undefined) before = dirname(join(found, path));
    return found === undefined && (path.includes('/') || new Glob(`*/${path}`).scanSync(beside).next().done);
  });
}

describe('the documents', () => {
  test('are found, those that were moved too', () => {
    expect(documents).toEqual(
      expect.arrayContaining(['CHANGELOG.md', 'README.md', 'src/modules/README.md', 'test/chaos/README.md']),
    );
  });

  test.each(documents)('%s links to what exists', async (document) => {
    const links = listLinks(await readText(document));
    expect(links.filter((target) => !existsSync(join(root, dirname(document), target)))).toEqual([]);
  });

  test.each(documents)('%s names files that exist', async (document) => {
    expect(listMissing(document, await readText(document))).toEqual([]);
  });

  test.each([
    ['a path', 'See `src/nowhere.ts`.'],
    ['a folder', 'See `src/nowhere/`.'],
    ['a name', 'See `nowhere.ts`.'],
    ['a name beside another file', '`src/server.ts`, `connect.ts`'],
  ])('%s that does not exist is found', (_, text) => {
    expect(listMissing('README.md', text)).toHaveLength(1);
  });

  test('README has at most 200 lines', async () => {
    expect((await readText('README.md')).trimEnd().split('\n').length).toBeLessThanOrEqual(200);
  });
});
