// The users of the bench, written straight into the database: registering 10,000 would take minutes of hashing passwords.

import { sql } from 'drizzle-orm';
import pg from 'pg';
import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';

/** Users 0 to `count` - 1, each with a session. The last of them, so many, have the role of workers. */
export async function seedUsers(databaseUrl: string, count: number, workers = 0): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  for (const statement of statementsFor(count, workers)) await client.query(statement);
  await client.end();
}

/** The same in an embedded database that nobody has open. */
export async function seedEmbedded(dataDir: string, count: number): Promise<void> {
  const database = await connectDatabase(
    { databaseUrl: undefined, databasePool: 1, dataDir },
    pino({ level: 'silent' }),
  );
  for (const statement of statementsFor(count, 0)) await database.db.execute(sql.raw(statement));
  await database.close();
}

function statementsFor(count: number, workers: number): string[] {
  const numbers = `SELECT n, lpad(to_hex(n), 12, '0') AS hex FROM generate_series(0, ${count - 1}) AS n`;
  return [
    `INSERT INTO users (id, email, password_hash, name, folded_name, role)
     SELECT ('00000000-0000-7000-8000-' || hex)::uuid, 'user' || n || '@example.com', 'none', 'User ' || n, 'user ' || n,
       CASE WHEN n < ${count - workers} THEN 'user' ELSE 'worker' END
     FROM (${numbers}) AS numbers`,
    `INSERT INTO user_sessions (id, user_id, expires_at)
     SELECT ('00000000-0000-7000-9000-' || hex)::uuid, ('00000000-0000-7000-8000-' || hex)::uuid,
       now() + interval '1 day'
     FROM (${numbers}) AS numbers`,
    'ANALYZE users, user_sessions',
  ];
}
