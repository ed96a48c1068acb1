// How the process ends where stopping itself fails. The orderly ways are in protocol/drain.test.ts.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { createDataFolder } from './support/embedded.ts';
import { makeFolder, removeFolder } from './support/janitor.ts';
import { spawnServer } from './support/process.ts';

test('[C1] an instance that fails to stop says why, and exits with 1 at once', async () => {
  const [data, folder] = [await createDataFolder(), makeFolder('preload')];
  const preload = join(folder, 'no-close.ts');
  await Bun.write(
    preload,
    `import { PGlite } from '${Bun.fileURLToPath(import.meta.resolve('@electric-sql/pglite'))}';
     PGlite.prototype.close = () => Promise.reject(new Error('It does not close.'));`,
  );
  const server = await spawnServer({ DATA_DIR: data }, preload);
  const signalledAt = performance.now();
  server.kill('SIGTERM');
  expect(await server.exited).toBe(1);
  expect(performance.now() - signalledAt).toBeLessThan(5_000);
  expect(server.output).toContain('It does not close.');
  removeFolder(data);
  removeFolder(folder);
}, 60_000);
