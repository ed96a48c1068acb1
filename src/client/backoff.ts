// How long to wait before the next attempt: at random below a bound that doubles, so that many clients spread. Pure.

export interface BackoffTimes {
  readonly firstMs: number;
  readonly longestMs: number;
}

export class Backoff {
  readonly #times: BackoffTimes;
  readonly #random: () => number;
  #failures = 0;

  constructor(times: BackoffTimes, random: () => number) {
    this.#times = times;
    this.#random = random;
  }

  nextMs(): number {
    const { firstMs, longestMs } = this.#times;
    const boundMs = Math.min(longestMs, firstMs * 2 ** this.#failures);
    this.#failures += 1;
    return this.#random() * boundMs;
  }

  /** An attempt was successful. */
  reset(): void {
    this.#failures = 0;
  }
}
