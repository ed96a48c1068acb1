// The tables of the fixture. A module of the server has a migration instead.

import { sql } from 'drizzle-orm';
import type { Db } from '../../../src/db/database.ts';

export async function createPollTables(db: Db): Promise<void> {
  await db.execute(sql`
    CREATE TABLE polls (
      id uuid PRIMARY KEY, question text NOT NULL, options text[] NOT NULL, created_by uuid NOT NULL
    )`);
  await db.execute(sql`
    CREATE TABLE poll_votes (
      poll_id uuid NOT NULL, user_id uuid NOT NULL, option integer NOT NULL, PRIMARY KEY (poll_id, user_id)
    )`);
}
