// How many connections a user and an address have, on all instances together. [H7] Every variant passes the suite in
// test/realtime/counts/counts.test.ts.

export type Counted = 'user' | 'address';

export interface ConnectionCounts {
  /**
   * One more, here; answers how many there are with it. Of two that enter at once on different instances one is told of both.
   * Never fails: what is not known of others is left out.
   */
  enter(kind: Counted, name: string): Promise<number>;
  /** One less, here, of those that entered, be it that their count has not been answered yet. */
  leave(kind: Counted, name: string): void;
  stop(): Promise<void>;
}

/** What an instance has itself. */
export class OwnCounts {
  readonly #counts: Record<Counted, Map<string, number>> = { user: new Map(), address: new Map() };

  of(kind: Counted, name: string): number {
    return this.#counts[kind].get(name) ?? 0;
  }

  /** Answers what it is then. */
  add(kind: Counted, name: string, change: 1 | -1): number {
    const counts = this.#counts[kind];
    const count = (counts.get(name) ?? 0) + change;
    if (count > 0) counts.set(name, count);
    else counts.delete(name);
    return Math.max(0, count);
  }

  *all(): Iterable<readonly [kind: Counted, name: string, count: number]> {
    for (const kind of ['user', 'address'] as const) {
      for (const [name, count] of this.#counts[kind]) yield [kind, name, count];
    }
  }
}
