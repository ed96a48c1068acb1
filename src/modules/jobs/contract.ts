// What goes over the wire: inputs, outputs, the table of events and the states. Browser-safe.

import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { type DurableEvent, durable, ephemeral, type PayloadOf } from '../../protocol/events.ts';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import { exampleId, Id, Instant, instantPattern, line, nullable, text } from '../../protocol/values.ts';
import { maxErrorShown, maxListed } from './bounds.ts';

export * from './bounds.ts';

/** For whoever cannot load the kinds of topic: they name the same. */
export const jobTopic = (jobId: string): string => `job:${jobId}`;
export const userJobsTopic = (userId: string): string => `user:${userId}:jobs`;
export const adminJobsTopic = 'admin:jobs';

const strict = { additionalProperties: false };

/** Of a payload or a result, as JSON in UTF-8. */
export const maxDataBytes = 65_536;
/** How many queued and running jobs a user may have. */
export const maxUnfinished = 1_000;
/** How many of all jobs the snapshot for admins has, and how far it counts. */
export const maxListedForAdmins = 100;
export const maxCounted = 10_000;
/** How long a finished job is kept. */
export const keptHours = 168;
export const maxWaitSeconds = 30;
export const defaultLeaseSeconds = 30;
export const defaultMaxAttempts = 5;
/** How far ahead a job may be planned. */
export const maxAheadDays = 365;

export const JobStatus = Type.Union([
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('completed'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
]);
export type JobStatus = Static<typeof JobStatus>;

const JobType = Type.String({
  pattern: '^[a-z0-9._-]{1,64}$',
  description: '1 to 64 of the characters a-z 0-9 . _ -',
  examples: ['video.encode'],
});
const data = (description: string, example: unknown): TSchema =>
  Type.Unknown({
    description: `${description}: any JSON of up to ${maxDataBytes} bytes in UTF-8, its texts without NUL and halves of surrogate pairs`,
    examples: [example],
  });
const JobPayload = data('What the worker needs', { file: 'holiday.mov' });
const JobResult = data('What came of it', { frames: 1200 });
const JobError = Type.String({ ...text, minLength: 1, maxLength: 4_000, examples: ['The disk is full.'] });
const LeaseId = Type.String({ ...Id, description: 'Of the claim: who has another one, or none, is refused' });
const Amount = Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

// Outputs

export const Progress = Type.Object(
  {
    current: Amount,
    total: Amount,
    percentage: Type.Number({ minimum: 0, maximum: 100, description: 'With one decimal, rounded down' }),
    message: nullable(Type.String()),
  },
  { title: 'JobProgress' },
);
export type Progress = Static<typeof Progress>;

const faceFields = {
  id: Id,
  userId: Type.String({ ...Id, description: 'Whose job it is' }),
  type: JobType,
  priority: Type.Integer(),
  status: JobStatus,
  error: nullable(
    Type.String({
      description: `Of the last attempt that failed; in a face its first ${maxErrorShown} characters`,
    }),
  ),
  attempts: Type.Integer({
    minimum: 0,
    description: 'How often it was claimed since it was created or retried',
  }),
  maxAttempts: Type.Integer(),
  runAt: Type.String({ ...Instant, description: 'Not claimed before' }),
  workerId: nullable(Type.String({ description: 'As the last worker that claimed it calls itself' })),
  claimedBy: nullable(Type.String({ ...Id, description: 'The user as whom it did' })),
  createdAt: Instant,
  startedAt: nullable(Type.String({ ...Instant, description: 'When it was claimed last' })),
  finishedAt: nullable(Instant),
  updatedAt: Type.String({ ...Instant, description: 'When its status changed last' }),
};
const ownFields = {
  payload: Type.Unknown(),
  result: Type.Unknown({ description: 'Null until it is completed' }),
};
const progressField = { progress: nullable(Progress) };

/** In lists and in events: without what may be large. */
export const JobFace = Type.Object(faceFields, { title: 'JobFace' });
export type JobFace = Static<typeof JobFace>;

/** All of it but its progress, which no durable event tells. */
export const JobRecord = Type.Object({ ...faceFields, ...ownFields }, { title: 'JobRecord' });
export type JobRecord = Static<typeof JobRecord>;

export const Job = Type.Object({ ...faceFields, ...ownFields, ...progressField }, { title: 'Job' });
export type Job = Static<typeof Job>;

export const JobItem = Type.Object({ ...faceFields, ...progressField }, { title: 'JobItem' });
export type JobItem = Static<typeof JobItem>;
export const JobPage = pageOf(JobItem, 'JobPage');

/** For the worker that claimed it, and for nobody else: it alone knows the `leaseId`. */
export const ClaimedJob = Type.Object(
  { ...faceFields, ...ownFields, ...progressField, leaseId: LeaseId, leaseUntil: Instant },
  { title: 'ClaimedJob' },
);
export type ClaimedJob = Static<typeof ClaimedJob>;
export const ClaimedJobs = Type.Object({ items: Type.Array(ClaimedJob) }, { title: 'ClaimedJobs' });

// Inputs

export const CreateJob = Type.Object(
  {
    type: JobType,
    payload: JobPayload,
    priority: Type.Optional(
      Type.Integer({
        minimum: -100,
        maximum: 100,
        default: 0,
        description: 'Higher ones first, then the oldest',
      }),
    ),
    runAt: Type.Optional(
      Type.String({
        pattern: instantPattern,
        description: `Not before: ISO 8601 in UTC, at most ${maxAheadDays} days ahead by the clock of the database. What is past means now`,
        examples: ['2026-11-28T09:30:00.000Z'],
      }),
    ),
    maxAttempts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 20,
        default: defaultMaxAttempts,
        description: 'How often it is tried',
      }),
    ),
  },
  { ...strict, examples: [{ type: 'video.encode', payload: { file: 'holiday.mov' } }] },
);
export type CreateJob = Static<typeof CreateJob>;

