// Says who came and who left, in the order in which it happened, to everyone but those from whom the user hides. They are
// read from the database, once for all who come at the same time. While it does not answer nothing is said: it is said later.

import { createBatcher } from '../log/batcher.ts';
import type { Reporter } from '../report.ts';
import type { AnnouncePresence } from './presence.ts';

export interface AnnouncerDeps {
  readonly announce: (...said: [...Parameters<AnnouncePresence>, exceptUserIds: readonly string[]]) => void;
  /** See `Hiding`. */
  readonly findUnseeing: (userIds: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
  readonly reporter: Pick<Reporter, 'report'>;
  /** Shortened by tests. */
  readonly retryMs?: number;
}

export interface Announcer {
  readonly announce: AnnouncePresence;
  /** What was not said by then is not said any more. */
  stop(): void;
}

type Said = Parameters<AnnouncePresence>;

export function createAnnouncer(deps: AnnouncerDeps): Announcer {
  const { announce, findUnseeing, reporter, retryMs = 1_000 } = deps;
  let isStopped = false;

  async function findPatiently(userIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await findUnseeing(userIds);
      } catch (error) {
        if (isStopped) return new Map();
        if (failures === 0) reporter.report(error, 'finding out from whom users hide');
        await Bun.sleep(retryMs);
      }
    }
  }

  const add = createBatcher<Said, void>({
    maxBatch: 1_000,
    maxWaiting: Number.POSITIVE_INFINITY, // bounded by the connections that come and go
    onFailure: (error) => reporter.report(error, 'announcing presence'),
    async run(batch) {
      const unseeing = await findPatiently([...new Set(batch.map(([, , userId]) => userId))]);
      for (const said of isStopped ? [] : batch) {
        try {
          announce(...said, unseeing.get(said[2]) ?? []);
        } catch (error) {
          reporter.report(error, `announcing ${said[0]} on ${said[1]}`); // and the others are announced all the same
        }
      }
      return { outcomes: batch.map(() => ({ isDone: true, result: undefined })) };
    },
  });
  return {
    announce: (...said) => void add(said),
    stop() {
      isStopped = true;
    },
  };
}
