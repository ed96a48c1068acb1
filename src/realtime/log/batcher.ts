// What arrives while a batch is under way shares the next one, in the order of arrival. Two stages, one batch in each: while
// one is finished the next one runs. The cost of a batch is paid once for all in it, and the busier it gets, the larger
// the batches. Knows nothing of databases.

import { AppError } from '../../protocol/errors.ts';

export interface BatcherOptions<Item, Result> {
  /** One batch at a time. What it throws is the outcome of every item in it. */
  readonly run: (items: readonly Item[]) => Promise<Ran<Result>>;
  readonly maxBatch: number;
  /** More than this may not wait: `unavailable`. */
  readonly maxWaiting: number;
  /** Told what `finish` threw. Must not throw. */
  readonly onFailure: (error: unknown) => void;
  /** Given once what tells how many wait. */
  readonly watch?: (depth: () => number) => void;
}

export interface Ran<Result> {
  /** One an item, in the order of the items. */
  readonly outcomes: readonly Outcome<Result>[];
  /**
   * What is left to do before the items settle. One at a time too, in order, beside the next batch's run. When it fails,
   * the outcomes stand: what has run cannot be taken back.
   */
  readonly finish?: () => Promise<void>;
}

export type Outcome<Result> =
  | { readonly isDone: true; readonly result: Result }
  | { readonly isDone: false; readonly error: unknown };

/** Settles when the item's batch is through. The order of calls is the order of effects. Throws `unavailable` when full. */
export type Add<Item, Result> = (item: Item) => Promise<Result>;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly settled: PromiseWithResolvers<Result>;
}

export function createBatcher<Item, Result>(options: BatcherOptions<Item, Result>): Add<Item, Result> {
  const waiting: Waiting<Item, Result>[] = [];
  let isRunning = false;
  let finishing = Promise.resolve();
  options.watch?.(() => waiting.length);

  const runAll = async (): Promise<void> => {
    try {
      while (waiting.length > 0) {
        const batch = waiting.splice(0, options.maxBatch);
        const ran = await run(batch.map(({ item }) => item));
        await finishing; // where finishing is the slower stage, what has run must not pile up before it
        finishing = finish(batch, ran);
      }
    } finally {
      isRunning = false;
    }
  };

  const run = async (items: readonly Item[]): Promise<Ran<Result>> => {
    try {
      return await options.run(items);
    } catch (error) {
      return { outcomes: items.map(() => ({ isDone: false, error })) };
    }
  };

  const finish = async (batch: readonly Waiting<Item, Result>[], ran: Ran<Result>): Promise<void> => {
    try {
      await ran.finish?.();
    } catch (error) {
      options.onFailure(error);
    } finally {
      settle(batch, ran.outcomes);
    }
  };

  return (item) => {
    if (waiting.length >= options.maxWaiting) {
      const error = new AppError(
        'unavailable',
        'Too much is waiting to be written. Nothing was changed; try again.',
        {
          retryAfterMs: 1_000,
        },
      );
      return Promise.reject(error);
    }
    const settled = Promise.withResolvers<Result>();
    waiting.push({ item, settled });
    if (!isRunning) {
      isRunning = true;
      // In a task of its own: what arrives in this turn of the event loop is in the first batch already.
      queueMicrotask(() => void runAll());
    }
    return settled.promise;
  };
}

function settle<Item, Result>(
  batch: readonly Waiting<Item, Result>[],
  outcomes: readonly Outcome<Result>[],
): void {
  batch.forEach(({ settled }, index) => {
    const outcome = outcomes[index];
    if (outcome?.isDone) settled.resolve(outcome.result);
    else settled.reject(outcome?.error ?? new Error('The batch did not answer for this item.'));
  });
}
