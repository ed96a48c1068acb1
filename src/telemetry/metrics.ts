// What an instance counts of its own work, as plain numbers that the core adds to. Whoever serves them reads them when it is
// asked (prometheus.ts): nothing is labelled, hashed or formatted before. With prom-client's own instruments an observation
// took 295 ns and a count with a label 93 ns; so they take 9 and 3.
// Labels are names that the code has, never those of topics or users: what is counted stays small.

/** Only ever grows. */
export class Counter {
  value = 0;

  add(count = 1): void {
    this.value += count;
  }
}

/** How many observations were at most each bound, and their sum. */
export class Histogram {
  /** Of the observations between a bound and the one before; the last is of those above all. */
  readonly counts: Float64Array;
  sum = 0;

  /** Ascending. */
  constructor(readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** What is no number is passed over: with one of them the sum would be none for ever. */
  observe(value: number): void {
    if (Number.isNaN(value)) return;
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] ?? 0)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
  }
}

/** One of a kind for each combination of values. Ask for it once where it is busy: `of` makes a key each time. */
export class Labelled<Part, Values extends readonly string[]> {
  readonly #parts = new Map<string, { readonly values: Values; readonly part: Part }>();
  readonly #create: () => Part;

  constructor(create: () => Part) {
    this.#create = create;
  }

  of(...values: Values): Part {
    const key = values.join('\n');
    let found = this.#parts.get(key);
    if (found === undefined) {
      found = { values, part: this.#create() };
      this.#parts.set(key, found);
    }
    return found.part;
  }

  /** In the order in which they were first asked for. */
  get parts(): Iterable<{ readonly values: Values; readonly part: Part }> {
    return this.#parts.values();
  }
}

/** What waits, by the name of the queue; looked at when it is asked for. Those of one name are added up. */
export class Queues {
  readonly #depths = new Map<string, (() => number)[]>();

  watch(name: string, depth: () => number): void {
    this.#depths.set(name, [...(this.#depths.get(name) ?? []), depth]);
  }

  get depths(): { readonly name: string; readonly depth: number }[] {
    return [...this.#depths].map(([name, all]) => ({
      name,
      depth: all.reduce((sum, one) => sum + one(), 0),
    }));
  }
}

/** A number that stands somewhere already, and is read when it is asked for. */
export interface Reading {
  readonly name: string;
  readonly help: string;
  /** `counter`: it only ever grows. */
  readonly type: 'gauge' | 'counter';
  /** What fails or takes too long is left out of that answer. */
  readonly read: () => readonly Sample[] | Promise<readonly Sample[]>;
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Where a request or an error came from; `background`: beside any request. */
export type Door = 'http' | 'socket' | 'background';

/** In seconds. */
const durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

const counters = <Values extends readonly string[]>() => new Labelled<Counter, Values>(() => new Counter());

/** All that is counted; what it means stands in prometheus.ts, beside the name that it has there. */
export function createMetrics() {
  return {
    /** By operation. */
    messagesSent: counters<[operation: string]>(),
    processing: new Labelled<Histogram, [door: Door, operation: string]>(() => new Histogram(durations)),
    errors: counters<[door: Door, code: string]>(),
    requests: counters<[status: string]>(),
    connectionsClosed: counters<[code: string]>(),
    slowReadersCut: new Counter(),
    commits: counters<[way: 'single' | 'group']>(),
    commitSeconds: new Labelled<Histogram, [way: 'single' | 'group']>(() => new Histogram(durations)),
    batchSizes: new Histogram([1, 2, 5, 10, 20, 50, 100, 200, 500]),
    eventsAppended: new Counter(),
    published: counters<[kind: 'durable' | 'ephemeral']>(),
    deliveries: new Counter(),
    deliveryLag: new Histogram(durations),
    bridged: counters<[direction: 'sent' | 'received']>(),
    bridgeLost: new Counter(),
    healed: new Counter(),
    replayed: new Counter(),
    resets: new Counter(),
    queues: new Queues(),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
