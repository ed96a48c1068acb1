// Compares the topics served here with the log, so that what was committed and never arrived is delivered all the same.
// Topics in motion every second, quiet ones every ten; all of them every second while frames may be missing.

import type { Bridge } from '../bridge/bridge.ts';
import type { Reporter } from '../report.ts';
import type { Hub } from './hub.ts';

export interface HealDeps {
  readonly hub: Pick<Hub, 'topics' | 'healTo'>;
  readonly bridge: Pick<Bridge, 'isComplete'>;
  /** Looks whether the log is still the one that was delivered; before anything is read from it. */
  readonly refreshLog: () => Promise<void>;
  readonly readHeads: (topics: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  readonly reporter: Pick<Reporter, 'report'>;
}

export interface HealTimes {
  readonly roundMs: number;
  /** Every so many rounds quiet topics are asked about, too. */
  readonly quietRounds: number;
  /** A topic counts as in motion for this long behind its last event. */
  readonly motionMs: number;
}

const defaultTimes: HealTimes = { roundMs: 1_000, quietRounds: 10, motionMs: 10_000 };
/** Topics asked about in one query, by primary key. */
const sliceSize = 1_000;

export interface Healing {
  /** Compares every topic now, or as soon as the round under way is over. */
  healNow(): void;
  /** Waits for the round under way. */
  stop(): Promise<void>;
}

export function startHealing(deps: HealDeps, times: HealTimes = defaultTimes): Healing {
  let round = 0;
  let current: Promise<void> | undefined;
  let isDueNow = false;

  const run = (): void => {
    if (current !== undefined) return;
    round += 1;
    const isThorough = isDueNow || !deps.bridge.isComplete || round % times.quietRounds === 0;
    isDueNow = false;
    current = heal(deps, isThorough ? undefined : performance.now() - times.motionMs)
      .catch((error: unknown) => deps.reporter.report(error, 'healing'))
      .finally(() => {
        current = undefined;
        if (isDueNow) run();
      });
  };
  const timer = setInterval(run, times.roundMs);

  return {
    healNow() {
      isDueNow = true;
      run();
    },
    async stop() {
      clearInterval(timer);
      isDueNow = false;
      await current;
    },
  };
}

async function heal({ hub, refreshLog, readHeads }: HealDeps, movedSince: number | undefined): Promise<void> {
  await refreshLog();
  const topics = hub.topics(movedSince);
  for (let start = 0; start < topics.length; start += sliceSize) {
    await hub.healTo(await readHeads(topics.slice(start, start + sliceSize)));
  }
}
