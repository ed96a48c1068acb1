// Looks behind the routes: what the log and the audit log hold, and when sessions were refreshed.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';

export interface LoggedUserEvent {
  type: string;
  payload: Record<string, unknown>;
}

/** The durable events on `user:<id>`, oldest first. */
export async function readUserEvents(db: Db, userId: string): Promise<LoggedUserEvent[]> {
  const rows = await queryRows<{ type: string; payload: string }>(
    db,
    sql`SELECT type, payload::text AS payload FROM events WHERE topic = ${`user:${userId}`} ORDER BY seq`,
  );
  return rows.map((row) => ({ type: row.type, payload: JSON.parse(row.payload) }));
}

/** As if all exchanges of the session's refresh tokens had been that much earlier. */
export async function backdateRefreshes(db: Db, sessionId: string, seconds: number): Promise<void> {
  await db.execute(sql`
    UPDATE user_sessions
    SET rotated_at = ARRAY(
      SELECT at - make_interval(secs => ${seconds})
      FROM unnest(rotated_at) WITH ORDINALITY AS rotations(at, place) ORDER BY place)
    WHERE id = ${sessionId}`);
}

export interface AuditedRow {
  event: string;
  ip: string | null;
  user_agent: string | null;
  session_id: string | null;
  details: Record<string, unknown>;
}

/** The user's rows of the audit log, oldest first. */
export function readAudit(db: Db, userId: string): Promise<AuditedRow[]> {
  return queryRows(
    db,
    sql`SELECT event, ip, user_agent, session_id, details FROM audit_log WHERE user_id = ${userId} ORDER BY at, id`,
  );
}
