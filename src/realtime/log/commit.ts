// A change and the events that announce it, in one transaction; announced only after COMMIT.
// With an idempotency key the same request has one effect and one answer, wherever it is repeated. [K1]

import type { Db } from '../../db/database.ts';
import { isTransient } from '../../db/errors.ts';
import type { EventMeta, EventPosition } from '../../protocol/envelope.ts';
import type { DurableType, PayloadOf } from '../../protocol/events.ts';
import { createTelemetry, type Telemetry, type TraceContext, traced } from '../../telemetry/tracing.ts';
import { type Actor, metaOf } from '../actor.ts';
import type { Topic } from '../topic-kind.ts';
import { appendEvents, type CausedEvent, type LoggedEvent, type Rewrite, reserveSeq } from './event-log.ts';
import { isKeyTaken, type KeyedRequest, keepResults, readFirstResult, takeKeys } from './keys.ts';

export type Topics = Topic | readonly Topic[];
type TableOf<On extends Topics> = On extends readonly (infer One extends Topic)[]
  ? TableOf<One>
  : On extends Topic<infer Events>
    ? Events
    : never;

export interface Emit {
  /**
   * Queues an event for the log; it gets its seq just before COMMIT, in the order of the calls. Several topics: one event,
   * one id, a seq on each. `revokes`: users who lose the topic with it; it must be the last one on that topic. [S7]
   * `withheldFrom`: users who lost the topic before it, through another one: they do not get it, and whoever of them still
   * follows the topic does so no longer. [S7]
   * `rewrites`: what earlier transactions said on the topic, as it is to be read from now on, in the log and in memory; what
   * was pruned is passed over. [O5]
   * `isAnonymous`: who reads it is not told who did it; its `meta` has nothing but the source. [E3]
   */
  <On extends Topics, Type extends DurableType<TableOf<On>>>(
    on: On,
    type: Type,
    payload: PayloadOf<TableOf<On>, Type>,
    options?: EmitOptions<PayloadOf<TableOf<On>, DurableType<TableOf<On>>>>,
  ): void;
  /**
   * The seq that the next event on the topic will get, for rows that carry the seq of their own event. It takes the
   * topic's lock early, and everything on the topic waits until COMMIT: call it late.
   */
  seqOf(on: Topic): Promise<number>;
}

/** What `emit` of a command and of a batch have in common. */
export type EmitPlain = <On extends Topics, Type extends DurableType<TableOf<On>>>(
  on: On,
  type: Type,
  payload: PayloadOf<TableOf<On>, Type>,
  options?: Pick<EmitOptions, 'revokes' | 'revokesOn' | 'isAnonymous'>,
) => void;

export interface EmitOptions<Payload = unknown> {
  readonly revokes?: readonly string[] | undefined;
  /** Of several topics the one that they lose; left out: all of them. */
  readonly revokesOn?: Topic | undefined;
  readonly withheldFrom?: readonly string[] | undefined;
  readonly rewrites?: readonly Rewrite<Payload>[] | undefined;
  readonly isAnonymous?: boolean | undefined;
}

export interface Committed<Value> {
  readonly value: Value;
  /** Where the events stand that this commit wrote. [O3] */
  readonly events: EventPosition[];
  /** The key was used before: this is the first result, and nothing happened now. */
  readonly isRepeat: boolean;
}

/** A request that may carry a key. `body` is what the client asked for, as parsed. */
export interface Idempotency {
  readonly operation: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

/**
 * Runs `work` in a transaction and publishes what it emitted. `work` may run again after a deadlock or serialization
 * failure, so it must have no effect outside `tx`. Without an actor the system acts. Throws what `work` throws, after
 * ROLLBACK.
 */
export type Commit = <Value extends object>(
  actor: Actor | undefined,
  work: (tx: Db, emit: Emit) => Promise<Value>,
  idempotency?: Idempotency,
  /** The span that it belongs to; left out: the actor's. */
  trace?: TraceContext,
) => Promise<Committed<Value>>;

/**
 * Delivers what is committed. Never throws: the change stands, whatever becomes of its delivery. `epoch` is the log's as it
 * was known before the transaction began: under another one the events may never have happened. [S4]
 */
export type Publish = (events: readonly LoggedEvent[], epoch: string) => void;

const maxAttempts = 5;

export function createCommit(
  db: Db,
  publish: Publish,
  knownEpoch: () => string = () => '',
  { metrics, tracer }: Telemetry = createTelemetry(),
): Commit {
  const commits = metrics.commits.of('single');
  const seconds = metrics.commitSeconds.of('single');
  return async (actor, work, idempotency, trace = actor?.trace) => {
    const request = keyedBy(actor, idempotency);
    const startedAt = performance.now();
    const { committed, events, epoch } = await traced(
      tracer,
      'commit',
      () => ({ parent: trace }),
      () =>
        retryTransient(async () => {
          const epoch = knownEpoch();
          return { ...(await db.transaction((tx) => runOnce(tx, actor, work, request))), epoch };
        }),
    );
    seconds.observe((performance.now() - startedAt) / 1_000);
    commits.add();
    metrics.eventsAppended.add(events.length);
    const span = events.length > 0 ? tracer?.start('publish', { parent: trace }) : undefined;
    publish(events, epoch);
    span?.end();
    return committed;
  };
}

/** The request under its key, if it carries one. The system's own work needs none. */
export function keyedBy(
  actor: Actor | undefined,
  idempotency: Idempotency | undefined,
): KeyedRequest | undefined {
  if (actor === undefined || idempotency?.key === undefined) return undefined;
  const { operation, key, body } = idempotency;
  return { userId: actor.userId, operation, key, body };
}

/** Runs a transaction again that the database gave up for another one's sake, or that found a key taken. */
export async function retryTransient<Result>(transact: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transact();
    } catch (error) {
      if (attempt >= maxAttempts || !(isTransient(error) || isKeyTaken(error))) throw error;
    }
  }
}

