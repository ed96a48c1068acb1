// The audit log: who did what, from where. Rows are only ever added.

import { and, desc, eq, gte, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize, type Page, readCursor, TimePosition, toPage } from '../protocol/paging.ts';
import { readInstant } from '../protocol/values.ts';
import type { AuditEntry, ReadAudit } from '../realtime/index.ts';
import type { AuditQuery, AuditRow } from './contract.ts';
import { auditLog } from './schema.ts';

export interface Audit {
  /** Adds the entries, all in one statement; given a transaction, they stand or fall with it. */
  record(db: Db, ...entries: AuditEntry[]): Promise<void>;
  /** Newest first. */
  list(query: AuditQuery): Promise<Page<AuditRow>>;
}

/** `readers`: of events that are told from elsewhere. */
export function createAudit(db: Db, readers: () => Readonly<Record<string, ReadAudit>> = () => ({})): Audit {
  const readEvent = async (event: string | undefined, asked: Asked) => {
    const read = event === undefined ? undefined : readers()[event];
    if (event === undefined || read === undefined) return await readLog(db, event, asked);
    return (await read(db, asked)).map((row) => ({
      ...row,
      event,
      sessionId: null,
      ip: null,
      userAgent: null,
    }));
  };
  return {
    async record(target, ...entries) {
      if (entries.length === 0) return;
      const at = new Date().toISOString();
      const rows = entries.map(({ event, userId, sessionId, device, details = {} }) => ({
        id: Bun.randomUUIDv7(),
        at,
        event,
        user_id: userId,
        session_id: sessionId,
        ip: device?.ip,
        user_agent: device?.userAgent,
        details,
      }));
      // One parameter, however many entries: a batch of messages brings hundreds.
      await queryRows(
        target,
        sql`
          INSERT INTO audit_log (id, at, event, user_id, session_id, ip, user_agent, details)
          SELECT id, at, event, user_id, session_id, ip, user_agent, details
          FROM json_to_recordset(${JSON.stringify(rows, toStorable)}::json)
            AS r(id uuid, at timestamptz, event text, user_id uuid, session_id uuid, ip text, user_agent text, details jsonb)`,
        'insert_audit',
      );
    },

    async list({ event, user, since, limit = defaultPageSize, cursor }) {
      const position = readCursor(TimePosition, cursor);
      const asked = {
        userId: user,
        since: since === undefined ? undefined : parseInstant(since),
        before: position && { at: new Date(position[0]), id: position[1] },
        limit: limit + 1,
      };
      const rows = await readEvent(event, asked);
      return toPage(
        rows,
        limit,
        (row) => [row.at.getTime(), row.id],
        (row) => ({ ...row, at: row.at.toISOString() }),
      );
    },
  };
}

type Asked = Parameters<ReadAudit>[1];

function readLog(db: Db, event: string | undefined, { userId, since, before, limit }: Asked) {
  return db
    .select()
    .from(auditLog)
    .where(
      and(
        event === undefined ? undefined : eq(auditLog.event, event),
        userId === undefined ? undefined : eq(auditLog.userId, userId),
        since === undefined ? undefined : gte(auditLog.at, since),
        before === undefined
          ? undefined
          : sql`(${auditLog.at}, ${auditLog.id}) < (${before.at.toISOString()}::timestamptz, ${before.id}::uuid)`,
      ),
    )
    .orderBy(desc(auditLog.at), desc(auditLog.id))
    .limit(limit);
}

function parseInstant(text: string): Date {
  const date = readInstant(text);
  if (date !== undefined) return date;
  throw new AppError('invalid', '"since" must be a date that exists, in the years 0001 to 9999.');
}

/** What clients sent may be quoted here, and jsonb refuses NUL and half surrogate pairs. */
const toStorable = (_key: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value;
