// How many unfinished jobs users have, against the limit. True until COMMIT for whoever holds the topics of these users: all that
// creates jobs, or queues them again, locks `user:<id>:jobs` first, and what else there is only finishes some.

import { type Db, runStatement, toList } from '../../db/database.ts';
import { maxUnfinished } from './contract.ts';

/** What a user has; a decision counts on for those behind it in the batch. */
export interface Room {
  readonly userId: string;
  /** As far as it matters: one more than there may be, at most. */
  unfinished: number;
  /** The clock of the database, to the millisecond that a row keeps: rounded up, it would not be due yet. */
  readonly at: Date;
}

export async function readRooms(tx: Db, userIds: readonly string[]): Promise<Room[]> {
  const rows = await runStatement<{ id: string; unfinished: number; at: string }>(tx, {
    name: 'read_rooms',
    // A scalar subquery counts by the index, user by user, however small the table was when it was planned.
    text: `
      SELECT id, date_trunc('milliseconds', clock_timestamp()) AS at, (
        SELECT count(*)::int FROM (
          SELECT 1 FROM jobs WHERE user_id = asked.id AND status IN ('queued', 'running') LIMIT ${maxUnfinished + 1}
        ) AS these
      ) AS unfinished
      FROM unnest(string_to_array($1, E'\\x1f')::uuid[]) AS asked(id)`,
    values: [toList(userIds)],
  });
  return rows.map(({ id, unfinished, at }) => ({ userId: id, unfinished, at: new Date(at) }));
}