async function runOnce<Value extends object>(
  tx: Db,
  actor: Actor | undefined,
  work: (tx: Db, emit: Emit) => Promise<Value>,
  request: KeyedRequest | undefined,
): Promise<{ committed: Committed<Value>; events: LoggedEvent[] }> {
  if (request !== undefined) {
    const [isTaken] = await takeKeys(tx, [request]);
    const first = isTaken ? undefined : await readFirstResult<Value>(tx, request);
    if (first !== undefined) return { committed: { ...first, isRepeat: true }, events: [] };
    if (!isTaken) throw new Error('A key was taken, but its first result is not there.');
  }
  const emitted: CausedEvent[] = [];
  const value = await work(tx, collect(tx, metaOf(actor), emitted));
  const events = await appendEvents(tx, emitted);
  const positions = positionsOf(events);
  if (request !== undefined) await keepResults(tx, [{ ...request, value, events: positions }]);
  return { committed: { value, events: positions, isRepeat: false }, events };
}

/** What is emitted, kept until the work is done. */
function collect(tx: Db, meta: EventMeta, emitted: CausedEvent[]): Emit {
  /** Topics whose last event of this transaction has been said. */
  const ended = new Set<string>();
  const emit = (on: Topics, type: string, payload: unknown, options?: EmitOptions): void =>
    void emitted.push(toCausedEvent(meta, ended, on, type, payload, options));
  const seqOf = async ({ name }: Topic): Promise<number> => {
    // Events get their seqs at COMMIT: until then the topic's head stays where it was.
    const before = emitted.filter(({ event }) => event.topic.includes(name)).length;
    return (await reserveSeq(tx, name)) + before;
  };
  return Object.assign(emit, { seqOf });
}

/** Of what is given to `emit`. Notes in `ended` on which topics this event is the last one of its transaction. */
export function toCausedEvent(
  meta: EventMeta,
  ended: Set<string>,
  on: Topics,
  type: string,
  payload: unknown,
  { revokes = [], revokesOn, withheldFrom = [], rewrites = [], isAnonymous = false }: EmitOptions = {},
): CausedEvent {
  const topics = 'name' in on ? [on] : on;
  if (new Set(topics.map(({ name }) => name)).size < topics.length)
    throw new Error(`One event cannot be on a topic twice: "${type}" on ${topics.map(({ name }) => name)}.`);
  if (rewrites.length > 0 && topics.length !== 1)
    throw new Error(`"${type}" can rewrite earlier events on one topic only.`);
  for (const topic of topics) checkPlace(ended, topic, type);
  if (revokes.length > 0) {
    for (const { name } of revokesOn === undefined ? topics : [revokesOn]) ended.add(name);
  }
  const event = {
    topic: topics.map(({ name }) => name),
    type,
    payload,
    revokes: revokes.length === 0 ? undefined : revokes, // none: or the row would be written twice
    revokesOn: revokesOn?.name,
    withheldFrom: withheldFrom.length === 0 ? undefined : withheldFrom,
    rewrites: rewrites.length === 0 ? undefined : rewrites,
  };
  return { event, meta: isAnonymous ? { source: meta.source } : meta };
}

/** Throws where this event has no place on the topic. */
export function checkPlace(ended: ReadonlySet<string>, { name, events }: Topic, type: string): void {
  if (ended.has(name))
    throw new Error(`"${type}" cannot follow an event on ${name} that revokes: that one is its last.`);
  if (events?.[type]?.isDurable === false || (events !== undefined && events[type] === undefined))
    throw new Error(`The table of events has no durable "${type}" on ${name}.`);
}

export function positionsOf(events: readonly LoggedEvent[]): EventPosition[] {
  return events.map(({ topic, seq }) => ({ topic, seq }));
}
