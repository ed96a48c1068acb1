// What time it is, by the database's clock alone: that of an instance may be wrong by an hour.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';

/** In whole ms. Read behind a lock: the transaction's `now()` stands still while it waits. */
export async function readNowMs(db: Db): Promise<number> {
  const now = sql`SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`;
  const [row] = await queryRows<{ ms: number }>(db, now);
  if (row === undefined) throw new Error('The database did not say what time it is.');
  return row.ms;
}
