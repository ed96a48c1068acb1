// Many small writes in one transaction: the promise of `commit` at a fraction of its cost. Checks, rows and events of a
// batch are a few statements for all of it, and one COMMIT. An item that is refused fails alone.

import type { Db, RootDb, Statement } from '../../db/database.ts';
import { isDatabaseAway, isLockTimeout } from '../../db/errors.ts';
import { AppError } from '../../protocol/errors.ts';
import { createTelemetry, type SpanOptions, type Telemetry, traced } from '../../telemetry/tracing.ts';
import { type Actor, metaOf } from '../actor.ts';
import type { Reporter } from '../report.ts';
import { type Add, createBatcher, type Outcome } from './batcher.ts';
import { type Committed, type Publish, positionsOf, retryTransient } from './commit.ts';
import {
  appendTo,
  type Heads,
  type LoggedEvent,
  lockTopics,
  makeTopics,
  type NewEvent,
  type PlainEvent,
  unmakeTopics,
} from './event-log.ts';
import { findKeys, type KeyedRequest, keepKeys, nameOf, readFirstResult } from './keys.ts';

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
   * place where the events will stand. It only reads, and may be asked twice. Without it, every item is good.
   */
  refuse?(tx: Db, items: readonly GroupItem<Input>[]): Promise<readonly (AppError | undefined)[]>;
  /** What the item is answered; `seq` is that of its event. */
  toValue(item: GroupItem<Input>, seq: number): Value;
  toEvent(item: GroupItem<Input>, value: Value): Pick<NewEvent, 'type' | 'payload'>;
  /** What writes the rows that go with the events. */
  write?(values: readonly Value[]): readonly Statement[];
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
  db: RootDb,
  publish: Publish,
  reporter: Pick<Reporter, 'report'>,
  knownEpoch: () => string = () => '',
  { metrics, tracer }: Telemetry = createTelemetry(),
): CreateGroup {
  const commits = metrics.commits.of('group');
  const seconds = metrics.commitSeconds.of('group');
  return <Input, Value extends object>(work: GroupWork<Input, Value>) => {
    type Item = GroupItem<Input>;
    type Ended = {
      readonly outcomes: readonly Outcome<Committed<Value>>[];
      readonly written: readonly (Written<Value> & { readonly item: Item; readonly epoch: string })[];
    };

    const commitTogether = async (items: readonly Item[]): Promise<Ended> => {
      const startedAt = performance.now();
      const { decisions, epoch } = await traced(
        tracer,
        'commit',
        () => spanOf(items),
        () =>
          retryTransient(async () => {
            const epoch = knownEpoch();
            let decisions: Decision<Value>[] = [];
            await db.transactInTwo(
              (tx) => ask(tx, items, work),
              (asked) => {
                const decided = decide(items, asked, work);
                ({ decisions } = decided);
                return decided.statements;
              },
            );
            return { decisions, epoch };
          }),
      );
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
          const { value, event } = decision;
          written.push({ item, epoch, value, event });
          outcomes.push({ isDone: true, result: { value, events: positionsOf([event]), isRepeat: false } });
        }
      }
      metrics.eventsAppended.add(written.length);
      return { outcomes: await Promise.all(outcomes), written };
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
            const isTraced = tracer !== undefined && written.length > 0;
            const span = isTraced
              ? tracer.start('publish', spanOf(written.map(({ item }) => item)))
              : undefined;
            await publishInTurns(written, publish);
            span?.end();
            work.onCommitted?.(written);
          },
        };
      },
      maxBatch,
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

/** What the first journey to the database answers. */
interface Asked {
  /** Of every topic, locked. */
  readonly heads: Heads;
  /** Topics that were made just now. */
  readonly made: readonly string[];
  /** Whether each item is the first with its key; without a key, every one is. */
  readonly isFirst: readonly boolean[];
  readonly refusals: readonly (AppError | undefined)[];
}

async function ask<Input, Value extends object>(
  tx: Db,
  items: readonly GroupItem<Input>[],
  work: GroupWork<Input, Value>,
): Promise<Asked> {
  const topics = [...new Set(items.map(({ topic }) => topic))];
  // Sent at once, in this order: what is read about rights and keys is read behind the locks.
  const [heads, isFirst, refusals = []] = await Promise.all([
    lockTopics(tx, topics),
    findFirsts(tx, items),
    work.refuse?.(tx, items),
  ]);
  const made = topics.filter((topic) => !heads.has(topic));
  if (made.length === 0) return { heads, made, isFirst, refusals };
  const all = new Map([...heads, ...(await makeTopics(tx, made))]);
  return { heads: all, made, isFirst, refusals: (await work.refuse?.(tx, items)) ?? [] };
}

/** Gives out the places, and says what is to be written. */
function decide<Input, Value extends object>(
  items: readonly GroupItem<Input>[],
  { heads, made, isFirst, refusals }: Asked,
  work: GroupWork<Input, Value>,
): { readonly decisions: Decision<Value>[]; readonly statements: readonly Statement[] } {
  const reached = new Map(heads);
  const placed: PlainEvent[] = [];
  const values: Value[] = [];
  const results: Parameters<typeof keepKeys>[0][number][] = [];
  const verdicts = items.map((item, index): AppError | typeof repeated | typeof accepted => {
    if (!isFirst[index]) return repeated;
    const refusal = refusals[index];
    if (refusal !== undefined) return refusal;
    const { topic, actor, request } = item;
    const seq = (reached.get(topic) ?? 0) + 1;
    reached.set(topic, seq);
    const value = work.toValue(item, seq);
    const event = work.toEvent(item, value);
    placed.push({ topic, seq, event, meta: metaOf(actor), id: Bun.randomUUIDv7() });
    values.push(value);
    if (request !== undefined) results.push({ ...request, value, events: [{ topic, seq }] });
    return accepted;
  });
  for (const [topic, head] of heads) if (reached.get(topic) === head) reached.delete(topic);
  const { events, statements } = appendTo(reached, placed);
  const written = values.values();
  const logged = events.values();
  return {
    decisions: verdicts.map((verdict) =>
      verdict === accepted ? { value: take(written), event: take(logged) } : verdict,
    ),
    statements: [
      ...statements,
      ...(values.length > 0 ? (work.write?.(values) ?? []) : []),
      ...keepKeys(results),
      ...unmakeTopics(made.filter((topic) => !reached.has(topic))),
    ],
  };
}

const accepted = Symbol('accepted');

function take<Item>(items: Iterator<Item>): Item {
  const { value, done } = items.next();
  if (done) throw new Error('There are fewer events than items.');
  return value;
}

async function findFirsts<Input>(tx: Db, items: readonly GroupItem<Input>[]): Promise<boolean[]> {
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
