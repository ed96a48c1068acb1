// What the commands on a database have in common: it is the one that the environment names. The embedded one is locked
// meanwhile, as by a server, so it is never opened beside one.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DrizzleQueryError, sql } from 'drizzle-orm';
import { type Config, readConfig } from '../src/config.ts';
import { connectDatabase } from '../src/db/connect.ts';
import { type Database, type Db, queryRows } from '../src/db/database.ts';
import { createLogger } from '../src/telemetry/logger.ts';

/** Prints what `work` answers. Where it fails, says so with the reason, behind `failure`, and ends the process with 1. */
export async function onDatabase(
  failure: string,
  work: (database: Database) => Promise<string>,
): Promise<void> {
  try {
    const config = readConfig(process.env);
    requireDatabase(config);
    const database = await connectDatabase(config, createLogger({ ...config, logLevel: 'silent' }));
    process.stdout.write(`${await runOn(database, work).finally(() => database.close())}\n`);
  } catch (error) {
    process.stderr.write(`${failure} ${explain(error)}\n`);
    process.exit(1);
  }
}

async function runOn(database: Database, work: (database: Database) => Promise<string>): Promise<string> {
  await requireLog(database.db);
  await database.migrate(); // a backup may be older than this version
  return await work(database);
}

/** Opened without this, a folder that was named by mistake would get a new and empty database. */
function requireDatabase({ databaseUrl, dataDir }: Pick<Config, 'databaseUrl' | 'dataDir'>): void {
  if (databaseUrl !== undefined || existsSync(join(dataDir, 'postgres', 'PG_VERSION'))) return;
  throw new Error(
    `There is no embedded database in ${dataDir}. Set DATA_DIR to the folder that holds it, or DATABASE_URL to a ` +
      'PostgreSQL server.',
  );
}

/** Nor does a server that was named by mistake get our tables. */
async function requireLog(db: Db): Promise<void> {
  const rows = await queryRows<{ log: string | null }>(db, sql`SELECT to_regclass('event_log') AS log`);
  if (rows[0]?.log) return;
  throw new Error('This database holds no log. Restore the backup first, or name another database.');
}

/** Drizzle says which statement failed, and its cause why. */
function explain(error: unknown): string {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  // Where several addresses of a host were tried, there is a code and no message.
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
}
