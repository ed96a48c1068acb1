// `bun run db:renew-epoch`: after a backup was restored, and before clients come back. The database is the one that the
// environment names. The embedded one is locked meanwhile, as by a server, so it is never opened beside one.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DrizzleQueryError } from 'drizzle-orm';
import { type Config, readConfig } from '../src/config.ts';
import { connectDatabase } from '../src/db/connect.ts';
import { renewEpoch } from '../src/realtime/event-log.ts';
import { createLogger } from '../src/telemetry/logger.ts';

try {
  const config = readConfig(process.env);
  requireDatabase(config);
  const database = await connectDatabase(config, createLogger({ ...config, logLevel: 'silent' }));
  const epoch = await renewEpoch(database.db).finally(() => database.close());
  process.stdout.write(
    `The epoch is ${epoch} now: whoever subscribes with an older one gets a reset.\n` +
      'Start the server. Instances that run must be restarted, since they read the epoch when they start.\n',
  );
} catch (error) {
  process.stderr.write(`The epoch was not renewed. ${explain(error)}\n`);
  process.exit(1);
}

/** Opened without this, a folder that was named by mistake would get a new and empty database. */
function requireDatabase({ databaseUrl, dataDir }: Pick<Config, 'databaseUrl' | 'dataDir'>): void {
  if (databaseUrl !== undefined || existsSync(join(dataDir, 'postgres', 'PG_VERSION'))) return;
  throw new Error(
    `There is no embedded database in ${dataDir}. Set DATA_DIR to the folder that holds it, or DATABASE_URL to a ` +
      'PostgreSQL server.',
  );
}

/** Drizzle says which statement failed, and its cause why. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error instanceof DrizzleQueryError && error.cause ? error.cause : error;
  const isUnknownTable = 'code' in cause && cause.code === '42P01';
  const hint = isUnknownTable ? ' This database holds no log: restore the backup first.' : '';
  return `${cause.message || ('code' in cause ? cause.code : cause.name)}${hint}`;
}
