// What an operator reads before an upgrade: which migrations the database has had.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { migrationsFolder } from '../../src/db/migrate.ts';
import { makeFolder, removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../support/postgres.ts';
import { onEachDatabase } from '../support/server.ts';
import { runProgram } from './program.ts';

setDefaultTimeout(40_000);

const migrations = readdirSync(migrationsFolder).filter((name) => name.endsWith('.sql')).length;

onEachDatabase('the status of a database', (open, database) => {
  test('says that every migration is applied, whose log it is, and how large its tables are', async () => {
    const env = await database.create();
    const server = await open(env);
    const ann = await server.register('Ann');
    const { epoch } = await (await server.connect(ann)).subscribe('app:public.lobby');
    await server.stop();
    const { code, output } = await runProgram(['status'], env);
    expect(output).toContain(`all ${migrations} applied`);
    expect(output).toContain(`epoch ${epoch}`);
    expect(output).toMatch(/^users +\d+ kB/m);
    expect(code).toBe(0);
  });
});

describeWith('the status of a PostgreSQL', postgresMissing, () => {
  /** A database as another version left it. */
  async function withOther(change: string): Promise<Awaited<ReturnType<typeof runProgram>>> {
    const postgres = await sharedPostgres();
    const DATABASE_URL = await postgres.createDatabase('bare');
    expect((await runProgram(['migrate'], { DATABASE_URL })).code).toBe(0);
    const client = new pg.Client({ connectionString: DATABASE_URL });
    await client.connect();
    await client.query(change);
    await client.end();
    const status = await runProgram(['status'], { DATABASE_URL });
    await postgres.dropDatabase(DATABASE_URL);
    return status;
  }

  test('of an earlier version: how many migrations are to come, and 2', async () => {
    const newest = 'SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY created_at DESC LIMIT 2';
    const { code, output } = await withOther(
      `DELETE FROM drizzle.__drizzle_migrations WHERE created_at IN (${newest})`,
    );
    expect(output).toContain(`${migrations - 2} applied, 2 to come`);
    expect(code).toBe(2);
  });

  test('of a later version: that it is one, and 3', async () => {
    const { code, output } = await withOther(
      "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('later', 9000000000000)",
    );
    expect(output).toContain('of a later version than this one');
    expect(code).toBe(3);
  });
});

test('where there is no database, it says what to set, and makes none', async () => {
  const folder = makeFolder('none');
  const { code, complaints } = await runProgram(['status'], { DATA_DIR: folder });
  expect(complaints).toContain('There is no embedded database in');
  expect(code).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
  removeFolder(folder);
});
