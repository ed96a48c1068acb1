// What a scenario is made of: cases, each measured for some contenders, round by round in turn (A B A B), so that a noisy
// minute hits all of them.

import { median } from './load/percentile.ts';

export interface Scenario {
  /** What `--only` takes. */
  readonly name: string;
  readonly title: string;
  /** Why it cannot run on this machine. The report says so, and the others run. */
  readonly missing?: string | undefined;
  readonly cases: readonly Case[];
}

export interface Case {
  readonly name: string;
  /** Of the value, such as `deliveries/s`. */
  readonly unit: string;
  readonly contenders: readonly Contender[];
  readonly goals: readonly Goal[];
  /** Of one round of one contender; it counts as failed then. */
  readonly deadlineMs: number;
}

export interface Contender {
  readonly name: string;
  /** One round, with servers of its own from start to stop. */
  measure(): Promise<Sample>;
}

export interface Sample {
  readonly value: number;
  /** More figures, by what they are called in the table. */
  readonly also?: Readonly<Record<string, number>>;
  /** Of one core. Undefined where the load is not meant to keep the server busy. */
  readonly serverShare?: number;
  readonly loadShare?: number;
}

/** The medians of a contender's rounds; undefined where none succeeded. */
export type Medians = (contender: string) => Sample | undefined;

export interface Goal {
  readonly contender: string;
  readonly text: string;
  /** Undefined where a figure is missing. */
  check(medians: Medians): { readonly found: string; readonly isMet: boolean } | undefined;
}

export const carillonName = 'Carillon';

export interface Measured {
  readonly contender: string;
  /** Of the rounds that succeeded. */
  readonly samples: readonly Sample[];
  readonly failures: readonly string[];
}

/** Every contender once a round; tells each result as it comes. `clear` ends what a failed round has left behind. */
export async function measureCase(
  { contenders, deadlineMs }: Case,
  options: { rounds: number; tell: (line: string) => void; clear: () => Promise<void> },
): Promise<Measured[]> {
  const { rounds, tell, clear } = options;
  const measured = contenders.map(({ name }) => ({
    contender: name,
    samples: [] as Sample[],
    failures: [] as string[],
  }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, { name, measure }] of contenders.entries()) {
      const result = measured[index];
      try {
        const sample = await withDeadline(measure(), deadlineMs);
        result?.samples.push(sample);
        tell(`  ${name}, round ${round}: ${sample.value.toPrecision(4)}`);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        result?.failures.push(why);
        tell(`  ${name}, round ${round} failed: ${why}`);
        await clear(); // where it was late, it still runs
      }
    }
  }
  return measured;
}

export function mediansOf(measured: readonly Measured[]): Medians {
  return (contender) => {
    const samples = measured.find((one) => one.contender === contender)?.samples ?? [];
    const [first] = samples;
    return first && medianSample(samples, first);
  };
}

function medianSample(samples: readonly Sample[], first: Sample): Sample {
  const of = (pick: (sample: Sample) => number | undefined) =>
    median(samples.map(pick).filter((value) => value !== undefined));
  const names = Object.keys(first.also ?? {});
  return {
    value: of(({ value }) => value),
    also: Object.fromEntries(names.map((name) => [name, of(({ also }) => also?.[name])])),
    ...(first.serverShare !== undefined && { serverShare: of(({ serverShare }) => serverShare) }),
    ...(first.loadShare !== undefined && { loadShare: of(({ loadShare }) => loadShare) }),
  };
}

async function withDeadline<Value>(work: Promise<Value>, deadlineMs: number): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`It took more than ${deadlineMs / 1_000} s.`)),
    deadlineMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
