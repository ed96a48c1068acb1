// How long and how large. `--quick` checks that the bench works; its figures mean nothing.

export interface Settings {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export function createSettings(isQuick: boolean, rounds: number | undefined): Settings {
  return isQuick
    ? { isQuick, rounds: rounds ?? 1, warmUpMs: 200, measureMs: 500 }
    : { isQuick, rounds: rounds ?? 3, warmUpMs: 1_500, measureMs: 3_000 };
}

/** What is said in every scenario. */
export const message = 'x'.repeat(128);

/** For one round that opens up to 1,000 connections. */
export const roundDeadlineMs = 60_000;
