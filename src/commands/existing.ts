// The database that the environment names, for commands that work on one which is there. The embedded one is locked
// meanwhile, as by a server, so it is never opened beside one.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DrizzleQueryError, sql } from 'drizzle-orm';
import { type Config, readConfig } from '../config.ts';
import { connectDatabase } from '../db/connect.ts';
import { type Database, type Db, queryRows } from '../db/database.ts';
import { createLogger } from '../telemetry/logger.ts';

/** Fails where there is no database, or none of ours, with what to set. */
export async function withDatabase<Result>(work: (database: Database) => Promise<Result>): Promise<Result> {
  const config = readConfig(process.env);
  requireDatabase(config);
  const database = await connectDatabase(config, createLogger({ ...config, logLevel: 'silent' }));
  try {
    await requireLog(database.db);
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Drizzle says which statement failed, and its cause why. */
export function explain(error: unknown): string {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  // Where several addresses of a host were tried, there is a code and no message.
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
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
