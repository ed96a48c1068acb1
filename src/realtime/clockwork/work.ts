// One kind of timed thing, done: what is due together, up to 100 in a transaction; what failed, one at a time and apart from
// it, so that it keeps nothing waiting. A batch that fails is run again in parts, until the one at fault is alone: it backs off.
//
// A lock that somebody keeps is waited for 100 ms by a batch, and 25 ms by its parts, once each: what is stuck keeps the others
// no longer, and is a failure from then on. Retries wait longer from time to time, up to the 2 s of a command, so that an item
// whose place is merely busy gets there in the end.
//
// An unavailable database is no item's failure. It looks like one, though, when an item brings its connection down: so the
// second time in a row that the database answers a claim and then not the work, the work is to blame.

import type { Db } from '../../db/database.ts';
import { isDatabaseAway, isLockTimeout } from '../../db/errors.ts';
import type { Telemetry } from '../../telemetry/tracing.ts';
import { createAfterCommit } from '../after-commit.ts';
import type { Emit } from '../log/commit.ts';
import type { ModuleCore } from '../module-core.ts';
import {
  type Claimed,
  claimDue,
  claimRetried,
  claimRetry,
  claimThese,
  findStillDue,
  limitWaits,
  type Retry,
  recordFailure,
} from './items.ts';
import type { Timed, TimedContext } from './timed.ts';

export type ClockworkCore = Pick<ModuleCore, 'db' | 'commit' | 'audit' | 'reporter'> & {
  readonly telemetry?: Pick<Telemetry, 'tracer'>;
};

/** `more`: go on at once. `nothing`: what is due is in the hands of others. */
export type Round = () => Promise<'more' | 'done' | 'nothing'>;

/** Since the start, of one kind. */
export interface Counts {
  /** Transactions that found something due. */
  runs: number;
  /** Items. */
  done: number;
  /** Items, once for each time that one failed. */
  failed: number;
  /** Between the due time and COMMIT: of the item that was done last, and of the worst one. Retries are left out. */
  lateMs: number;
  worstLateMs: number;
}

const maxBatch = 100;
const partSize = 10;
/** Whoever has a lock commits within milliseconds, or is in trouble. */
const batchLockMs = 100;
const behindLockMs = 25;
/** As commands wait. */
const maxLockMs = 2_000;

/** Each of them throws when the database is away. They may run side by side, but not beside themselves. */
export function createRounds(
  core: ClockworkCore,
  kind: Timed,
  counts: Counts,
  isStopping: () => boolean,
): { readonly runDue: Round; readonly runRetry: Round } {
  const { reporter } = core;
  const transact = (claim: (tx: Db) => Promise<Claimed[]>) => runClaimed(core, kind, counts, claim);
  const fail = async (item: Claimed, error: unknown): Promise<void> => {
    counts.failed += 1;
    const failure = await recordFailure(core.db, kind, item.id);
    const again =
      failure === undefined
        ? ''
        : ` (attempt ${failure.attempts}, again in ${Math.round(failure.retryMs / 1_000)} s)`;
    reporter.report(error, `${kind.name} of ${item.id}${again}`);
  };
  const judgeDue = createJudge();
  const judgeRetry = createJudge();

  /** Ten at a time, and those of the ten that fail one at a time: with one at fault, 20 transactions in the place of 100. */
  const runApart = async (items: readonly Claimed[], cause: unknown): Promise<void> => {
    let lockMs = isLockTimeout(cause) ? behindLockMs : batchLockMs;
    let isExplained = false;
    for (const part of split(items, items.length > partSize ? partSize : 1)) {
      if (isStopping()) return;
      const ids = part.map(({ id }) => id);
      const { claimed, error } = await transact((tx) => limited(tx, lockMs, claimThese(tx, kind, ids)));
      // Another instance had some of them, and knows.
      if (claimed.length < part.length) isExplained = true;
      if (error === undefined) continue;
      isExplained = true;
      await explain(claimed, error);
      if (isLockTimeout(error)) lockMs = behindLockMs;
    }
    if (!isExplained)
      reporter.report(cause, `${kind.name} of ${items.length} together, though not of fewer,`);
  };
  /** Throws where it is the database that is away. */
  const explain = async (claimed: readonly Claimed[], error: unknown): Promise<void> => {
    const [first] = claimed;
    if (first === undefined || !judgeDue.mayBlame(error)) throw error;
    if (claimed.length === 1) await fail(first, error);
    else await runApart(claimed, error);
  };

  return {
    async runDue() {
      const { claimed, error } = await transact((tx) =>
        limited(tx, batchLockMs, claimDue(tx, kind, maxBatch)),
      );
      if (error === undefined) judgeDue.calm();
      else await explain(claimed, error);
      if (claimed.length === 0) return 'nothing';
      return claimed.length === maxBatch || error !== undefined ? 'more' : 'done';
    },

    async runRetry() {
      let retry: Retry | undefined;
      const { claimed, error } = await transact(async (tx) => {
        retry = await claimRetry(tx, kind);
        if (retry === undefined) return [];
        const lockMs = Math.min(maxLockMs, batchLockMs * 2 ** retry.attempts);
        return await limited(tx, lockMs, claimRetried(tx, kind, retry));
      });
      if (error === undefined) judgeRetry.calm();
      else {
        const [item] = claimed;
        if (item === undefined || !judgeRetry.mayBlame(error)) throw error;
        await fail(item, error);
      }
      return retry === undefined ? 'nothing' : 'more';
    },
  };
}

