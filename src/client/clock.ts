// Timers and chance as arguments, so that a test can drive them by hand; and a set of timers that ends as one.

export interface Clock {
  /** Answers how to call it off. */
  after(ms: number, run: () => void): () => void;
  /** From 0 to below 1. */
  random(): number;
}

export const systemClock: Clock = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

export class Alarms {
  readonly #clock: Clock;
  readonly #cancels = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Answers how to call it off. */
  set(ms: number, run: () => void): () => void {
    const stop = this.#clock.after(ms, () => {
      this.#cancels.delete(cancel);
      run();
    });
    const cancel = (): void => {
      this.#cancels.delete(cancel);
      stop();
    };
    this.#cancels.add(cancel);
    return cancel;
  }

  clear(): void {
    for (const cancel of [...this.#cancels]) cancel();
  }
}
