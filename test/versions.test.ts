// What this stands on: no release with a known hole, nothing that runs scripts while it is installed, and the same
// everywhere as in the lockfile.

import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { semver } from 'bun';

const root = join(import.meta.dir, '..');
const read = (path: string) => Bun.file(join(root, path)).text();

/** The first releases without holes that were known when they were chosen. */
const minimum = { elysia: '1.4.27', 'drizzle-orm': '0.45.2' };
const minimumBun = '1.3.5';

describe('versions', () => {
  test('the runtime is no older than the first one without known holes, and the one that the package asks for', async () => {
    const { engines, packageManager } = JSON.parse(await read('package.json'));
    expect(semver.order(Bun.version, minimumBun)).toBeGreaterThanOrEqual(0);
    expect(semver.satisfies(Bun.version, engines.bun)).toBe(true);
    const asked = String(packageManager).replace('bun@', '');
    expect(semver.order(asked, minimumBun)).toBeGreaterThanOrEqual(0);
    expect(await read('Dockerfile')).toContain(`oven/bun:${asked}-slim`);
  });

  test.each(Object.entries(minimum))('%s is no older than %s', async (name, version) => {
    const installed = JSON.parse(await read(`node_modules/${name}/package.json`)).version;
    expect(semver.order(installed, version)).toBeGreaterThanOrEqual(0);
  });

  test('every package is the one that the lockfile names, each exactly', async () => {
    const { dependencies, devDependencies } = JSON.parse(await read('package.json'));
    const lock = await read('bun.lock');
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock).toContain(`["${name}@${version}", `);
      const installed = JSON.parse(await read(`node_modules/${name}/package.json`)).version;
      expect([name, installed]).toEqual([name, version]);
    }
  });

  test('nothing runs scripts while it is installed, and whoever installs is told to keep to the lockfile', async () => {
    expect(JSON.parse(await read('package.json')).trustedDependencies).toEqual([]);
    for (const path of ['README.md', 'Dockerfile']) {
      const installs = (await read(path)).match(/bun install[^\n&`]*/g) ?? [];
      expect(installs.length).toBeGreaterThan(0);
      for (const install of installs)
        expect([path, install]).toEqual([path, expect.stringContaining('--frozen-lockfile')]);
    }
  });
});
