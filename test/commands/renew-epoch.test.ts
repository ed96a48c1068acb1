// The command for a restored log: it voids positions on both databases, and never opens an embedded one beside a server.

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { createDataFolder } from '../support/embedded.ts';
import { makeFolder, removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../support/postgres.ts';
import { spawnServer } from '../support/process.ts';
import { type Env, onEachDatabase } from '../support/server.ts';

setDefaultTimeout(40_000);

const project = join(import.meta.dir, '../..');

async function renewEpoch(env: Env) {
  const child = Bun.spawn([process.execPath, 'run', 'db:renew-epoch'], {
    cwd: project,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [output = '', complaints = ''] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  );
  return { code: await child.exited, output, complaints };
}

onEachDatabase('renewing the epoch', (open, database) => {
  test('[S4] a client that comes back with the old epoch gets a reset, and the log goes on', async () => {
    const env = await database.create();
    const before = await open(env);
    const ann = await before.register('Ann');
    const publish = (server: typeof before) =>
      server.request('POST', '/v1/topics/app:public.lobby/events', {
        token: ann.accessToken,
        body: { event: 'player.ready', data: 1, durable: true },
      });
    await publish(before);
    const old = await (await before.connect(ann)).subscribe('app:public.lobby', { since: 0 });
    expect(old).toMatchObject({ seq: 0, head: 1 });
    await before.stop();

    const { code, output } = await renewEpoch(env);
    expect(code).toBe(0);
    const epoch = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(output)?.[0];
    expect(epoch).toBeString();
    expect(epoch).not.toBe(old.epoch);

    const after = await open(env);
    await publish(after);
    const client = await after.connect(ann);
    const resumed = await client.subscribe('app:public.lobby', { since: 1, epoch: old.epoch });
    expect(resumed).toMatchObject({ reset: true, seq: 2, head: 2 });
    expect(resumed.epoch).toBe(epoch ?? '');
  });
});

test('while a server runs on the embedded database it refuses, says so, and changes nothing', async () => {
  const folder = await createDataFolder();
  afterAll(() => removeFolder(folder));
  const server = await spawnServer({ DATA_DIR: folder });
  const ann = await server.register('Ann');
  const epochOf = async () => (await (await server.connect(ann)).subscribe('app:public.lobby')).epoch;
  const before = await epochOf();

  const refused = await renewEpoch({ DATA_DIR: folder });
  expect(refused.code).toBe(1);
  expect(refused.complaints).toContain('The epoch was not renewed.');
  expect(refused.complaints).toContain(
    `The embedded database in ${folder} is open in another process. Stop that`,
  );
  expect(refused.output).toBe('');

  expect((await server.login(ann)).id).toBe(ann.id);
  await server.stop();
  const next = await spawnServer({ DATA_DIR: folder });
  const client = await next.connect(await next.login(ann));
  expect((await client.subscribe('app:public.lobby')).epoch).toBe(before);
  await next.stop();
});

test('where there is no embedded database it makes none, and names the folder', async () => {
  const folder = makeFolder('empty');
  afterAll(() => removeFolder(folder));
  const refused = await renewEpoch({ DATA_DIR: folder });
  expect(refused.code).toBe(1);
  expect(refused.complaints).toContain(`There is no embedded database in ${folder}. Set DATA_DIR`);
  expect(readdirSync(folder)).toEqual([]);
});

describeWith('renewing the epoch of PostgreSQL', postgresMissing, () => {
  test('says what is missing where the database holds no log, or nothing answers', async () => {
    const bare = await (await sharedPostgres()).createDatabase('bare');
    const empty = await renewEpoch({ DATABASE_URL: bare });
    expect([empty.code, empty.complaints]).toEqual([1, expect.stringContaining('holds no log. Restore')]);
    const client = new pg.Client({ connectionString: bare });
    await client.connect();
    const { rows } = await client.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
    await client.end();
    expect(rows).toEqual([]);
    const away = await renewEpoch({ DATABASE_URL: 'postgres://carillon@127.0.0.1:1/carillon' });
    expect([away.code, away.complaints]).toEqual([1, expect.stringContaining('ECONNREFUSED')]);
    expect(away.complaints).not.toContain(' at ');
  });
});