const split = <Item>(items: readonly Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));

/** Claims, runs and commits. The error is answered with what was claimed by then. */
async function runClaimed(
  { commit, audit, reporter, telemetry }: ClockworkCore,
  kind: Timed,
  counts: Counts,
  claim: (tx: Db) => Promise<Claimed[]>,
): Promise<{ readonly claimed: readonly Claimed[]; readonly error?: unknown }> {
  let claimed: readonly Claimed[] = [];
  let claimedAt = 0;
  const after = createAfterCommit(reporter);
  const span = telemetry?.tracer?.start(`clockwork ${kind.name}`);
  const work = async (tx: Db, emit: Emit) => {
    after.begin();
    claimed = [];
    claimed = await claim(tx);
    claimedAt = performance.now();
    if (claimed.length === 0) return {};
    const ids = claimed.map(({ id }) => id);
    const context: TimedContext = {
      tx,
      emit,
      audit: (event, details, userId) => audit(tx, { event, userId, details }),
      afterCommit: after.add,
    };
    await kind.run(context, ids);
    const [left] = await findStillDue(tx, kind, ids);
    if (left !== undefined) throw new Error(stillDue(kind, left));
    return {};
  };
  try {
    await commit(undefined, work, undefined, span?.context);
  } catch (error) {
    span?.end('failed');
    return { claimed, error };
  }
  span?.end();
  note(counts, claimed, performance.now() - claimedAt);
  after.runAll();
  return { claimed };
}

const stillDue = ({ name }: Timed, id: string): string =>
  `${name} has run and left ${id} open and due, so it would run for ever: close it, or set its time ahead of now().`;

function note(counts: Counts, claimed: readonly Claimed[], tookMs: number): void {
  if (claimed.length === 0) return;
  counts.runs += 1;
  counts.done += claimed.length;
  const late = claimed.flatMap(({ lateMs }) => (lateMs === undefined ? [] : [lateMs + tookMs]));
  counts.lateMs = late.at(-1) ?? counts.lateMs;
  counts.worstLateMs = Math.max(counts.worstLateMs, ...late);
}

/** Tells the database's failures from those of the work. */
function createJudge() {
  let wasAway = false;
  return {
    /** The claim was answered, and then came this: may what was claimed be to blame? */
    mayBlame(error: unknown): boolean {
      if (!isDatabaseAway(error)) return true;
      const isSecond = wasAway;
      wasAway = true;
      return isSecond;
    },
    calm() {
      wasAway = false;
    },
  };
}

/** Sent together: a claim waits for no lock, so the limit need not be there before it. */
async function limited(tx: Db, lockMs: number, claiming: Promise<Claimed[]>): Promise<Claimed[]> {
  const [claimed] = await Promise.all([claiming, limitWaits(tx, lockMs)]);
  return claimed;
}
