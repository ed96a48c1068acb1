// Many small writes in one transaction: the promise of `commit` at a fraction of its cost. Checks, rows and events of a
// batch are a few statements for all of it, and one COMMIT. An item that is refused fails alone.

import { sql } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { isDatabaseAway } from '../db/errors.ts';
import { AppError } from '../protocol/errors.ts';
import { type Actor, metaOf } from './actor.ts';
import { type Add, createBatcher, type Outcome } from './batcher.ts';
import { type Committed, type Publish, positionsOf, retryTransient } from './commit.ts';
import { appendEvents, type LoggedEvent, type NewEvent } from './event-log.ts';
import { type KeyedRequest, keepResults, nameOf, readFirstResult, releaseKeys, takeKeys } from './keys.ts';

/** One write, asked for by `actor`; all its events are on `topic`. */
export interface GroupItem<Input> {
  readonly actor: Actor;
  readonly topic: string;
  readonly input: Input;
  readonly request: KeyedRequest | undefined;
}

/** What a module brings. Each function is called once a batch. */
export interface GroupWork<Input, Value extends object> {
  /**
   * What each item writes to the log, or why it is refused. The topics are locked: what this reads in `tx` about a topic
   * is true at the place where the events will stand.
   */
  decide(tx: Db, items: readonly GroupItem<Input>[]): Promise<readonly (NewEvent | AppError)[]>;
  /** What the item is answered, now that its seq is known. */
  toValue(item: GroupItem<Input>, event: LoggedEvent): Value;
  /** Writes the rows that go with the events. */
  write?(tx: Db, values: readonly Value[]): Promise<void>;
  /** Called after COMMIT, with what was written now. Must not throw. */
  onCommitted?(written: readonly { readonly item: GroupItem<Input>; readonly value: Value }[]): void;
}

export type CreateGroup = <Input, Value extends object>(
  work: GroupWork<Input, Value>,
) => Add<GroupItem<Input>, Committed<Value>>;

/** A batch of 500 took no longer a message than one of 200; larger ones only make everybody wait. */
const maxBatch = 500;
const maxWaiting = 20_000;

interface Written<Value> {
  readonly value: Value;
  readonly event: LoggedEvent;
}

/** An item that another request with its key came before: answered when the batch is through. */
const repeated = Symbol('repeated');
type Decision<Value> = Written<Value> | AppError | typeof repeated;

export function createGroupCommit(db: Db, publish: Publish): CreateGroup {
  return <Input, Value extends object>(work: GroupWork<Input, Value>) => {
    type Item = GroupItem<Input>;

    const runTogether = async (items: readonly Item[]): Promise<Outcome<Committed<Value>>[]> => {
      const decisions = await retryTransient(() => db.transaction((tx) => writeBatch(tx, items, work)));
      const written = decisions.flatMap((decision, index) => {
        const item = items[index];
        return isWritten(decision) && item !== undefined ? [{ item, ...decision }] : [];
      });
      publish(written.map(({ event }) => event));
      work.onCommitted?.(written);
      return await Promise.all(
        decisions.map(async (decision, index): Promise<Outcome<Committed<Value>>> => {
          if (decision instanceof AppError) return { isDone: false, error: decision };
          if (decision === repeated) return await answerRepeat(items[index]?.request);
          const { value, event } = decision;
          return { isDone: true, result: { value, events: positionsOf([event]), isRepeat: false } };
        }),
      );
    };

    const answerRepeat = async (request: KeyedRequest | undefined): Promise<Outcome<Committed<Value>>> => {
      try {
        const first = request && (await readFirstResult<Value>(db, request));
        if (first !== undefined) return { isDone: true, result: { ...first, isRepeat: true } };
        // The first one was refused or rolled back, in this very batch or elsewhere.
        const message = 'Another request with this key failed at the same time. Try again.';
        return { isDone: false, error: new AppError('unavailable', message, { retryAfterMs: 100 }) };
      } catch (error) {
        return { isDone: false, error };
      }
    };

    const run = async (items: readonly Item[]): Promise<readonly Outcome<Committed<Value>>[]> => {
      try {
        return await runTogether(items);
      } catch (error) {
        if (items.length === 1 || isDatabaseAway(error)) return items.map(() => ({ isDone: false, error }));
        // One of them is at fault, and nothing was written: one at a time, still in order, shows which.
        const outcomes: Outcome<Committed<Value>>[] = [];
        for (const item of items) outcomes.push(...(await run([item])));
        return outcomes;
      }
    };

    return createBatcher({ run, maxBatch, maxWaiting });
  };
}

function isWritten<Value>(decision: Decision<Value>): decision is Written<Value> {
  return decision !== repeated && !(decision instanceof AppError);
}

async function writeBatch<Input, Value extends object>(
  tx: Db,
  items: readonly GroupItem<Input>[],
  work: GroupWork<Input, Value>,
): Promise<Decision<Value>[]> {
  const isFirst = await takeBatchKeys(tx, items);
  await lockTopics(tx, items);
  const fresh = items.filter((_, index) => isFirst[index]);
  const wanted = await work.decide(tx, fresh);
  const accepted = fresh.flatMap((item, index) => {
    const event = wanted[index];
    return event === undefined || event instanceof AppError ? [] : [{ item, event }];
  });
  const events = await appendEvents(
    tx,
    accepted.map(({ item, event }) => ({ event, meta: metaOf(item.actor) })),
  );
  const written = accepted.map(({ item }, index) => {
    const event = events[index];
    if (event === undefined) throw new Error('Each item of a batch must write exactly one event.');
    return { item, event, value: work.toValue(item, event) };
  });
  if (written.length > 0)
    await work.write?.(
      tx,
      written.map(({ value }) => value),
    );
  await keepResults(
    tx,
    written.flatMap(({ item, value, event }) =>
      item.request ? [{ ...item.request, value, events: positionsOf([event]) }] : [],
    ),
  );
  await releaseKeys(
    tx,
    fresh.flatMap(({ request }, index) => (request && wanted[index] instanceof AppError ? [request] : [])),
  );
  const byItem = new Map(written.map(({ item, value, event }) => [item, { value, event }]));
  const refused = new Map(fresh.map((item, index) => [item, wanted[index]]));
  return items.map((item) => {
    const refusal = refused.get(item);
    return byItem.get(item) ?? (refusal instanceof AppError ? refusal : repeated);
  });
}

/** Whether each item is the first with its key; without a key, every one is. */
async function takeBatchKeys<Input>(tx: Db, items: readonly GroupItem<Input>[]): Promise<boolean[]> {
  const firsts = new Map<string, { index: number; request: KeyedRequest }>();
  items.forEach(({ request }, index) => {
    if (request === undefined) return;
    const name = nameOf(request.userId, request.operation, request.key);
    if (!firsts.has(name)) firsts.set(name, { index, request });
  });
  const candidates = [...firsts.values()];
  const taken = await takeKeys(
    tx,
    candidates.map(({ request }) => request),
  );
  const isFirst = items.map(({ request }) => request === undefined);
  candidates.forEach(({ index }, position) => {
    isFirst[index] = taken[position] ?? false;
  });
  return isFirst;
}

/** In sorted order, like every append. What commits on these topics from now on stands behind this batch. */
async function lockTopics<Input>(tx: Db, items: readonly GroupItem<Input>[]): Promise<void> {
  const names = JSON.stringify([...new Set(items.map(({ topic }) => topic))]);
  await tx.execute(sql`
    SELECT 1 FROM topics WHERE name IN (SELECT json_array_elements_text(${names}::json)) ORDER BY name FOR UPDATE`);
}
