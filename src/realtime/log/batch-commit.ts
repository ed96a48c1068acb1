// Many small changes in one transaction: the promise of `commit` at a fraction of its cost. Locks, checks, rows and events of a
// batch are a few statements for all of it, on two journeys to the database, and one COMMIT. An item that is refused fails alone.

import type { Db, RootDb, Statement } from '../../db/database.ts';
import { isDatabaseAway, isLockTimeout, isRefusedBehindFailure } from '../../db/errors.ts';
import { AppError } from '../../protocol/errors.ts';
import { createTelemetry, type SpanOptions, type Telemetry, traced } from '../../telemetry/tracing.ts';
import type { Actor } from '../actor.ts';
import { createAfterCommit } from '../after-commit.ts';
import type { Reporter } from '../report.ts';
import type { Topic } from '../topic-kind.ts';
import { type Add, createBatcher, type Outcome } from './batcher.ts';
import { type Committed, type Publish, positionsOf, retryTransient } from './commit.ts';
import { appendTo, type Heads, type LoggedEvent, lockTopics, makeTopics, unmakeTopics } from './event-log.ts';
import { findKeys, type KeyedRequest, keepKeys, nameOf, readFirstResult } from './keys.ts';
import { type BatchEmit, createPlaces } from './places.ts';

/** One change, asked for by `actor`. */
export interface BatchItem {
  readonly actor: Actor;
  readonly request: KeyedRequest | undefined;
}

/** What a module brings. `find` and `write` are called once a batch. */
export interface BatchWork<Item extends BatchItem, Found, Row, Value extends object> {
  /**
   * Locks what the items are about, and reads what decides about them: rows first, in one order, and then, by `lock`, the
   * topics that they have events on. What is sent behind `lock` is read behind those locks. It only reads and locks, and may
   * be asked again. What it answers stands each at the place of its item.
   */
  find(tx: Db, items: readonly Item[], lock: LockTopics): Promise<readonly Found[]>;
  /**
   * What becomes of an item, in the order of arrival and behind all locks: an error and nothing else, or its events and its
   * answer. What `find` answered is this batch's own, so a decision may leave word there for those behind it.
   */
  decide(item: Item, found: Found, context: BatchContext): Decided<Value, Row> | AppError;
  /** What writes the rows that go with the events. */
  write?(rows: readonly Row[]): readonly Statement[];
  /** Called after COMMIT, with what was written now. What it throws is reported, and changes no answer. */
  onCommitted?(written: readonly { readonly item: Item; readonly value: Value }[]): void;
  /** Where items are large, or lock much. */
  readonly maxBatch?: number;
}

/** Locks the topics of each item, at its place, until COMMIT. Those of all items are locked at once, sorted. */
export type LockTopics = (topics: readonly (readonly Pick<Topic, 'name'>[])[]) => Promise<void>;

export interface BatchContext {
  readonly emit: BatchEmit;
  /** Called once behind COMMIT and the delivery, in order. What it throws is reported. */
  afterCommit(run: () => void): void;
}

export interface Decided<Value, Row> {
  readonly value: Value;
  /** What `write` needs of it; left out: it writes nothing. */
  readonly row?: Row | undefined;
}

export type CreateBatch = <Item extends BatchItem, Found, Row, Value extends object>(
  work: BatchWork<Item, Found, Row, Value>,
) => Add<Item, Committed<Value>>;

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
  readonly events: readonly LoggedEvent[];
}

/** An item that another request with its key came before: answered when the batch is through. */
const repeated = Symbol('repeated');
type Decision<Value> = Written<Value> | AppError | typeof repeated;

