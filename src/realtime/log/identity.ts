// Which log this is, and whether it is still the one that it was. A server that was promoted without its last seconds, or
// that crashed without waiting for its disk, has another past than subscribers were told: its log gets a new epoch before
// anything is written to it. [S4]

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { isDatabaseAway } from '../../db/errors.ts';
import { baseOf } from './forgotten.ts';

export interface LogIdentity {
  /** Made with the database, never changed. */
  readonly logId: string;
  /** Positions from another one are void. */
  readonly epoch: string;
  /** Another text: another server, a promoted one, or one that may have lost commits. Null where that cannot be known. */
  readonly history: string | null;
}

/** A place on a topic that was delivered or committed. */
export interface Place {
  readonly topic: string;
  readonly seq: number;
  /** Of the event at `seq`; null where the log had none there any more. */
  readonly id: string | null;
}

/** `other`: the log has, or had, another event there. `unknown`: it has pruned it, so nobody can tell. */
export type Verdict = 'same' | 'other' | 'unknown';

/** Reads the identity, and renews the epoch first where the server's past says so. */
export type ReadIdentity = (db: Db) => Promise<LogIdentity>;

/**
 * All instances read the same epoch: the first one to see another past renews it. Fails as if the database were away
 * where it is a standby. `onSilent` hears once that the server does not tell its past, as managed ones may refuse to.
 */
export function createIdentityReader(onSilent: (error: unknown) => void): ReadIdentity {
  let isSilent = false;
  return async function read(db) {
    if (isSilent) return await readStored(db);
    try {
      return await readWithPast(db);
    } catch (error) {
      if (isDatabaseAway(error)) throw error;
      isSilent = true;
      onSilent(error);
      return await readStored(db);
    }
  };
}

/** As it stands, whatever the server's past is. */
export async function readStored(db: Db): Promise<LogIdentity> {
  const rows = await queryRows<LogIdentity>(db, sql`SELECT log_id AS "logId", epoch, history FROM event_log`);
  return only(rows);
}

/** Renews the epoch unless somebody has done so since it was `known`, and answers what it is now. */
export async function renewEpoch(db: Db, known?: string): Promise<string> {
  const isKnown = known === undefined ? sql`true` : sql`epoch = ${known}::uuid`;
  await db.execute(sql`UPDATE event_log SET epoch = gen_random_uuid() WHERE ${isKnown}`);
  return (await readStored(db)).epoch;
}

/** Places asked about in one query, by primary key. */
const sliceSize = 1_000;

/** What the log says about each place, in the order given. */
export async function judgePlaces(db: Db, places: readonly Place[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (let start = 0; start < places.length; start += sliceSize) {
    const slice = places.slice(start, start + sliceSize);
    const rows = await queryRows<{ place: number | string; head: number | string | null; id: string | null }>(
      db,
      sql`
        SELECT place, coalesce(head, ${baseOf(sql`asked.topic`)}) AS head, events.id
        FROM unnest(${sql.param(slice.map(({ topic }) => topic))}::text[], ${sql.param(slice.map(({ seq }) => seq))}::bigint[])
          WITH ORDINALITY AS asked (topic, seq, place)
        LEFT JOIN topics ON name = asked.topic
        LEFT JOIN events ON events.topic = asked.topic AND events.seq = asked.seq`,
    );
    const found = new Map(rows.map((row) => [Number(row.place), row]));
    slice.forEach((place, index) => {
      const { head, id } = found.get(index + 1) ?? { head: null, id: null };
      verdicts.push(judge(place, Number(head ?? 0), id));
    });
  }
  return verdicts;
}

function judge(place: Place, head: number, id: string | null): Verdict {
  if (place.seq === 0) return 'same'; // nothing was delivered yet: whatever the log has follows
  if (head < place.seq) return 'other';
  if (id !== null) return id === place.id ? 'same' : 'other';
  // Pruned. The newest event of a topic goes by age only, after an hour at least: what a server that lost its last
  // seconds has put in that place is younger.
  return head === place.seq ? 'same' : 'unknown';
}

/**
 * The identifier that initdb gave the server; its timeline, which every promotion and every recovery to a point in time
 * raises (that of the control file would come minutes late); and behind a space when it last recovered from a crash, for
 * statistics begin anew then.
 */
const past = sql`
  (SELECT system_identifier FROM pg_control_system())::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) ||
  ' ' || coalesce(extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())::text, '')`;

async function readWithPast(db: Db): Promise<LogIdentity> {
  const rows = await queryRows<LogIdentity & { isStandby: boolean; past: string | null }>(
    db,
    sql`
      SELECT log_id AS "logId", epoch, history, pg_is_in_recovery() AS "isStandby",
        CASE WHEN NOT pg_is_in_recovery() THEN ${past} END AS past
      FROM event_log`,
  );
  const { past: seen, isStandby, ...identity } = only(rows);
  if (isStandby) throw new StandbyError();
  if (seen === identity.history) return identity;
  // A crash costs nothing where commits wait for the disk.
  await db.execute(sql`
    UPDATE event_log SET history = ${seen}, epoch = CASE
      WHEN history IS NULL THEN epoch
      WHEN split_part(history, ' ', 1) = split_part(${seen}, ' ', 1)
        AND current_setting('synchronous_commit') <> 'off' THEN epoch
      ELSE gen_random_uuid() END
    WHERE history IS DISTINCT FROM ${seen}`);
  return await readWithPast(db);
}

function only<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('The table event_log is empty: the migrations did not run.');
  return row;
}

/** Nothing can be written there, and what is read may be old: as good as away. */
class StandbyError extends Error {
  readonly code = '25006'; // read_only_sql_transaction, as a write would be answered
  constructor() {
    super('The database is a standby: expected a primary server. It is asked again until it is one.');
  }
}
