// Requests that wait for a job, in memory and without a database connection. Jobs of this instance wake them at once. Once a
// second, and only while somebody waits, one statement looks which types have something to claim: so jobs of other instances,
// and those whose time comes, are learned of within a second.
// One is woken for each job, the one that has waited longest; who finds nothing goes on waiting.

import type { Reporter } from '../../realtime/index.ts';

export interface Waiting {
  /** A request for jobs of these types, which is about to look for the first time. */
  enter(types: readonly string[], waitMs: number, signal: AbortSignal | undefined): Seeker;
  /** There may be a job of each of these types. */
  ring(types: readonly string[]): void;
  /** Waits for the look under way. */
  stop(): Promise<void>;
}

export interface Seeker {
  /** True: look again. False: the time is over, the server stops, or the client is gone. */
  wait(): Promise<boolean>;
  /** Call it when the request ends, whatever came of it. */
  leave(): void;
}

export interface WaitingDeps {
  /** Those of the types that have something to claim. */
  findReady(types: readonly string[]): Promise<readonly string[]>;
  readonly draining: AbortSignal;
  readonly reporter: Pick<Reporter, 'report'>;
}

const lookMs = 1_000;

interface Entry {
  readonly types: ReadonlySet<string>;
  /** A job came while it was looking, perhaps too late for that look. */
  isRung: boolean;
  /** There while it waits. */
  end: ((isRung: boolean) => void) | undefined;
}

export function createWaiting({ findReady, draining, reporter }: WaitingDeps): Waiting {
  const entries = new Set<Entry>();
  let waitingCount = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  let looking: Promise<void> | undefined;
  let isFailing = false;

  const wakeOne = (type: string): boolean => {
    for (const { types, end } of entries) {
      if (end === undefined || !types.has(type)) continue;
      end(true);
      return true;
    }
    return false;
  };
  const ring = (types: readonly string[]): void => {
    for (const type of types) {
      if (wakeOne(type)) continue;
      for (const entry of entries) entry.isRung ||= entry.types.has(type);
    }
  };
  const look = async (): Promise<void> => {
    try {
      const waiting = [...entries].filter(({ end }) => end !== undefined);
      const types = new Set(waiting.flatMap((entry) => [...entry.types]));
      for (const type of await findReady([...types])) wakeOne(type);
      isFailing = false;
    } catch (error) {
      if (!isFailing) reporter.report(error, 'looking for jobs');
      isFailing = true;
    }
    looking = undefined;
  };
  const count = (change: 1 | -1): void => {
    waitingCount += change;
    if (waitingCount === 0) {
      clearInterval(timer);
      timer = undefined;
    } else {
      timer ??= setInterval(() => {
        looking ??= look();
      }, lookMs);
    }
  };
  draining.addEventListener('abort', () => {
    for (const { end } of entries) end?.(false);
  });

  return {
    ring,
    enter(types, waitMs, signal) {
      const entry: Entry = { types: new Set(types), isRung: false, end: undefined };
      const endsAt = performance.now() + waitMs;
      entries.add(entry);
      return {
        async wait() {
          if (draining.aborted || signal?.aborted) return false;
          if (entry.isRung) {
            entry.isRung = false;
            return true;
          }
          const leftMs = endsAt - performance.now();
          if (leftMs <= 0) return false;
          const ended = Promise.withResolvers<boolean>();
          const giveUp = () => ended.resolve(false);
          const late = setTimeout(giveUp, leftMs);
          signal?.addEventListener('abort', giveUp);
          entry.end = (isRung) => {
            entry.end = undefined; // the next job wakes another one
            ended.resolve(isRung);
          };
          count(1);
          const isRung = await ended.promise;
          count(-1);
          entry.end = undefined;
          clearTimeout(late);
          signal?.removeEventListener('abort', giveUp);
          return isRung;
        },
        leave() {
          entries.delete(entry);
          if (entry.isRung) ring(types); // it does not look again: somebody else may
        },
      };
    },
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
