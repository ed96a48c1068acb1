// The audit log: who did what, from where. Rows are only ever added.

import { type Static, Type } from '@sinclair/typebox';
import { and, desc, eq, gte, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/database.ts';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize, type Page, readCursor, toPage } from '../protocol/paging.ts';
import { Id, readInstant } from '../protocol/values.ts';
import type { AuditEntry } from '../realtime/index.ts';
import type { AuditQuery, AuditRow } from './contract.ts';
import { auditLog } from './schema.ts';

export interface Audit {
  /** Adds the entries, all in one statement; given a transaction, they stand or fall with it. */
  record(db: Db, ...entries: AuditEntry[]): Promise<void>;
  /** Newest first. */
  list(query: AuditQuery): Promise<Page<AuditRow>>;
}

/** Milliseconds, up to the year 9999: what PostgreSQL and ISO 8601 both can say. */
const Position = Type.Tuple([Type.Integer({ minimum: 0, maximum: 253_402_300_799_999 }), Id]);

export function createAudit(db: Db): Audit {
  return {
    async record(target, ...entries) {
      if (entries.length === 0) return;
      const at = new Date().toISOString();
      const rows = entries.map(({ event, userId, device, details = {} }) => ({
        id: Bun.randomUUIDv7(),
        at,
        event,
        user_id: userId,
        ip: device?.ip,
        user_agent: device?.userAgent,
        details,
      }));
      // One parameter, however many entries: a batch of messages brings hundreds.
      await queryRows(
        target,
        sql`
          INSERT INTO audit_log (id, at, event, user_id, ip, user_agent, details)
          SELECT id, at, event, user_id, ip, user_agent, details
          FROM json_to_recordset(${JSON.stringify(rows, toStorable)}::json)
            AS r(id uuid, at timestamptz, event text, user_id uuid, ip text, user_agent text, details jsonb)`,
        'insert_audit',
      );
    },

    async list({ event, user, since, limit = defaultPageSize, cursor }) {
      const before = readCursor(Position, cursor);
      const rows = await db
        .select()
        .from(auditLog)
        .where(
          and(
            event === undefined ? undefined : isEvent(event),
            user === undefined ? undefined : eq(auditLog.userId, user),
            since === undefined ? undefined : gte(auditLog.at, parseInstant(since)),
            before === undefined ? undefined : isBefore(before),
          ),
        )
        .orderBy(desc(auditLog.at), desc(auditLog.id))
        .limit(limit + 1);
      return toPage(
        rows,
        limit,
        (row) => [row.at.getTime(), row.id],
        (row) => ({ ...row, at: row.at.toISOString() }),
      );
    },
  };
}

/** Says so that the partial index is usable. */
const isEvent = (event: string) =>
  event === 'message_sent'
    ? eq(auditLog.event, event)
    : and(eq(auditLog.event, event), sql`${auditLog.event} <> 'message_sent'`);

const isBefore = ([at, id]: Static<typeof Position>) =>
  sql`(${auditLog.at}, ${auditLog.id}) < (${new Date(at).toISOString()}::timestamptz, ${id}::uuid)`;

function parseInstant(text: string): Date {
  const date = readInstant(text);
  if (date !== undefined) return date;
  throw new AppError('invalid', '"since" must be a date that exists, in the years 0001 to 9999.');
}

/** What clients sent may be quoted here, and jsonb refuses NUL and half surrogate pairs. */
const toStorable = (_key: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value;
