// The face of the core: all that auth and modules may import of it.

export { type Actor, type Device, metaOf, type Quota, requireRole, type TopicGrants } from './actor.ts';
export { type AfterCommit, createAfterCommit } from './after-commit.ts';
export { type Timed, type TimedContext, timed } from './clockwork/timed.ts';
export type { BatchItem, BatchWork } from './log/batch-commit.ts';
export { createBatcher } from './log/batcher.ts';
export { type Commit, type Committed, type Emit, type EmitPlain, keyedBy } from './log/commit.ts';
export { isLastPage, type Rewrite, readEvents, readHeads } from './log/event-log.ts';
export type { CreateGroup, GroupItem } from './log/group-commit.ts';
export { rewriteResult, takeOrRepeat } from './log/keys.ts';
export {
  type DefinedModule,
  defineModule,
  type Module,
  type OnUserDeleted,
  type TopicsAround,
} from './module.ts';
export type { Announce, Audience, AuditEntry, ModuleCore, RateLimit, ReadAudit } from './module-core.ts';
export {
  type Answer,
  action,
  type BatchedItem,
  batched,
  type Call,
  type CommandContext,
  command,
  grouped,
  type Operation,
  query,
} from './operation.ts';
export type { Hiding } from './presence/hiding.ts';
export type { Devices, Presence } from './presence/presence.ts';
export type { Reporter } from './report.ts';
export { startRounds } from './rounds.ts';
export type { Credentials, RejectedLogin } from './socket/hello.ts';
export { type SnapshotPart, type Topic, type TopicKind, topicKind } from './topic-kind.ts';
