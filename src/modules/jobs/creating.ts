// How jobs are created: those that arrive together in one transaction, in the order of arrival. A user's topic is locked before
// the user's jobs are counted: so nobody passes the limit, and a user's list has the order of the events.

import { type Statement, toList } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { batched } from '../../realtime/index.ts';
import type { News } from './changes.ts';
import {
  CreateJob,
  defaultMaxAttempts,
  Job,
  type JobRecord,
  maxAheadDays,
  maxUnfinished,
} from './contract.ts';
import { maxBatch } from './holding.ts';
import { tooMany } from './refusals.ts';
import { type Room, readRooms } from './rooms.ts';
import { findDataProblem, findInstantProblem } from './rules.ts';
import { job, userJobs } from './topics.ts';
import type { Waiting } from './waiting.ts';

export const createJob = (news: News, waiting: Pick<Waiting, 'ring'>) =>
  batched('job.create', {
    summary: 'Create a job for a worker',
    description: `A user has at most ${maxUnfinished} jobs that are not finished.`,
    tag: 'Jobs',
    http: 'POST /jobs',
    takesKey: true,
    input: CreateJob,
    output: Job,
    refuses: ['conflict'],
    maxBatch,
    check({ payload, runAt }) {
      const problem = findDataProblem(payload, '/payload') ?? findInstantProblem(runAt, '/runAt');
      if (problem)
        throw new AppError('invalid', `The job cannot be created. ${problem.message}.`, {
          fields: [problem],
        });
    },
    draft: (_actor, input) => input,
    async find(tx, items, lock) {
      const owners = items.map(({ actor }) => actor.userId);
      const locked = lock(owners.map((owner) => [userJobs.on(owner)]));
      const [rooms] = await Promise.all([readRooms(tx, [...new Set(owners)]), locked]); // read behind the locks
      const byOwner = new Map(rooms.map((room) => [room.userId, room]));
      return owners.map((owner) => byOwner.get(owner) ?? noRoom(owner));
    },
    decide({ actor, input }, room, { emit, afterCommit }) {
      const runAt = input.runAt === undefined ? room.at : new Date(input.runAt);
      if (room.unfinished >= maxUnfinished) return tooMany();
      if (runAt.getTime() > room.at.getTime() + maxAheadDays * dayMs) return tooFarAhead();
      room.unfinished += 1;
      const record = toRecord(input, room, runAt);
      const seq = emit.seqOf(userJobs.on(actor.userId));
      emit.begin(job.on(record.id));
      news.created({ actor, emit, afterCommit }, record);
      afterCommit(() => waiting.ring([record.type]));
      return { value: { ...record, progress: null }, row: { ...record, seq } };
    },
    write: (rows) => [insertJobs(rows)],
  });

const dayMs = 86_400_000;

function toRecord(input: CreateJob, { userId, at }: Room, runAt: Date): JobRecord {
  const { type, payload, priority = 0, maxAttempts = defaultMaxAttempts } = input;
  return {
    id: Bun.randomUUIDv7(),
    userId,
    type,
    priority,
    status: 'queued',
    error: null,
    attempts: 0,
    maxAttempts,
    runAt: (runAt > at ? runAt : at).toISOString(),
    workerId: null,
    claimedBy: null,
    createdAt: at.toISOString(),
    startedAt: null,
    finishedAt: null,
    updatedAt: at.toISOString(),
    payload,
    result: null,
  };
}

const insertJobs = (rows: readonly (JobRecord & { readonly seq: number })[]): Statement => ({
  name: 'insert_jobs',
  text: `
    INSERT INTO jobs (id, user_id, seq, type, payload, priority, status, attempts, max_attempts, run_at, created_at, updated_at)
    SELECT id, user_id, seq, type, payload::jsonb, priority, 'queued', 0, max_attempts, run_at, created_at, created_at
    FROM unnest(
      string_to_array($1, E'\\x1f')::uuid[], string_to_array($2, E'\\x1f')::uuid[], string_to_array($3, E'\\x1f')::bigint[],
      string_to_array($4, E'\\x1f'), string_to_array($5, E'\\x1f'), string_to_array($6, E'\\x1f')::int[],
      string_to_array($7, E'\\x1f')::int[], string_to_array($8, E'\\x1f')::timestamptz[],
      string_to_array($9, E'\\x1f')::timestamptz[]
    ) AS r(id, user_id, seq, type, payload, priority, max_attempts, run_at, created_at)`,
  values: [
    toList(rows.map(({ id }) => id)),
    toList(rows.map(({ userId }) => userId)),
    toList(rows.map(({ seq }) => seq)),
    toList(rows.map(({ type }) => type)),
    toList(rows.map(({ payload }) => JSON.stringify(payload))),
    toList(rows.map(({ priority }) => priority)),
    toList(rows.map(({ maxAttempts }) => maxAttempts)),
    toList(rows.map(({ runAt }) => runAt)),
    toList(rows.map(({ createdAt }) => createdAt)),
  ],
});

function noRoom(userId: string): never {
  throw new Error(`Nothing was read of the jobs of ${userId}.`);
}

function tooFarAhead(): AppError {
  const message = `Expected an instant at most ${maxAheadDays} days ahead`;
  return new AppError('invalid', `${message}, by the clock of the server.`, {
    fields: [{ path: '/runAt', message }],
  });
}
