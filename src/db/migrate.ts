// Applies the generated migrations under `drizzle/`. Instances that start at once take turns.

import type { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { migrate as applyToPostgres } from 'drizzle-orm/node-postgres/migrator';
import { drizzle as drizzleEmbedded } from 'drizzle-orm/pglite';
import { migrate as applyToEmbedded } from 'drizzle-orm/pglite/migrator';
import type pg from 'pg';

/** Any number that no other program on the same database uses: 'carillon' in hexadecimal, shortened. */
const advisoryLock = 0x0ca1_1107;

export async function migratePostgres(pool: pg.Pool, migrationsFolder: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [advisoryLock]);
    await applyToPostgres(drizzlePostgres(client), { migrationsFolder });
    await client.query('SELECT pg_advisory_unlock($1)', [advisoryLock]);
    client.release();
  } catch (error) {
    client.release(true); // ends the session, and with it the lock
    throw error;
  }
}

/** No lock: the embedded database belongs to one process. */
export async function migrateEmbedded(client: PGlite, migrationsFolder: string): Promise<void> {
  await applyToEmbedded(drizzleEmbedded(client), { migrationsFolder });
}
