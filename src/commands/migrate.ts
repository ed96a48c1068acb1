// `bun run db:migrate`: applies pending migrations to the database that the environment names. An instance does the
// same when it starts; this is for whoever wants it done before.

import { readConfig } from '../config.ts';
import { connectDatabase } from '../db/connect.ts';
import { createLogger } from '../telemetry/logger.ts';

export async function migrate(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config);
  const database = await connectDatabase(config, logger);
  await database.migrate().finally(() => database.close());
  logger.info('the database is up to date');
}
