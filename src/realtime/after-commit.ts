// What is to be done behind COMMIT, for a transaction that may run again: of the attempt that succeeded, and once.

import type { Reporter } from './report.ts';

export interface AfterCommit {
  /** At the beginning of each attempt: what an earlier one asked for was rolled back with it. */
  begin(): void;
  add(run: () => void): void;
  /** Behind COMMIT. What one of them throws is reported: the change stands, whatever becomes of it. */
  runAll(): void;
}

export function createAfterCommit(reporter: Pick<Reporter, 'report'>): AfterCommit {
  let runs: (() => void)[] = [];
  return {
    begin() {
      runs = [];
    },
    add: (run) => void runs.push(run),
    runAll() {
      for (const run of runs) {
        try {
          run();
        } catch (error) {
          reporter.report(error, 'what follows a commit');
        }
      }
    },
  };
}