export function createBatchCommit(
  db: RootDb,
  publish: Publish,
  reporter: Pick<Reporter, 'report'>,
  knownEpoch: () => string = () => '',
  { metrics, tracer }: Telemetry = createTelemetry(),
): CreateBatch {
  const commits = metrics.commits.of('group');
  const seconds = metrics.commitSeconds.of('group');
  return <Item extends BatchItem, Found, Row, Value extends object>(
    work: BatchWork<Item, Found, Row, Value>,
  ) => {
    type Ended = {
      readonly outcomes: readonly Outcome<Committed<Value>>[];
      readonly written: readonly (Written<Value> & { readonly item: Item; readonly epoch: string })[];
      readonly followUp: () => void;
    };

    const commitTogether = async (items: readonly Item[], touched: Touched): Promise<Ended> => {
      const after = createAfterCommit(reporter);
      const startedAt = performance.now();
      const transact = () =>
        retryTransient(async () => {
          const epoch = knownEpoch();
          let decisions: Decision<Value>[] = [];
          await db.transactInTwo(
            (tx) => ask(tx, items, work, touched),
            (asked) => {
              after.begin();
              const decided = decide(items, asked, work, after.add);
              ({ decisions } = decided);
              return decided.statements;
            },
          );
          return { decisions, epoch };
        });
      const { decisions, epoch } = await traced(tracer, 'commit', () => spanOf(items), transact);
      seconds.observe((performance.now() - startedAt) / 1_000);
      commits.add();
      metrics.batchSizes.observe(items.length);
      const written: Ended['written'][number][] = [];
      const outcomes: (Outcome<Committed<Value>> | Promise<Outcome<Committed<Value>>>)[] = [];
      for (const [index, item] of items.entries()) {
        const decision = decisions[index];
        if (decision === undefined) throw new Error('The batch did not decide about an item.');
        if (decision instanceof AppError) outcomes.push({ isDone: false, error: decision });
        else if (decision === repeated) outcomes.push(answerRepeat(item.request));
        else {
          const { value, events } = decision;
          written.push({ item, epoch, value, events });
          outcomes.push({ isDone: true, result: { value, events: positionsOf(events), isRepeat: false } });
        }
      }
      metrics.eventsAppended.add(written.reduce((sum, { events }) => sum + events.length, 0));
      return { outcomes: await Promise.all(outcomes), written, followUp: after.runAll };
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
      followUp() {},
    });

    const commitAll = async (items: readonly Item[]): Promise<Ended> => {
      const touched: Touched = { topics: [] };
      try {
        return await commitTogether(items, touched);
      } catch (error) {
        if (items.length === 1 || isDatabaseAway(error)) return failAll(items, error);
        // One of them is at fault, and nothing was written: one at a time, still in order, shows which.
        const single: Ended[] = [];
        const stuck = new Map<string, unknown>();
        for (const [index, item] of items.entries()) {
          const topics = touched.topics[index] ?? [];
          // Everybody on other topics would wait as well, once for each of these.
          const held = topics.find(({ name }) => stuck.has(name));
          const ended = held === undefined ? await commitAll([item]) : failAll([item], stuck.get(held.name));
          const [outcome] = ended.outcomes;
          if (held === undefined && outcome?.isDone === false && isLockTimeout(outcome.error))
            for (const { name } of topics) stuck.set(name, outcome.error);
          single.push(ended);
        }
        return {
          outcomes: single.flatMap(({ outcomes }) => outcomes),
          written: single.flatMap(({ written }) => written),
          followUp() {
            for (const { followUp } of single) followUp();
          },
        };
      }
    };

    return createBatcher<Item, Committed<Value>>({
      async run(items) {
        const { outcomes, written, followUp } = await commitAll(items);
        return {
          outcomes,
          async finish() {
            const isTraced = tracer !== undefined && written.length > 0;
            const span = isTraced
              ? tracer.start('publish', spanOf(written.map(({ item }) => item)))
              : undefined;
            await publishInTurns(written, publish);
            span?.end();
            followUp();
            work.onCommitted?.(written);
          },
        };
      },
      maxBatch: work.maxBatch ?? maxBatch,
      maxWaiting,
      onFailure: (error) => reporter.report(error, 'what follows a commit'),
      watch: (depth) => metrics.queues.watch('commits', depth),
    });
  };
}

/** What a batch does it does for all that are in it; it has its place in the trace of the first that is traced. */
function spanOf(items: readonly { readonly actor: Actor }[]): SpanOptions {
  const [parent, ...links] = items.flatMap(({ actor: { trace } }) => (trace?.isSampled ? [trace] : []));
  return { parent, links, attributes: { 'carillon.batch.size': items.length } };
}

/**
 * Topic by topic: what is published together on one topic leaves in one write for each subscriber. Now and then the event
 * loop gets its turn, so that the next batch goes on meanwhile.
 */
async function publishInTurns(
  written: readonly { readonly events: readonly LoggedEvent[]; readonly epoch: string }[],
  publish: Publish,
): Promise<void> {
  const all: { readonly event: LoggedEvent; readonly epoch: string }[] = [];
  for (const { events, epoch } of written) for (const event of events) all.push({ event, epoch });
  const byTopic = [...Map.groupBy(all, ({ event }) => event.topic).values()].flat();
  let turnEndsAt = 0;
  for (const { event, epoch } of byTopic) {
    if (performance.now() >= turnEndsAt) {
      await new Promise(setImmediate);
      turnEndsAt = performance.now() + turnMs;
    }
    publish([event], epoch);
  }
}

/** Of each item the topics that it locked last, or was about to. */
interface Touched {
  topics: Parameters<LockTopics>[0];
}

/** What the first journey to the database answers. */
interface Asked<Found> {
  /** Of every topic, locked. */
  readonly heads: Heads;
  /** Topics that were made just now. */
  readonly made: ReadonlySet<string>;
  /** Whether each item is the first with its key; without a key, every one is. */
  readonly isFirst: readonly boolean[];
  readonly found: readonly Found[];
}

