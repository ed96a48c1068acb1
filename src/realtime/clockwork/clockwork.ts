// Makes happen what is due, on every instance, each thing once: whoever locks it first does it.
// Due is what the database's `now()` says. One timer: it asks the database in how many ms something is due next, on any
// instance, and sleeps so long by a clock that nobody sets, a second at most: what others make due is learned of then.
// What is due is done at most 250 ms late, 2 s where the instance that was at it died; what fails backs off alone.

import { forgetOldFailures, type NextDue, readNextDue } from './items.ts';
import type { Timed } from './timed.ts';
import { type ClockworkCore, type Counts, createRounds, type Round } from './work.ts';

export interface Clockwork {
  /** Something is due in so many ms, or may be: it is looked for then at the latest. Call it behind COMMIT. */
  wakeIn(ms: number): void;
  /** By kind, since the start, of this instance. */
  readonly counts: ReadonlyMap<string, Readonly<Counts>>;
  /** Waits for what is under way. */
  stop(): Promise<void>;
}

const maxSleepMs = 1_000;
/** What is due is locked by another instance, or by a command: until it is looked for again. */
const heldMs = 100;
/** Until a database that is away is tried again. */
const awayMs = 1_000;
/** Between two looks, however often it is woken. */
const minSleepMs = 10;

/** What of a kind is done by itself: what is due, or the retries. */
interface Lane {
  readonly what: string;
  readonly round: Round;
  /** In what `readNextDue` answers. */
  readonly nextMs: (due: Partial<NextDue>) => number | undefined;
  readonly place: number;
  underWay: Promise<void> | undefined;
  /** By `performance.now()`. */
  restsUntil: number;
  isFailing: boolean;
}

/** Without kinds it does nothing at all. */
export function startClockwork(core: ClockworkCore, kinds: readonly Timed[]): Clockwork {
  const { db, reporter } = core;
  const counts = new Map<string, Counts>();
  let isStopping = false;
  const lanes = kinds.flatMap((kind, place): Lane[] => {
    const own: Counts = { runs: 0, done: 0, failed: 0, lateMs: 0, worstLateMs: 0 };
    counts.set(kind.name, own);
    const { runDue, runRetry } = createRounds(core, kind, own, () => isStopping);
    const idle = { place, underWay: undefined, restsUntil: 0, isFailing: false };
    return [
      { ...idle, what: kind.name, round: runDue, nextMs: ({ itemMs }) => itemMs },
      { ...idle, what: `a retry of ${kind.name}`, round: runRetry, nextMs: ({ retryMs }) => retryMs },
    ];
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking: Promise<void> | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let wakesAt = Number.POSITIVE_INFINITY;
  let isFailing = false;
  let hasForgotten = false;

  const wakeIn = (ms: number): void => {
    const at = Math.max(performance.now() + ms, lookedAt + minSleepMs);
    if (!(at < wakesAt)) return;
    wakesAt = at;
    sleep();
  };
  const sleep = (): void => {
    clearTimeout(timer);
    if (isStopping || looking !== undefined) return;
    timer = setTimeout(wake, Math.max(0, Math.ceil(wakesAt - performance.now())));
  };
  const wake = (): void => {
    wakesAt = Number.POSITIVE_INFINITY;
    looking = look().then((nextMs) => {
      looking = undefined;
      lookedAt = performance.now();
      wakesAt = Math.max(lookedAt + minSleepMs, Math.min(lookedAt + nextMs, wakesAt)); // woken meanwhile: sooner
      sleep();
    });
  };

  /** Starts what is due, and answers in how many ms to look again. */
  const look = async (): Promise<number> => {
    let nextMs = maxSleepMs;
    try {
      const due = await readNextDue(db, kinds);
      for (const lane of lanes) {
        const dueMs = lane.nextMs(due[lane.place] ?? {});
        if (lane.underWay !== undefined || dueMs === undefined || isStopping) continue; // at its end, it looks again
        const waitMs = Math.max(dueMs, lane.restsUntil - performance.now());
        if (waitMs <= 0) lane.underWay = run(lane);
        else nextMs = Math.min(nextMs, waitMs);
      }
      if (!hasForgotten) await forgetOldFailures(db);
      hasForgotten = true;
      isFailing = false;
    } catch (error) {
      if (!isFailing) reporter.report(error, 'looking for what is due');
      isFailing = true;
      nextMs = awayMs;
    }
    return nextMs;
  };
  const run = async (lane: Lane): Promise<void> => {
    let restMs = 0;
    try {
      let outcome = await lane.round();
      if (outcome === 'nothing') restMs = heldMs;
      while (outcome === 'more' && !isStopping) outcome = await lane.round();
      lane.isFailing = false;
    } catch (error) {
      if (!lane.isFailing) reporter.report(error, lane.what);
      lane.isFailing = true;
      restMs = awayMs;
    }
    lane.restsUntil = performance.now() + restMs;
    lane.underWay = undefined;
    wakeIn(0);
  };

  if (kinds.length > 0) wakeIn(0);
  return {
    wakeIn: kinds.length > 0 ? wakeIn : () => {},
    counts,
    async stop() {
      isStopping = true;
      clearTimeout(timer);
      await looking;
      await Promise.all(lanes.map(({ underWay }) => underWay));
    },
  };
}
