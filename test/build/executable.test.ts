// The executable on its own, in an empty folder: no Bun, no packages, no sources beside it.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createApi } from '../support/api.ts';
import { type Child, startChild } from '../support/child.ts';
import { makeFolder, removeFolder } from '../support/janitor.ts';

setDefaultTimeout(120_000);

const project = join(import.meta.dir, '../..');
const folder = makeFolder('executable');
const program = join(folder, 'carillon');
let server: Child;
let url = '';

async function run(...command: string[]) {
  const child = Bun.spawn(command, {
    cwd: folder,
    env: { PORT: new URL(url || 'http://localhost:1').port },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [output, complaints] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  );
  return { code: await child.exited, output, complaints };
}

beforeAll(async () => {
  const build = Bun.spawnSync([process.execPath, 'run', 'build'], { cwd: project, stderr: 'pipe' });
  expect([build.stderr.toString(), build.exitCode]).toEqual([expect.any(String), 0]);
  copyFileSync(join(project, 'dist/carillon'), program);
  server = await startChild({
    command: [program],
    cwd: folder,
    env: { PORT: '0', LOG_FORMAT: 'json' },
    stopSignal: 'SIGTERM',
    isReady: (line) => line.includes('"msg":"ready"'),
  });
  url = /"url":"([^"]+)"/.exec(server.output)?.[1] ?? '';
});

afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

test('it makes its database beside it, and passes the demo', async () => {
  expect(readdirSync(folder).sort()).toEqual(['carillon', 'data']);
  const demo = Bun.spawn([process.execPath, 'src/client/demo.ts'], {
    cwd: project,
    env: { PATH: process.env.PATH, CARILLON_URL: url },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const output = await new Response(demo.stdout).text();
  expect(await demo.exited).toBe(0);
  expect(output).toContain('defense.installed');
});

test('its pages and documents are inside of it', async () => {
  const { request } = createApi(url);
  const { body: page } = await request('GET', '/');
  const ofConsole = String(page).match(/\/console\/[\w.-]+/g) ?? [];
  expect(ofConsole.length).toBe(3);
  for (const path of [
    '/',
    ...ofConsole,
    '/swagger',
    '/swagger/json',
    '/swagger/swagger-ui-bundle.js',
    '/swagger/swagger-ui.css',
    '/asyncapi',
    '/asyncapi/page.css',
  ])
    expect([path, (await request('GET', path)).status]).toEqual([path, 200]);
});

test('it says that it is alive, and of the database that it is up to date once it has stopped', async () => {
  expect((await run(program, 'health')).code).toBe(0);
  const refused = await run(program, 'status');
  expect(refused.complaints).toContain('is open in another process');
  expect(refused.code).toBe(1);
  await server.stop();
  expect((await run(program, 'health')).code).toBe(1);
  const status = await run(program, 'status');
  expect(status.output).toMatch(/migrations +all \d+ applied/);
  expect(status.code).toBe(0);
});
