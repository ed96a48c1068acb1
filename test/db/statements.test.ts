// User input reaches the database as parameters only: never as a part of a statement's text, be it a name.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { Glob } from 'bun';

/** What makes text a part of a statement, in Drizzle and in both drivers. */
const textual = /\bsql\s*\.\s*(?:raw|identifier)\b|\bsql\s*\(|\.(?:query|exec|unsafe)\s*\(\s*`[^`]*\$\{/;

/** Constants of the source that a statement must have as text. */
const constants = ['maxRotations', 'patience.statementMs', 'patience.lockMs', 'patience.idleMs'];
const withoutConstants = (source: string): string =>
  constants
    .reduce((text, name) => text.replaceAll(`\${${name}}`, '0'), source)
    .replaceAll('sql.raw(`0`)', '0')
    .replace(/sql\.raw\(roles\.map\(.*\)\.join\(', '\)\)/, ''); // the words of the enum in a check

test('no statement is put together from text', async () => {
  const root = join(import.meta.dir, '../../src');
  const paths = [...new Glob('**/*.ts').scanSync(root)];
  expect(paths.length).toBeGreaterThan(30);
  const found: string[] = [];
  for (const path of paths) {
    if (textual.test(withoutConstants(await Bun.file(join(root, path)).text()))) found.push(path);
  }
  expect(found).toEqual([]);
});

test('what would put one together is found', () => {
  const client = 'client.query(`SELECT $' + '{text}`)';
  for (const text of ['sql.raw(name)', 'sql.identifier(column)', client])
    expect(textual.test(text)).toBe(true);
});
