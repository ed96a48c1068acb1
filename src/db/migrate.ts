// Applies the generated migrations under `drizzle/`. Instances that start at once take turns.

import type { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { migrate as applyToPostgres } from 'drizzle-orm/node-postgres/migrator';
import { drizzle as drizzleEmbedded } from 'drizzle-orm/pglite';
import { migrate as applyToEmbedded } from 'drizzle-orm/pglite/migrator';
import pg from 'pg';
import { findFile } from '../files.ts';

export const migrationsFolder = findFile('drizzle');

/** Any number that no other program on the same database uses: 'carillon' in hexadecimal, shortened. */
const advisoryLock = 0x0ca1_1107;

/** On a connection of its own: a migration, or the wait for one, may take its time. */
export async function migratePostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'carillon migrations' });
  // It fails the statement under way as well; unheard, it would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [advisoryLock]);
    await applyToPostgres(drizzlePostgres(client), { migrationsFolder });
  } finally {
    await client.end(); // and with the session, the lock
  }
}

/** No lock: the embedded database belongs to one process. */
export async function migrateEmbedded(client: PGlite): Promise<void> {
  await applyToEmbedded(drizzleEmbedded(client), { migrationsFolder });
}