export const NameJob = Type.Object({ jobId: Id }, strict);

const filters = {
  status: Type.Optional(Type.Union(JobStatus.anyOf, { description: 'Only those of this status' })),
  type: Type.Optional(Type.String({ ...JobType, description: 'Only those of this type' })),
};
export const ListJobs = Type.Object({ ...filters, ...pageQuery }, strict);
export const ListAllJobs = Type.Object(
  {
    ...filters,
    user: Type.Optional(Type.String({ ...Id, description: 'Only those of this user' })),
    ...pageQuery,
  },
  strict,
);
export type ListAllJobs = Static<typeof ListAllJobs>;

export const ClaimJobs = Type.Object(
  {
    types: Type.Array(JobType, { minItems: 1, maxItems: 50, uniqueItems: true }),
    workerId: Type.String({
      ...line,
      minLength: 1,
      maxLength: 100,
      description: 'What the worker calls itself: shown with the job, and nothing else',
      examples: ['encoder-1'],
    }),
    max: Type.Integer({ minimum: 1, maximum: 50, description: 'How many at most' }),
    waitSeconds: Type.Integer({
      minimum: 0,
      maximum: maxWaitSeconds,
      description: 'How long to wait for a job where there is none; then the answer is empty',
    }),
    leaseSeconds: Type.Optional(
      Type.Integer({
        minimum: 5,
        maximum: 300,
        default: defaultLeaseSeconds,
        description: 'How long the job is the worker’s: from the claim, and anew with each progress',
      }),
    ),
  },
  { ...strict, examples: [{ types: ['video.encode'], workerId: 'encoder-1', max: 1, waitSeconds: 0 }] },
);
export type ClaimJobs = Static<typeof ClaimJobs>;

export const ReportProgress = Type.Object(
  {
    jobId: Id,
    leaseId: LeaseId,
    current: Amount,
    total: Amount,
    message: Type.Optional(Type.String({ ...text, maxLength: 500, examples: ['Encoding'] })),
  },
  { ...strict, examples: [{ jobId: exampleId, leaseId: exampleId, current: 300, total: 1200 }] },
);
export type ReportProgress = Static<typeof ReportProgress>;

export const CompleteJob = Type.Object(
  { jobId: Id, leaseId: LeaseId, result: Type.Optional(JobResult) },
  { ...strict, examples: [{ jobId: exampleId, leaseId: exampleId, result: { frames: 1200 } }] },
);
export const FailJob = Type.Object(
  {
    jobId: Id,
    leaseId: LeaseId,
    error: JobError,
    retry: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'False: it is not tried again, whatever `maxAttempts` says',
      }),
    ),
  },
  strict,
);

// Events

const live = { liveOn: ['admin-jobs'] } as const;
const on = ['job', 'user-jobs'] as const;

export const events = {
  'job.created': durable(on, Type.Object({ jobId: Id, job: JobRecord }), live),
  /** Exactly one for each change of the status, the last event of that change. */
  'job.status': durable(
    on,
    Type.Object({
      jobId: Id,
      status: JobStatus,
      previous: JobStatus,
      attempt: Type.Integer({ minimum: 0 }),
      job: JobFace,
    }),
    live,
  ),
  'job.completed': durable(on, Type.Object({ jobId: Id, result: Type.Unknown() }), live),
  /** An attempt failed. Without `willRetryAt` it was the last one. */
  'job.failed': durable(
    on,
    Type.Object({
      jobId: Id,
      error: Type.String(),
      attempts: Type.Integer(),
      willRetryAt: Type.Optional(Instant),
    }),
    live,
  ),
  'job.cancelled': durable(on, Type.Object({ jobId: Id }), live),
  'job.progress': ephemeral(on, Type.Object({ jobId: Id, ...Progress.properties })),
};
/** What `job:` and `user:<id>:jobs` have, both the same. */
export type JobEvent = DurableEvent<typeof events, 'job'>;
export type ProgressEvent = {
  readonly type: 'job.progress';
  readonly payload: PayloadOf<typeof events, 'job.progress'>;
};

// States

export const JobState = Type.Object(
  {
    job: JobRecord,
    live: Type.Object(
      { progress: nullable(Progress) },
      { description: 'What `job.progress` tells: outside of the law, and as it was stored last' },
    ),
  },
  { title: 'JobState' },
);
export type JobState = Static<typeof JobState>;

export const UserJobsState = Type.Object(
  {
    jobs: Type.Array(JobFace, {
      maxItems: maxListed,
      description: `The newest ${maxListed} by their creation, the newest first`,
    }),
    live: Type.Object(
      { progress: Type.Record(Type.String(), Progress, { description: 'By job' }) },
      { description: 'What `job.progress` tells: outside of the law, and as it was stored last' },
    ),
  },
  { title: 'UserJobsState' },
);
export type UserJobsState = Static<typeof UserJobsState>;

export const AdminJobsState = Type.Object(
  {
    counts: Type.Record(Type.String(), Type.Integer(), {
      description: `By status; ${maxCounted} means as many or more`,
    }),
    jobs: Type.Array(JobFace, {
      maxItems: maxListedForAdmins,
      description: `The newest ${maxListedForAdmins} of all users, the newest first`,
    }),
  },
  { title: 'AdminJobsState', description: 'As it is now. No event of this topic has a place in an order' },
);
export type AdminJobsState = Static<typeof AdminJobsState>;
