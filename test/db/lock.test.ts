// An embedded database belongs to one process: a second one is refused, and told what to do.

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';
import { spawnServer } from '../support/process.ts';

setDefaultTimeout(40_000);

test('a second process on the same embedded database is refused with a clear message, and harms nothing', async () => {
  const folder = await createDataFolder();
  afterAll(() => removeFolder(folder));
  const first = await spawnServer({ DATA_DIR: folder });
  const ann = await first.register('Ann');

  const refusal = await spawnServer({ DATA_DIR: folder }).catch(String);
  expect(refusal).toContain('ended with code 1');
  expect(refusal).toContain(`The embedded database in ${folder} is open in another process.`);
  expect(refusal).toContain('set DATA_DIR to another folder');

  expect((await first.login(ann)).id).toBe(ann.id);
  first.kill('SIGKILL');
  await first.exited;

  // The lock went with the process that held it.
  const next = await spawnServer({ DATA_DIR: folder });
  expect((await next.login(ann)).id).toBe(ann.id);
  await next.stop();
});
