// Embedded databases for tests: copies of one that was initialised and migrated once, because a fresh one takes 4 s.
// The original is kept in node_modules/.cache under a name made of the migrations, so a new migration makes a new one.

import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import { migrationsFolder } from '../../src/db/migrate.ts';
import { makeFolder } from './janitor.ts';

const cache = join(import.meta.dir, '../../node_modules/.cache/carillon');

let original: Promise<string> | undefined; // one for the process

/** A new data folder with a migrated and empty database in it. */
export async function createDataFolder(): Promise<string> {
  original ??= findOriginal();
  const folder = makeFolder('data');
  cpSync(await original, folder, { recursive: true });
  return folder;
}

async function findOriginal(): Promise<string> {
  const kept = join(cache, `embedded-${hashMigrations()}`);
  if (existsSync(kept)) return kept;
  const folder = makeFolder('data');
  const database = await connectDatabase(
    { databaseUrl: undefined, databasePool: 1, dataDir: folder },
    pino({ level: 'silent' }),
  );
  await database.migrate();
  await database.close();
  // Copied beside its place first, then renamed: another test process sees a whole one or none.
  const copy = `${kept}-${crypto.randomUUID()}`;
  mkdirSync(cache, { recursive: true });
  cpSync(folder, copy, { recursive: true });
  try {
    renameSync(copy, kept);
  } catch {
    rmSync(copy, { recursive: true, force: true }); // another test process was faster
  }
  removeStale();
  return kept;
}

/** The journal counts too: it holds the times by which a migration is known to be applied. */
function hashMigrations(): string {
  const hash = createHash('sha256');
  const migrations = readdirSync(migrationsFolder)
    .filter((file) => file.endsWith('.sql'))
    .sort();
  for (const name of [...migrations, 'meta/_journal.json']) {
    hash.update(name).update(readFileSync(join(migrationsFolder, name)));
  }
  hash.update(readFileSync(join(import.meta.dir, '../../node_modules/@electric-sql/pglite/package.json')));
  return hash.digest('hex').slice(0, 16);
}

/** A few stay: other branches of the work may still use theirs. */
function removeStale(): void {
  const age = (name: string) => statSync(join(cache, name)).mtimeMs;
  const stale = readdirSync(cache)
    .sort((a, b) => age(b) - age(a))
    .slice(4);
  for (const name of stale) rmSync(join(cache, name), { recursive: true, force: true });
}
