// How the process ends where starting or stopping fails. The orderly ways are in protocol/drain.test.ts.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { listVariables } from '../src/config.ts';
import { findFreePort } from './support/child.ts';
import { createDataFolder } from './support/embedded.ts';
import { makeFolder, removeFolder } from './support/janitor.ts';
import { describeWith } from './support/needs.ts';
import { postgresMissing, sharedPostgres } from './support/postgres.ts';
import { serverCommand, spawnServer } from './support/process.ts';

test('[C1] an instance that fails to stop says why, and exits with 1 at once', async () => {
  const [data, folder] = [await createDataFolder(), makeFolder('preload')];
  const preload = join(folder, 'no-close.ts');
  await Bun.write(
    preload,
    `import { PGlite } from '${Bun.fileURLToPath(import.meta.resolve('@electric-sql/pglite'))}';
     PGlite.prototype.close = () => Promise.reject(new Error('It does not close.'));`,
  );
  const server = await spawnServer({ DATA_DIR: data }, { preload });
  const signalledAt = performance.now();
  server.kill('SIGTERM');
  expect(await server.exited).toBe(1);
  expect(performance.now() - signalledAt).toBeLessThan(5_000);
  expect(server.output).toContain('It does not close.');
  removeFolder(data);
  removeFolder(folder);
}, 60_000);

test('an error that nobody caught ends the process, and is said by the logger: without what it carries', async () => {
  const [data, folder] = [await createDataFolder(), makeFolder('preload')];
  const preload = join(folder, 'throw.ts');
  await Bun.write(
    preload,
    `process.on('SIGUSR2', () => {
       throw Object.assign(new Error('a bug'), { command: { name: 'auth', args: ['marked-secret'] } });
     });`,
  );
  const server = await spawnServer({ DATA_DIR: data }, { preload });
  server.kill('SIGUSR2');
  expect(await server.exited).toBe(1);
  expect(server.output).toContain('"msg":"an error that nobody caught"');
  expect(server.output).toContain('"message":"a bug"');
  expect(server.output).not.toContain('marked-secret');
  removeFolder(data);
  removeFolder(folder);
}, 60_000);

test('a second instance on an occupied port does not start, and says which port it is', async () => {
  const [first, second] = [await createDataFolder(), await createDataFolder()];
  const server = await spawnServer({ DATA_DIR: first });
  const port = String(server.port);
  const failure = await spawnServer({ DATA_DIR: second, PORT: port }).catch(String);
  expect(failure).toContain('ended with code 1');
  expect(failure).toContain(`Port ${port} of 127.0.0.1 is taken by another process.`);
  // The first one goes on alone.
  const states = await Promise.all(Array.from({ length: 20 }, () => server.request('GET', '/health/ready')));
  expect(new Set(states.map(({ body }) => body.instanceId)).size).toBe(1);
  await server.stop();
  removeFolder(first);
  removeFolder(second);
}, 60_000);

test.each([
  ['nohost.invalid', 'HOST is "nohost.invalid", which names no address.'],
  ['192.0.2.1', 'HOST is "192.0.2.1", which is no address of this machine.'],
])(
  'a HOST that is none, %s, is named',
  async (HOST, complaint) => {
    const folder = await createDataFolder();
    const failure = await spawnServer({ DATA_DIR: folder, HOST }).catch(String);
    expect(failure).toContain('ended with code 1');
    expect(failure).toContain(JSON.stringify(complaint).slice(1, -1));
    removeFolder(folder);
  },
  60_000,
);

test('a PostgreSQL that is away is named by its variable, its host and its port, never with the password', async () => {
  const port = findFreePort();
  const DATABASE_URL = `postgres://carillon:marked-password@127.0.0.1:${port}/carillon`;
  const failure = await spawnServer({ DATABASE_URL }).catch(String);
  expect(failure).toContain('ended with code 1');
  expect(failure).toContain(`that DATABASE_URL names cannot be used: host 127.0.0.1, port ${port},`);
  expect(failure).not.toContain('marked-password');
}, 60_000);

describeWith('a PostgreSQL that lets nobody in', postgresMissing, () => {
  test('is named in the same way where there is no such database', async () => {
    const { port } = await sharedPostgres();
    const DATABASE_URL = `postgres://carillon:marked-password@127.0.0.1:${port}/nowhere`;
    const failure = await spawnServer({ DATABASE_URL }).catch(String);
    expect(failure).toContain(`that DATABASE_URL names cannot be used: host 127.0.0.1, port ${port},`);
    expect(failure).not.toContain('marked-password');
  }, 60_000);
});

/** What the command prints, with nothing in the environment that could start a server here. */
async function runMain(...args: string[]) {
  const child = Bun.spawn([...serverCommand, 'src/main.ts', ...args], {
    cwd: join(import.meta.dir, '..'),
    env: { PATH: process.env.PATH, PORT: 'none' },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [output, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { output, error, code: await child.exited };
}

test('--help prints every variable and starts nothing', async () => {
  const { output, error, code } = await runMain('--help');
  expect({ error, code }).toEqual({ error: '', code: 0 });
  for (const name of listVariables()) expect(output).toContain(`  ${name}\n`);
  expect((await runMain('-h')).output).toBe(output);
});

test('any other argument is refused with the help, and starts nothing', async () => {
  const { output, error, code } = await runMain('--prot', '3000');
  expect({ output, code }).toEqual({ output: '', code: 1 });
  expect(error).toStartWith('There is no argument --prot 3000.\n');
  expect(error).toContain((await runMain('--help')).output);
});
