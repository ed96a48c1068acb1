// The audit log: who did what, from where. Rows are only ever added.

import { type Static, Type } from '@sinclair/typebox';
import { and, desc, eq, gte, sql } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { AppError } from '../protocol/errors.ts';
import { defaultPageSize, type Page, readCursor, toPage } from '../protocol/paging.ts';
import { Id } from '../protocol/values.ts';
import type { AuditEvent, AuditQuery, AuditRow } from './contract.ts';
import type { Device } from './device.ts';
import { auditLog } from './schema.ts';

export interface AuditEntry {
  readonly event: AuditEvent;
  readonly userId?: string;
  readonly device?: Device;
  /** Plain data, never a secret. */
  readonly details?: Record<string, unknown>;
}

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
      await target.insert(auditLog).values(
        entries.map((entry) => ({
          id: Bun.randomUUIDv7(),
          at: new Date(),
          event: entry.event,
          userId: entry.userId,
          ip: entry.device?.ip,
          userAgent: entry.device?.userAgent,
          details: toStorable(entry.details ?? {}),
        })),
      );
    },

    async list({ event, user, since, limit = defaultPageSize, cursor }) {
      const before = readCursor(Position, cursor);
      const rows = await db
        .select()
        .from(auditLog)
        .where(
          and(
            event === undefined ? undefined : eq(auditLog.event, event),
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

const isBefore = ([at, id]: Static<typeof Position>) =>
  sql`(${auditLog.at}, ${auditLog.id}) < (${new Date(at).toISOString()}::timestamptz, ${id}::uuid)`;

function parseInstant(text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw new AppError('invalid', '"since" must be a date that exists.');
  return date;
}

/** What clients sent may be quoted here, and jsonb refuses NUL and half surrogate pairs. */
function toStorable(details: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(details, (_, value: unknown) =>
    typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value,
  );
  return JSON.parse(text);
}
