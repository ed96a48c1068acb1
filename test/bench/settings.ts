// How long and how large. `--quick` checks that the bench works; its figures mean nothing.

export interface Settings {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** After 1.5 s the compilers of a server of ours still took a third of its time; for all servers the same. */
const warmUpMs = 5_000;

export function createSettings(isQuick: boolean, rounds: number | undefined): Settings {
  return isQuick
    ? { isQuick, rounds: rounds ?? 1, warmUpMs: 200, measureMs: 500 }
    : { isQuick, rounds: rounds ?? 3, warmUpMs, measureMs: 3_000 };
}

/** What is said in every scenario. */
export const message = 'x'.repeat(128);

/** For one round that opens up to 1,000 connections. */
export const roundDeadlineMs = 60_000;
