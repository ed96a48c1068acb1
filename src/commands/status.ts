// `bun run db:status`: which migrations the database has had, and how large it is. Changes nothing. For whoever is about to
// upgrade, or to go back.

import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { type Db, queryRows } from '../db/database.ts';
import { migrationsFolder } from '../db/migrate.ts';
import { readStored } from '../realtime/log/identity.ts';
import { withDatabase } from './existing.ts';

/** Exit codes beside 0, up to date. */
const isBehindCode = 2;
const isAheadCode = 3;

export async function showStatus(): Promise<void> {
  const { text, code } = await withDatabase(async ({ db, kind }) => {
    const { epoch, logId } = await readStored(db);
    const { version } = await readServer(db);
    const schema = await compareMigrations(db);
    const lines = [
      ['database', `${kind === 'embedded' ? 'embedded, ' : ''}PostgreSQL ${version}`],
      ['log', `${logId}, epoch ${epoch}`],
      ['migrations', schema.text],
      ...(await readSizes(db)).map(({ name, rows, size }) => [
        name,
        rows === null ? size : `${size}, about ${rows} rows`,
      ]),
    ];
    return {
      text: lines.map(([name = '', value]) => `${name.padEnd(20)}${value}\n`).join(''),
      code: schema.code,
    };
  });
  process.stdout.write(text);
  process.exitCode = code;
}

/** Behind, this version's server applies what is missing when it starts. Ahead, a later version was here. */
async function compareMigrations(db: Db): Promise<{ text: string; code: number }> {
  const known = readMigrationFiles({ migrationsFolder });
  const applied = await queryRows<{ count: number; newest: string | null }>(
    db,
    sql`SELECT count(*)::integer AS count, max(created_at)::text AS newest FROM drizzle.__drizzle_migrations`,
  );
  const { count = 0, newest = null } = applied[0] ?? {};
  const newestKnown = known.at(-1)?.folderMillis ?? 0;
  if (Number(newest) > newestKnown) {
    return { text: `${count}, of a later version than this one`, code: isAheadCode };
  }
  const missing = known.filter(({ folderMillis }) => folderMillis > Number(newest)).length;
  if (missing === 0) return { text: `all ${known.length} applied`, code: 0 };
  return { text: `${count} applied, ${missing} to come: bun run db:migrate`, code: isBehindCode };
}

async function readServer(db: Db): Promise<{ version: string }> {
  const rows = await queryRows<{ version: string }>(
    db,
    sql`SELECT current_setting('server_version') AS version`,
  );
  return { version: rows[0]?.version ?? 'unknown' };
}

/** Of the largest tables, with their indexes. How many rows is the planner's estimate, if it has one: counting would read them all. */
function readSizes(db: Db): Promise<{ name: string; rows: string | null; size: string }[]> {
  return queryRows(
    db,
    sql`
      SELECT relname AS name, CASE WHEN reltuples >= 0 THEN reltuples::bigint::text END AS rows,
        pg_size_pretty(pg_total_relation_size(oid)) AS size
      FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
      ORDER BY pg_total_relation_size(oid) DESC, relname LIMIT 8`,
  );
}
