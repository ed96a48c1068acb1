// From rows of jobs to what goes over the wire. Payload and result are read as text: the mapping of jsonb would take the
// JSON text "1" for the number 1.

import { getTableColumns, sql } from 'drizzle-orm';
import { type Job, type JobItem, type JobRecord, keptHours } from './contract.ts';
import { faceOf } from './face.ts';
import { jobs } from './schema.ts';

const { payload: _payload, result: _result, ...plain } = getTableColumns(jobs);

/** What a face and the progress need. */
export const itemColumns = plain;

export const jobColumns = {
  ...plain,
  payload: sql<string>`${jobs.payload}::text`,
  result: sql<string | null>`${jobs.result}::text`,
};

type ItemRow = Omit<typeof jobs.$inferSelect, 'payload' | 'result'>;
export type JobRow = ItemRow & { readonly payload: string; readonly result: string | null };

export const toFace = (row: ItemRow) => faceOf(written(row));

export const toItem = (row: ItemRow): JobItem => ({ ...toFace(row), progress: row.progress });

export const toRecord = (row: JobRow): JobRecord => ({
  ...toFace(row),
  error: row.error,
  payload: JSON.parse(row.payload),
  result: row.result === null ? null : JSON.parse(row.result),
});

export const toJob = (row: JobRow): Job => ({ ...toRecord(row), progress: row.progress });

function written(row: ItemRow) {
  return {
    ...row,
    runAt: row.runAt.toISOString(),
    createdAt: row.createdAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** By the clock of the database, to the millisecond that a row keeps: rounded up, it would not be due yet. */
export const thisMoment = sql`date_trunc('milliseconds', clock_timestamp())`;

/** Finished so long ago that it may be deleted. */
export const isOld = sql`finished_at < now() - make_interval(hours => ${keptHours})`;
