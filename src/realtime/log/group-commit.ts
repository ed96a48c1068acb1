// Many small writes in one transaction: the promise of `commit` at a fraction of its cost. Checks, rows and events of a
// batch are a few statements for all of it, and one COMMIT. An item that is refused fails alone.

import type { Db } from '../../db/database.ts';
import { isDatabaseAway, isLockTimeout } from '../../db/errors.ts';
import { AppError } from '../../protocol/errors.ts';
import { type Actor, metaOf } from '../actor.ts';
import type { Reporter } from '../report.ts';
import { type Add, createBatcher, type Outcome } from './batcher.ts';
import { type Committed, type Publish, positionsOf, retryTransient } from './commit.ts';
import {
  countBy,
  insertEvents,
  type LoggedEvent,
  lowerHeads,
  type NewEvent,
  raiseHeads,
  seqsBelow,
} from './event-log.ts';
import { type KeyedRequest, keepResults, nameOf, readFirstResult, releaseKeys, takeKeys } from './keys.ts';

/** One write, asked for by `actor`; all its events are on `topic`. */
export interface GroupItem<Input> {
  readonly actor: Actor;
  readonly topic: string;
  readonly input: Input;
  readonly request: KeyedRequest | undefined;
}

/** What a module brings. The functions that take several items are called once a batch. */
export interface GroupWork<Input, Value extends object> {
  /**
   * Why items are refused, each at its place. The topics are locked: what this reads in `tx` about a topic is true at the
   * place where the events will stand. Without it, every item is good.
   */
  refuse?(tx: Db, items: readonly GroupItem<Input>[]): Promise<readonly (AppError | undefined)[]>;
  /** What the item is answered; `seq` is that of its event. */
  toValue(item: GroupItem<Input>, seq: number): Value;
  toEvent(item: GroupItem<Input>, value: Value): Omit<NewEvent, 'topic'>;
  /** Writes the rows that go with the events. */
  write?(tx: Db, values: readonly Value[]): Promise<void>;
  /** Called after COMMIT, with what was written now. What it throws is reported, and changes no answer. */
  onCommitted?(written: readonly { readonly item: GroupItem<Input>; readonly value: Value }[]): void;
}

export type CreateGroup = <Input, Value extends object>(
  work: GroupWork<Input, Value>,
) => Add<GroupItem<Input>, Committed<Value>>;

/** A batch of 500 took no longer a message than one of 200; larger ones only make everybody wait. */
const maxBatch = 500;
const maxWaiting = 20_000;
/**
 * So long publishing may keep the event loop in one go. At 0.5 what goes to a room of 100 left in more writes, a third
 * slower.
 */
const turnMs = 4;

interface Written<Value> {
  readonly value: Value;
  readonly event: LoggedEvent;
}

/** An item that another request with its key came before: answered when the batch is through. */
const repeated = Symbol('repeated');
type Decision<Value> = Written<Value> | AppError | typeof repeated;