async function ask<Item extends BatchItem, Found>(
  tx: Db,
  items: readonly Item[],
  { find }: { find(tx: Db, items: readonly Item[], lock: LockTopics): Promise<readonly Found[]> },
  touched: Touched,
): Promise<Asked<Found>> {
  const heads = new Map<string, number>();
  const made = new Set<string>();
  let missing: string[] = [];
  const locks: Promise<void>[] = [];
  const lock: LockTopics = (topics) => {
    const locked = lockThem(topics);
    locks.push(locked);
    return locked;
  };
  const lockThem: LockTopics = async (topics) => {
    touched.topics = topics;
    const names = new Set<string>();
    for (const own of topics) for (const { name } of own) if (!heads.has(name)) names.add(name);
    if (names.size === 0) return;
    const locked = await lockTopics(tx, [...names]);
    for (const [name, head] of locked) heads.set(name, head);
    missing.push(...[...names].filter((name) => !locked.has(name)));
  };
  // Sent at once, in this order: what is read about rights and keys is read behind the locks.
  let [found, isFirst] = await allOrCause([find(tx, items, lock), findFirsts(tx, items)], locks);
  while (missing.length > 0) {
    // What is not there cannot be locked: others may have written there before these were made.
    for (const [name, head] of await makeTopics(tx, missing)) heads.set(name, head);
    for (const name of missing) made.add(name);
    missing = [];
    [found] = await allOrCause([find(tx, items, lock)], locks);
  }
  if (found.length !== items.length) throw new Error('What was found is not one for each item.');
  return { heads, made, isFirst, found };
}

/**
 * All of them, or why they failed: behind a statement that failed the server refuses the rest of the journey, and which failure is
 * noticed first says nothing.
 */
async function allOrCause<Results extends unknown[]>(
  asked: { [Index in keyof Results]: Promise<Results[Index]> },
  others: readonly Promise<unknown>[],
): Promise<Results> {
  try {
    return (await Promise.all(asked)) as Results; // as they were asked for
  } catch (error) {
    const ends = await Promise.allSettled([...others, ...asked]);
    const causes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
    throw causes.find((cause) => !isRefusedBehindFailure(cause)) ?? error;
  }
}

/** Gives out the places, and says what is to be written. */
function decide<Item extends BatchItem, Found, Row, Value extends object>(
  items: readonly Item[],
  { heads, made, isFirst, found }: Asked<Found>,
  work: BatchWork<Item, Found, Row, Value>,
  afterCommit: BatchContext['afterCommit'],
): { readonly decisions: Decision<Value>[]; readonly statements: readonly Statement[] } {
  const places = createPlaces(heads);
  const { placed } = places;
  const rows: Row[] = [];
  const results: Parameters<typeof keepKeys>[0][number][] = [];
  const context: BatchContext = { emit: places.emit, afterCommit };
  const verdicts = items.map((item, index) => {
    if (isFirst[index] !== true) return repeated;
    places.actFor(item.actor);
    const first = placed.length;
    const decided = work.decide(item, found[index] as Found, context); // as many as items
    if (decided instanceof AppError) {
      if (placed.length > first) throw new Error('An item that is refused has no events.');
      return decided;
    }
    const { value, row } = decided;
    if (row !== undefined) rows.push(row);
    const { request } = item;
    const last = placed.length;
    if (request !== undefined) {
      const events = placed.slice(first, last).map(({ topic, seq }) => ({ topic, seq }));
      results.push({ ...request, value, events });
    }
    return { value, first, last };
  });
  const reached = places.reached();
  const { events, statements } = appendTo(reached, placed);
  return {
    decisions: verdicts.map((verdict) =>
      verdict === repeated || verdict instanceof AppError
        ? verdict
        : { value: verdict.value, events: events.slice(verdict.first, verdict.last) },
    ),
    statements: [
      ...statements,
      ...(rows.length > 0 ? (work.write?.(rows) ?? []) : []),
      ...keepKeys(results),
      ...unmakeTopics([...made].filter((topic) => !reached.has(topic))),
    ],
  };
}

async function findFirsts(tx: Db, items: readonly BatchItem[]): Promise<boolean[]> {
  const firsts = new Map<string, KeyedRequest>();
  const isFirst = items.map(({ request }) => {
    if (request === undefined) return true;
    const name = nameOf(request.userId, request.operation, request.key);
    if (firsts.has(name)) return false;
    firsts.set(name, request);
    return true;
  });
  const taken = await findKeys(tx, [...firsts.values()]);
  if (taken.size === 0) return isFirst;
  return items.map(
    ({ request }, index) =>
      isFirst[index] === true &&
      !(request && taken.has(nameOf(request.userId, request.operation, request.key))),
  );
}
