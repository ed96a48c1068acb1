// The signing key that is generated: kept, whole, and nobody else's to read.

import { afterEach, expect, test } from 'bun:test';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJwtSecret } from '../../src/auth/secret.ts';
import { makeFolder, removeFolder } from '../support/janitor.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) removeFolder(folder);
});
const newFolder = () => {
  const folder = makeFolder('secret');
  folders.push(folder);
  return folder;
};
const readIn = (dataDir: string) => readJwtSecret({ dataDir, jwtSecret: undefined });

test('it is generated once, for the owner only, and leaves nothing beside it', () => {
  const folder = newFolder();
  const dataDir = join(folder, 'data');
  const secret = readIn(dataDir);
  expect(secret).toMatch(/^[\w-]{64}$/);
  expect(readIn(dataDir)).toBe(secret);
  expect(readIn(newFolder())).not.toBe(secret);
  expect(readdirSync(dataDir)).toEqual(['jwt-secret']);
  expect(statSync(join(dataDir, 'jwt-secret')).mode & 0o777).toBe(0o600);
  expect(readJwtSecret({ dataDir, jwtSecret: 'of the configuration' })).toBe('of the configuration');
});

test('a file that holds too little for a key is refused, with what to do', () => {
  const dataDir = newFolder();
  const path = join(dataDir, 'jwt-secret');
  writeFileSync(path, '');
  expect(() => readIn(dataDir)).toThrow(`${path} must hold at least 32 characters, but holds 0.`);
  writeFileSync(path, 'x'.repeat(31));
  expect(() => readIn(dataDir)).toThrow('but holds 31. Restore it, or delete it');
  writeFileSync(path, 'x'.repeat(32));
  expect(readIn(dataDir)).toBe('x'.repeat(32));
});
