// Opens one database or the other.

import type { Config } from '../config.ts';
import type { Logger } from '../telemetry/logger.ts';
import { readBootId } from './boot.ts';
import type { Database } from './database.ts';
import { openEmbedded } from './embedded.ts';
import { defaultPatience, openPostgres, type Patience } from './postgres.ts';

/** Opens the database that the configuration names. Does not wait for a PostgreSQL server to answer. */
export async function connectDatabase(
  config: Pick<Config, 'databaseUrl' | 'databasePool' | 'dataDir'>,
  logger: Logger,
  { bootId = readBootId(), ...patience }: Partial<Patience> & { readonly bootId?: string } = {},
): Promise<Database> {
  return config.databaseUrl === undefined
    ? await openEmbedded(config.dataDir, bootId)
    : openPostgres(config.databaseUrl, config.databasePool, logger, { ...defaultPatience, ...patience });
}
