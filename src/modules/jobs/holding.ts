// Jobs of a batch: locked together, in the order of their ids, and written together. Whoever holds a job's row knows all of
// it, so what becomes of it is computed here, and the database is not asked again.

import { type Db, runStatement, type Statement, toList } from '../../db/database.ts';
import type { Role } from '../../protocol/roles.ts';
import type { Changed } from './changes.ts';
import { itemColumns, type JobRow } from './rows.ts';

/** Payloads and results have up to 64 KiB, and an event on two topics brings each of them twice. */
export const maxBatch = 100;

/** A job whose row is locked. */
export interface HeldJob {
  /** As it stands. A decision puts the next one in its place, for those behind it in the batch. */
  row: JobRow;
  /** Of who has it claimed. */
  readonly heldByRole: Role | null;
  /** The beginning of the transaction, by the clock of the database. */
  readonly at: Date;
}

/** Locks until COMMIT those of the jobs that there are; by id. */
export async function holdJobs(tx: Db, ids: readonly string[]): Promise<ReadonlyMap<string, HeldJob>> {
  if (ids.length === 0) return new Map();
  const values = [toList([...new Set(ids)])];
  const rows = await runStatement<HeldRow>(tx, { name: 'hold_jobs', text: holdText, values });
  return new Map(rows.map((row) => [row.id, toHeld(row)]));
}

/** The job becomes what `set` says; what it was before is in the answer too, for the news. */
export function changeHeld(held: HeldJob, set: Partial<JobRow>): Changed {
  const { row: before, at, heldByRole } = held;
  held.row = { ...before, updatedAt: at, ...set };
  return { ...held.row, previous: before.status, heldBy: before.claimedBy, heldByRole };
}

/** What writes jobs that are held as they stand now. */
export function writeHeld(rows: readonly JobRow[]): Statement {
  return { name: 'write_jobs', text: writeText, values: [JSON.stringify(rows.map(toWritten))] };
}

/** Only what a decision may change. */
const toWritten = (row: JobRow) => ({
  id: row.id,
  status: row.status,
  progress: row.progress,
  progress_at: row.progressAt,
  result: row.result,
  error: row.error,
  attempts: row.attempts,
  lease_id: row.leaseId,
  lease_seconds: row.leaseSeconds,
  lease_until: row.leaseUntil,
  worker_id: row.workerId,
  claimed_by: row.claimedBy,
  started_at: row.startedAt,
  finished_at: row.finishedAt,
  updated_at: row.updatedAt,
});

const written = `id uuid, status text, progress jsonb, progress_at timestamptz, result text, error text, attempts int, lease_id uuid,
  lease_seconds int, lease_until timestamptz, worker_id text, claimed_by uuid, started_at timestamptz, finished_at timestamptz,
  updated_at timestamptz`;

// The rows are there, and locked: nothing is ever inserted, and what stands for the columns that do not change is never
// written. Like this each row is found by its primary key, however old the plan is; an UPDATE with a join, planned while the
// table is small, would go on reading it whole when it has grown.
const writeText = `
  INSERT INTO jobs AS j (
    id, status, progress, progress_at, result, error, attempts, lease_id, lease_seconds, lease_until, worker_id, claimed_by,
    started_at, finished_at, updated_at, user_id, seq, type, payload, priority, max_attempts, run_at, created_at
  )
  SELECT id, status, progress, progress_at, result::jsonb, error, attempts, lease_id, lease_seconds, lease_until, worker_id,
    claimed_by, started_at, finished_at, updated_at, id, 0, '', 'null', 0, 0, updated_at, updated_at
  FROM json_to_recordset($1::json) AS r(${written})
  ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, progress = excluded.progress, progress_at = excluded.progress_at, result = excluded.result,
    error = excluded.error, attempts = excluded.attempts, lease_id = excluded.lease_id, lease_seconds = excluded.lease_seconds,
    lease_until = excluded.lease_until, worker_id = excluded.worker_id, claimed_by = excluded.claimed_by,
    started_at = excluded.started_at, finished_at = excluded.finished_at, updated_at = excluded.updated_at`;

/** As both drivers answer: what needs it, the columns decode. */
type HeldRow = Record<string, unknown> & {
  readonly id: string;
  readonly payload: string;
  readonly result: string | null;
  readonly held_by_role: Role | null;
  readonly at: string;
};

const columns = Object.entries(itemColumns);

// One by one and in order; each looked up by its primary key, as above.
const holdText = `
  SELECT ${columns.map(([, { name }]) => `held.${name}`).join(', ')}, held.payload::text AS payload, held.result::text AS result,
    (SELECT role FROM users WHERE users.id = held.claimed_by) AS held_by_role, date_trunc('milliseconds', now()) AS at
  FROM (SELECT id FROM unnest(string_to_array($1, E'\\x1f')::uuid[]) AS u(id) ORDER BY id) AS asked
  CROSS JOIN LATERAL (SELECT * FROM jobs WHERE jobs.id = asked.id FOR UPDATE) AS held`;

function toHeld(raw: HeldRow): HeldJob {
  const plain = columns.map(([key, column]) => {
    const value = raw[column.name];
    return [key, value === null ? null : column.mapFromDriverValue(value)];
  });
  const { payload, result, held_by_role: heldByRole } = raw;
  const row = { ...Object.fromEntries(plain), payload, result } as JobRow; // every column of the table
  return { row, heldByRole, at: new Date(raw.at) };
}
