// Compares the topics served here with the log, so that what was committed and never arrived is delivered all the same.
// Topics in motion every second, quiet ones every ten; all of them every second while frames may be missing.

import type { Bridge } from './bridge.ts';
import type { Hub } from './hub.ts';

export interface HealDeps {
  readonly hub: Hub;
  readonly bridge: Pick<Bridge, 'isComplete'>;
  readonly readHeads: (topics: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  readonly onFailure: (error: unknown, what: string) => void;
}

const roundMs = 1_000;
const quietRounds = 10;
/** A topic counts as in motion for this long behind its last event. */
const motionMs = 10_000;
/** Topics asked about in one query, by primary key. */
const sliceSize = 1_000;

/** Starts the rounds; answers their stop, which waits for the one under way. */
export function startHealing(deps: HealDeps): () => Promise<void> {
  let round = 0;
  let current = Promise.resolve();
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    round += 1;
    current = heal(deps, round)
      .catch((error: unknown) => deps.onFailure(error, 'healing'))
      .finally(() => {
        isBusy = false;
      });
  }, roundMs);
  return async () => {
    clearInterval(timer);
    await current;
  };
}

async function heal({ hub, bridge, readHeads }: HealDeps, round: number): Promise<void> {
  const isThorough = !bridge.isComplete || round % quietRounds === 0;
  const topics = hub.topics(isThorough ? undefined : performance.now() - motionMs);
  for (let start = 0; start < topics.length; start += sliceSize) {
    await hub.healTo(await readHeads(topics.slice(start, start + sliceSize)));
  }
}
