// A clockwork beside the servers, with everything around it in the test's hand.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../../src/db/database.ts';
import { type Clockwork, startClockwork } from '../../../src/realtime/clockwork/clockwork.ts';
import type { Timed } from '../../../src/realtime/index.ts';
import { createCommit, type Publish } from '../../../src/realtime/log/commit.ts';

export interface Rig extends Clockwork {
  /** What it reported: the error's message, and what it says has failed. */
  readonly reports: readonly { readonly message: string; readonly what: string }[];
}

export function startRig(db: Db, kinds: readonly Timed[], publish: Publish = () => {}): Rig {
  const reports: { message: string; what: string }[] = [];
  const reporter = {
    report: (error: unknown, what: string) =>
      void reports.push({ message: error instanceof Error ? error.message : String(error), what }),
    toRefusal: () => {
      throw new Error('Nobody is answered.');
    },
  };
  const audit = async () => {};
  return { ...startClockwork({ db, commit: createCommit(db, publish), audit, reporter }, kinds), reports };
}

export interface Failure {
  readonly item: string;
  readonly attempts: number;
  readonly inSeconds: number;
}

export const readFailures = (db: Db): Promise<Failure[]> =>
  queryRows<Failure>(
    db,
    sql`
      SELECT item_id AS item, attempts, extract(epoch FROM retry_at - now())::float8 AS "inSeconds"
      FROM clockwork_failures ORDER BY item_id`,
  );
