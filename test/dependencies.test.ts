// What is installed: no version with a hole that is known, exactly what the lockfile says, and no script of a package
// that runs while installing.

import { expect, test } from 'bun:test';
import { join } from 'node:path';

const root = join(import.meta.dir, '..');
const readJson = (path: string) => Bun.file(join(root, path)).json();

/** The first without a hole that was published. */
const minimums = {
  elysia: '1.4.27',
  'drizzle-orm': '0.45.2',
};

test.each(Object.entries(minimums))('%s is installed in version %s or newer', async (name, minimum) => {
  const { version } = await readJson(`node_modules/${name}/package.json`);
  expect(Bun.semver.order(version, minimum)).toBeGreaterThanOrEqual(0);
});

test('Bun is 1.3.5 or newer, and the one that the package asks for', async () => {
  const { engines, packageManager } = await readJson('package.json');
  expect(Bun.semver.order(Bun.version, '1.3.5')).toBeGreaterThanOrEqual(0);
  expect(Bun.semver.satisfies(Bun.version, engines.bun)).toBe(true);
  expect(Bun.semver.order(packageManager.replace('bun@', ''), '1.3.5')).toBeGreaterThanOrEqual(0);
});

test('every dependency is pinned to one version, and that one is in the lockfile', async () => {
  const { dependencies, devDependencies } = await readJson('package.json');
  const lockfile = await Bun.file(join(root, 'bun.lock')).text();
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
    expect(lockfile).toContain(`"${name}@${version}"`);
    expect([name, (await readJson(`node_modules/${name}/package.json`)).version]).toEqual([name, version]);
  }
});

test('no script of a package runs while installing', async () => {
  const { trustedDependencies } = await readJson('package.json');
  expect(trustedDependencies).toEqual([]); // without the list Bun would trust some of its own choice
});

test('wherever packages are installed, the lockfile is frozen', async () => {
  for (const file of ['Dockerfile', 'README.md', '.ci/run']) {
    const path = join(root, file);
    if (!(await Bun.file(path).exists())) continue; // what is delivered need not bring the last one
    const text = await Bun.file(path).text();
    const installs = [...text.matchAll(/\bbun install\b.*/g)].map(([line]) => line);
    expect([file, installs.length > 0]).toEqual([file, true]);
    for (const line of installs)
      expect([file, line]).toEqual([file, expect.stringContaining('--frozen-lockfile')]);
  }
});
