// How a job changes, inside of a transaction: the row, and the events that tell of it. Whoever changes jobs locks their rows first,
// by id (a claim passes over what is locked), and then the topics, by name; who creates some locks the topics of their owners
// alone. So nobody waits in a circle.
// What admins hear is said behind COMMIT, and has no order.

import { type SQL, sql } from 'drizzle-orm';
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import type { Db } from '../../db/database.ts';
import type { DurableType, PayloadOf } from '../../protocol/events.ts';
import type { Role } from '../../protocol/roles.ts';
import type { Actor, EmitPlain, ModuleCore } from '../../realtime/index.ts';
import type { events, JobRecord, JobStatus } from './contract.ts';
import { type JobRow, jobColumns, toFace } from './rows.ts';
import { jobs } from './schema.ts';
import { adminJobs, job, topicsOf } from './topics.ts';

/** A row behind its change. */
export type Changed = JobRow & {
  readonly previous: JobStatus;
  /** Who had it claimed before. */
  readonly heldBy: string | null;
  readonly heldByRole: Role | null;
};

/** Changes the jobs of which it is true, by then: it waits for whoever has them locked. Which of them there are is answered. */
export async function changeJobs(
  tx: Db,
  which: SQL,
  set: PgUpdateSetSource<typeof jobs>,
): Promise<Changed[]> {
  const before = sql`(
    SELECT id AS before_id, status AS before_status, claimed_by AS before_claimed_by FROM jobs WHERE ${which} FOR UPDATE
  ) AS before`;
  return await tx
    .update(jobs)
    .set({ updatedAt: sql`now()`, ...set })
    .from(before)
    .where(sql`${jobs.id} = before_id`)
    .returning({
      ...jobColumns,
      previous: sql<JobStatus>`before_status`,
      heldBy: sql<string | null>`before_claimed_by`,
      heldByRole: sql<Role | null>`(SELECT ${users.role} FROM ${users} WHERE ${users.id} = before_claimed_by)`,
    });
}

export interface Telling {
  /** Undefined: the system. */
  readonly actor: Actor | undefined;
  readonly emit: EmitPlain;
  afterCommit(run: () => void): void;
}

type Told = typeof events;

/** Tells of what happened to jobs: on the topics of the job and its owner with the transaction, and to admins behind it. */
export interface News {
  created(telling: Telling, record: JobRecord): void;
  /** The status changed; `as` says what else there is to say of it. */
  changed(telling: Telling, row: Changed, as?: Happening): void;
}

/** What a change means, beside the status that the job has now. */
export type Happening =
  | { readonly type: 'job.completed'; readonly payload: PayloadOf<Told, 'job.completed'> }
  | { readonly type: 'job.failed'; readonly payload: PayloadOf<Told, 'job.failed'> }
  | { readonly type: 'job.cancelled'; readonly payload: PayloadOf<Told, 'job.cancelled'> };

export function createNews({ announce }: Pick<ModuleCore, 'announce'>): News {
  const tell = <Type extends DurableType<Told>>(
    { actor, emit, afterCommit }: Telling,
    changed: { readonly id: string; readonly userId: string },
    type: Type,
    payload: PayloadOf<Told, Type>,
    revokes: readonly string[] = [],
  ): void => {
    emit(topicsOf(changed), type, payload, { revokes, revokesOn: job.on(changed.id) });
    afterCommit(() => announce(adminJobs.on(''), type, payload, { actor }));
  };
  return {
    created: (telling, record) => tell(telling, record, 'job.created', { jobId: record.id, job: record }),
    changed(telling, row, as) {
      if (as !== undefined) tell(telling, row, as.type, as.payload);
      const { id: jobId, status, previous, attempts: attempt } = row;
      const change = { jobId, status, previous, attempt, job: toFace(row) };
      tell(telling, row, 'job.status', change, listLosers(row));
    },
  };
}

/** The worker whose lease ended, and with it the right to follow the job. */
function listLosers({ previous, heldBy, heldByRole, userId }: Changed): string[] {
  const wasRight = previous === 'running' && heldBy !== null;
  return wasRight && heldBy !== userId && heldByRole !== 'admin' ? [heldBy] : [];
}
