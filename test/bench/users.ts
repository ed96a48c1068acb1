// Users of the bench by number: ids follow from it, so the load generator can make their tokens without being told any.
// They are written straight into the database: registering 10,000 would take minutes of hashing passwords.

import { SignJWT } from 'jose';
import pg from 'pg';

export const jwtSecret = 'a secret of the bench, 32 characters or more';

export const userId = (number: number): string => `00000000-0000-7000-8000-${hex(number)}`;
const sessionId = (number: number): string => `00000000-0000-7000-9000-${hex(number)}`;
const hex = (number: number): string => number.toString(16).padStart(12, '0');

/** Users 0 to `count` - 1, each with a session. */
export async function seedUsers(databaseUrl: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const numbers = `SELECT n, lpad(to_hex(n), 12, '0') AS hex FROM generate_series(0, ${count - 1}) AS n`;
  await client.query(`
    INSERT INTO users (id, email, password_hash, name, folded_name)
    SELECT ('00000000-0000-7000-8000-' || hex)::uuid, 'user' || n || '@example.com', 'none', 'User ' || n, 'user ' || n
    FROM (${numbers}) AS numbers`);
  await client.query(`
    INSERT INTO user_sessions (id, user_id, expires_at)
    SELECT ('00000000-0000-7000-9000-' || hex)::uuid, ('00000000-0000-7000-8000-' || hex)::uuid,
      now() + interval '1 day'
    FROM (${numbers}) AS numbers`);
  await client.query('ANALYZE users, user_sessions');
  await client.end();
}

const key = new TextEncoder().encode(jwtSecret);

export function createToken(number: number): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ sid: sessionId(number), role: 'user' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId(number))
    .setIssuer('carillon')
    .setAudience('carillon')
    .setIssuedAt(now)
    .setExpirationTime(now + 3_600)
    .sign(key);
}
