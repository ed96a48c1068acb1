// Who may look into DATA_DIR: it holds password hashes, messages and the secret that signs tokens.

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, removeFolder } from '../support/janitor.ts';
import { spawnServer } from '../support/process.ts';

setDefaultTimeout(60_000);

const modeOf = (path: string) => statSync(path).mode & 0o777;

function makeRoot(): string {
  const root = makeFolder('modes');
  afterAll(() => removeFolder(root));
  return root;
}

test('a data folder that others may read is tightened, and nothing that is written into it is theirs', async () => {
  const folder = join(makeRoot(), 'data');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const server = await spawnServer({ DATA_DIR: folder, JWT_SECRET: '' });
  await server.register('Ann');
  expect(modeOf(folder)).toBe(0o700);
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
    join(folder, name),
  );
  expect(entries.length).toBeGreaterThan(500);
  expect(entries.filter((path) => (modeOf(path) & 0o077) !== 0)).toEqual([]);
  await server.stop();
});

test('a data folder that is new is made for its owner alone, also where it holds the secret only', async () => {
  const folder = join(makeRoot(), 'new', 'data');
  const server = await spawnServer({ DATA_DIR: folder, JWT_SECRET: '' });
  expect(modeOf(folder)).toBe(0o700);
  expect(modeOf(join(folder, 'jwt-secret'))).toBe(0o600);
  await server.stop();
  // Its second start finds all of it as it was.
  const again = await spawnServer({ DATA_DIR: folder, JWT_SECRET: '' });
  expect(readFileSync(join(folder, 'jwt-secret'), 'utf8')).toHaveLength(64);
  await again.stop();
});

// Only root can make a folder that is another one's, and let another user run the server.
test.if(process.getuid?.() === 0)(
  'a folder of another user is refused, and it is said how to mend it',
  async () => {
    const folder = join(makeRoot(), 'data');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    chownSync(folder, 0, 0);
    const claim = `import { claimDataFolder } from '${join(import.meta.dir, '../../src/db/data-folder.ts')}';
    process.setuid(65534); try { claimDataFolder(process.argv[1]); console.log('claimed'); } catch (error) { console.log(error.message); }`;
    chmodSync(join(folder, '..'), 0o755);
    const child = Bun.spawnSync([process.execPath, '--no-env-file', '-e', claim, folder]);
    expect(child.stdout.toString()).toContain(`Run "chmod 700 ${folder}" as that user, or set DATA_DIR`);
    expect(modeOf(folder)).toBe(0o777);
  },
);
