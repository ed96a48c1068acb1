// Migrations: applied by whoever starts first, also when several start at once.

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { migrationsFolder } from '../../src/db/migrate.ts';
import { makeFolder, removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../support/postgres.ts';
import { spawnServer } from '../support/process.ts';

setDefaultTimeout(40_000);

const migrations = readdirSync(migrationsFolder).filter((name) => name.endsWith('.sql')).length;

describeWith('migrations on PostgreSQL', postgresMissing, () => {
  test('four instances that start at once on a bare database all get ready, and each migration runs once', async () => {
    const postgres = await sharedPostgres();
    const url = await postgres.createDatabase('bare');
    const servers = await Promise.all(Array.from({ length: 4 }, () => spawnServer({ DATABASE_URL: url })));
    const states = await Promise.all(servers.map((server) => server.request('GET', '/health/ready')));
    expect(states.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await Promise.all(servers.map((server) => server.stop()));

    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query('SELECT hash FROM drizzle.__drizzle_migrations');
    const epochs = await client.query('SELECT epoch FROM event_log');
    await client.end();
    expect(rows).toHaveLength(migrations);
    expect(epochs.rows).toHaveLength(1);
    await postgres.dropDatabase(url);
  });
});

test('an embedded database in a new folder is migrated at the start, and found again at the next', async () => {
  const folder = makeFolder('data');
  afterAll(() => removeFolder(folder));
  const first = await spawnServer({ DATA_DIR: `${folder}/new/data` });
  const ann = await first.register('Ann');
  await first.stop();
  const second = await spawnServer({ DATA_DIR: `${folder}/new/data` });
  expect((await second.login(ann)).id).toBe(ann.id);
  await second.stop();
});