export function createGroupCommit(
  db: Db,
  publish: Publish,
  reporter: Pick<Reporter, 'report'>,
  knownEpoch: () => string = () => '',
): CreateGroup {
  return <Input, Value extends object>(work: GroupWork<Input, Value>) => {
    type Item = GroupItem<Input>;
    type Ended = {
      readonly outcomes: readonly Outcome<Committed<Value>>[];
      readonly written: readonly (Written<Value> & { readonly item: Item; readonly epoch: string })[];
    };

    const commitTogether = async (items: readonly Item[]): Promise<Ended> => {
      const { decisions, epoch } = await retryTransient(async () => {
        const epoch = knownEpoch();
        return { decisions: await db.transaction((tx) => writeBatch(tx, items, work)), epoch };
      });
      const written = decisions.flatMap((decision, index) => {
        const item = items[index];
        return isWritten(decision) && item !== undefined ? [{ item, epoch, ...decision }] : [];
      });
      const outcomes = await Promise.all(
        decisions.map(async (decision, index): Promise<Outcome<Committed<Value>>> => {
          if (decision instanceof AppError) return { isDone: false, error: decision };
          if (decision === repeated) return await answerRepeat(items[index]?.request);
          const { value, event } = decision;
          return { isDone: true, result: { value, events: positionsOf([event]), isRepeat: false } };
        }),
      );
      return { outcomes, written };
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

    const failAll = (items: readonly Item[], error: unknown): Ended => ({
      outcomes: items.map(() => ({ isDone: false, error })),
      written: [],
    });

    const commitAll = async (items: readonly Item[]): Promise<Ended> => {
      try {
        return await commitTogether(items);
      } catch (error) {
        if (items.length === 1 || isDatabaseAway(error)) return failAll(items, error);
        // One of them is at fault, and nothing was written: one at a time, still in order, shows which.
        const single: Ended[] = [];
        const stuck = new Map<string, unknown>();
        for (const item of items) {
          // Everybody on other topics would wait as well, once for each of these.
          const isStuck = stuck.has(item.topic);
          const ended = isStuck ? failAll([item], stuck.get(item.topic)) : await commitAll([item]);
          const [outcome] = ended.outcomes;
          if (outcome?.isDone === false && isLockTimeout(outcome.error)) stuck.set(item.topic, outcome.error);
          single.push(ended);
        }
        return {
          outcomes: single.flatMap(({ outcomes }) => outcomes),
          written: single.flatMap(({ written }) => written),
        };
      }
    };

    return createBatcher<Item, Committed<Value>>({
      async run(items) {
        const { outcomes, written } = await commitAll(items);
        return {
          outcomes,
          async finish() {
            await publishInTurns(written, publish);
            work.onCommitted?.(written);
          },
        };
      },
      maxBatch,
      maxWaiting,
      onFailure: (error) => reporter.report(error, 'what follows a commit'),
    });
  };
}

/**
 * Topic by topic: what is published together on one topic leaves in one write for each subscriber. Now and then the event
 * loop gets its turn, so that the next batch goes on meanwhile.
 */
async function publishInTurns(
  written: readonly { readonly event: LoggedEvent; readonly epoch: string }[],
  publish: Publish,
): Promise<void> {
  const byTopic = [...Map.groupBy(written, ({ event }) => event.topic).values()].flat();
  let turnEndsAt = 0;
  for (const { event, epoch } of byTopic) {
    if (performance.now() >= turnEndsAt) {
      await new Promise(setImmediate);
      turnEndsAt = performance.now() + turnMs;
    }
    publish([event], epoch);
  }
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
  const fresh = items.filter((_, index) => isFirst[index]);
  const counts = countBy(fresh.map(({ topic }) => topic));
  // Places for all of them: that locks the topics, and refusals are rare. Both statements are sent at once, in this order.
  const [heads, refusals = []] = await Promise.all([raiseHeads(tx, counts), work.refuse?.(tx, fresh)]);
  const nextSeq = seqsBelow(heads, counts);
  const accepted = fresh.filter((_, index) => refusals[index] === undefined);
  const refused = fresh.filter((_, index) => refusals[index] !== undefined);
  const placed = accepted.map((item) => {
    const seq = nextSeq(item.topic);
    const value = work.toValue(item, seq);
    const event = work.toEvent(item, value);
    return { item, value, topic: item.topic, seq, event, meta: metaOf(item.actor), id: Bun.randomUUIDv7() };
  });
  const results = placed.flatMap(({ item, value, topic, seq }) =>
    item.request ? [{ ...item.request, value, events: [{ topic, seq }] }] : [],
  );
  const values = placed.map(({ value }) => value);
  const [events] = await Promise.all([
    insertEvents(tx, placed),
    values.length > 0 ? work.write?.(tx, values) : undefined,
    keepResults(tx, results),
    refused.length > 0 ? lowerHeads(tx, countBy(refused.map(({ topic }) => topic))) : undefined,
    releaseKeys(
      tx,
      refused.flatMap(({ request }) => (request ? [request] : [])),
    ),
  ]);
  const decisions = new Map<GroupItem<Input>, Decision<Value>>();
  placed.forEach(({ item, value }, index) => {
    const event = events[index];
    if (event === undefined) throw new Error('The log did not answer for an event.');
    decisions.set(item, { value, event });
  });
  fresh.forEach((item, index) => {
    const refusal = refusals[index];
    if (refusal !== undefined) decisions.set(item, refusal);
  });
  return items.map((item) => decisions.get(item) ?? repeated);
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
