// How a connection joins a topic: the right is read, then the position, then missed events are sent, then the live
// stream is joined at the exact event. No gap and no repeat at the seam. [S]

import { type Static, Type } from '@sinclair/typebox';
import type { Db } from '../db/connect.ts';
import { type Subscribed, SubscribeRequest } from '../protocol/envelope.ts';
import { AppError, toWireError, type WireError } from '../protocol/errors.ts';
import { parseTopic } from '../protocol/topics.ts';
import type { Actor } from './actor.ts';
import type { Connection, Subscription } from './connection.ts';
import { readPosition, type TopicPosition } from './event-log.ts';
import type { TopicKind } from './module.ts';
import type { Presence } from './presence.ts';
import { type ReplayDeps, startReplay } from './resume.ts';
import type { Stream } from './stream.ts';

export const SubscribePayload = Type.Union([
  SubscribeRequest,
  Type.Object(
    {
      topics: Type.Array(
        Type.Object(
          { topic: Type.String(), ...SubscribeRequest.properties },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: 100 },
      ),
    },
    { additionalProperties: false },
  ),
]);
export type SubscribePayload = Static<typeof SubscribePayload>;

type TopicRequest = SubscribeRequest & { topic: string };

/** When the snapshots of one answer have more characters than this, the topics behind have to be asked for again. */
const maxSnapshotChars = 1_048_576;

/** What a subscribe answers, and what follows right behind the answer. */
export interface SubscribeReply<Payload> {
  readonly payload: Payload;
  readonly afterReply: () => void;
}

export interface SubscribeDeps extends ReplayDeps {
  readonly db: Db;
  readonly presence: Presence;
  readonly topicKinds: ReadonlyMap<string, TopicKind>;
  /** Of the log, as this instance knows it. */
  readonly knownEpoch: () => string;
  /** Looks whether the log has another epoch by now. Fails when the database is away. */
  readonly refreshEpoch: () => Promise<void>;
  /** Subscriptions a connection; 0: none. */
  readonly maxSubscriptions: number;
  readonly onRefused: (actor: Actor, topic: string) => void;
  /** What a thrown error is to the client; a bug is logged and becomes `internal`. */
  readonly toRefusal: (error: unknown, what: string) => AppError;
}

export interface Subscriber {
  subscribe(connection: Connection, request: TopicRequest): Promise<SubscribeReply<Subscribed>>;
  /** Each topic on its own: one refusal leaves the others. [S1] */
  subscribeMany(
    connection: Connection,
    requests: readonly TopicRequest[],
  ): Promise<SubscribeReply<{ results: (Subscribed | { topic: string; error: WireError })[] }>>;
  /** The kind of a topic that the actor may follow; throws `unknown_topic` and `forbidden`. [S5] */
  authorize(actor: Actor, topic: string): Promise<TopicKind>;
}

export function createSubscriber(deps: SubscribeDeps): Subscriber {
  const kindOf = (topic: string): { kind: TopicKind; id: string } => {
    const parsed = parseTopic(topic);
    const kind = parsed && deps.topicKinds.get(parsed.kind);
    if (parsed === undefined || kind === undefined) {
      throw new AppError(
        'unknown_topic',
        'There is no such kind of topic. Expected kind:id, such as chat:<uuid>.',
      );
    }
    return { kind, id: parsed.id };
  };

  const refuse = (actor: Actor, topic: string): never => {
    deps.onRefused(actor, topic);
    throw new AppError('forbidden', 'You may not follow this topic, or it does not exist.');
  };

  const subscribe: Subscriber['subscribe'] = async (connection, request) => {
    const { topic } = request;
    const { kind, id } = kindOf(topic);
    if (request.snapshot && kind.readSnapshot === undefined) {
      throw new AppError('invalid', `Topics of the kind ${kind.kind} have no snapshot: leave it out.`);
    }
    const { maxSubscriptions } = deps;
    if (
      maxSubscriptions > 0 &&
      !connection.follows(topic) &&
      connection.subscriptions.size >= maxSubscriptions
    ) {
      throw new AppError(
        'too_many_subscriptions',
        `A connection may follow ${maxSubscriptions} topics. Unsubscribe from some first.`,
      );
    }
    const stream = await deps.hub.follow(topic);
    try {
      let actor: Actor;
      let entry: Entry | undefined;
      do {
        actor = connection.actor;
        entry = await readEntry(deps, { stream, kind, id, actor, request });
      } while (actor !== connection.actor); // another role meanwhile, and other rights
      if (entry === undefined) return refuse(actor, topic);
      if (connection.isClosed) throw new AppError('unavailable', 'The connection was closed.');
      const isOtherLog = entry.subscribed.epoch !== deps.knownEpoch();
      if (isOtherLog) await deps.refreshEpoch();
      // It was given up meanwhile, and those who followed it were told to come back; or the log is another one by now.
      if (isOtherLog || !deps.hub.serves(stream)) {
        throw new AppError('unavailable', 'The events of this topic have moved on. Try again.', {
          retryAfterMs: 100,
        });
      }
      connection.endSubscription(topic);
      const subscription: Subscription = {
        topic,
        stream,
        authorizedAt: entry.authorizedAt,
        phase: 'replaying',
      };
      connection.subscriptions.set(topic, subscription);
      if (kind.hasPresence) deps.presence.join(topic, actor.userId);
      return {
        payload: entry.subscribed,
        afterReply: () => startReplay(connection, subscription, entry.subscribed.seq, deps),
      };
    } catch (error) {
      deps.hub.unfollow(stream);
      throw error;
    }
  };

  return {
    subscribe,
    async subscribeMany(connection, requests) {
      const starts: (() => void)[] = [];
      const results: (Subscribed | { topic: string; error: WireError })[] = [];
      const asked = new Set<string>();
      let snapshotChars = 0;
      for (const request of requests) {
        try {
          if (asked.has(request.topic)) throw new AppError('invalid', 'Name each topic once.');
          asked.add(request.topic);
          if (snapshotChars > maxSnapshotChars) throw tooMuchAtOnce();
          const { payload, afterReply } = await subscribe(connection, request);
          results.push(payload);
          starts.push(afterReply);
          if (payload.snapshot !== undefined) snapshotChars += JSON.stringify(payload.snapshot).length;
        } catch (error) {
          const refusal = deps.toRefusal(error, `subscribing to ${request.topic}`);
          results.push({ topic: request.topic, error: toWireError(refusal) });
        }
      }
      return {
        payload: { results },
        afterReply: () => {
          for (const start of starts) start();
        },
      };
    },
    async authorize(actor, topic) {
      const { kind, id } = kindOf(topic);
      return (await kind.mayFollow(deps.db, actor, id)) ? kind : refuse(actor, topic);
    },
  };
}

interface Entry {
  readonly subscribed: Subscribed;
  readonly authorizedAt: number;
}

interface EntryRequest {
  readonly stream: Stream;
  readonly kind: TopicKind;
  readonly id: string;
  readonly actor: Actor;
  readonly request: TopicRequest;
}

const tooMuchAtOnce = () =>
  new AppError('unavailable', 'The snapshots before this one fill the answer. Ask for this topic again.', {
    retryAfterMs: 100,
  });

/** Where the connection enters the stream; undefined where it may not follow. */
async function readEntry(deps: SubscribeDeps, entry: EntryRequest): Promise<Entry | undefined> {
  const { stream, kind, id, actor, request } = entry;
  const { since } = request;
  // Another instance may have heard of it sooner.
  if (request.epoch !== undefined && request.epoch !== deps.knownEpoch()) await deps.refreshEpoch();
  if (request.snapshot) return await readEntryWithSnapshot(deps, entry, false);

  // Events come to one instance sooner than to another: who was connected elsewhere may be ahead of this one.
  if (since !== undefined && since > stream.position) {
    await deps.hub.catchUp(stream.topic, (await readPosition(deps.db, stream.topic)).head);
  }
  // The position first, the right second: a removal up to this position is then seen by the check; one behind it is
  // still to be delivered, and shuts out. So nobody may enter behind this position.
  const head = stream.position;
  if (!(await kind.mayFollow(deps.db, actor, id))) return undefined;
  const position = { ...(await locate(deps, stream, since, head)), head };
  if (since === undefined) return { subscribed: describe(request, position, head), authorizedAt: head };
  if (isReachable(request, position))
    return { subscribed: describe(request, position, since), authorizedAt: head };
  if (kind.readSnapshot !== undefined) return await readEntryWithSnapshot(deps, entry, true);
  return { subscribed: { ...describe(request, position, head), reset: true }, authorizedAt: head };
}

/** State, head and right in one snapshot of the database. [S3] */
async function readEntryWithSnapshot(
  deps: SubscribeDeps,
  { stream, kind, id, actor, request }: EntryRequest,
  isReset: boolean,
): Promise<Entry | undefined> {
  const read = await deps.db.transaction(
    async (tx) => {
      if (!(await kind.mayFollow(tx, actor, id))) return undefined;
      const position = await readPosition(tx, stream.topic);
      return { position, snapshot: await kind.readSnapshot?.(tx, actor, id) };
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  );
  if (read === undefined) return undefined;
  const { position, snapshot } = read;
  await deps.hub.catchUp(stream.topic, position.head);
  const mustReset = isReset || !isReachable(request, position);
  const subscribed: Subscribed = { ...describe(request, position, position.head), snapshot };
  if (mustReset) subscribed.reset = true;
  return { subscribed, authorizedAt: position.head };
}

/** How far back the log reaches: from memory where that suffices, so that a wave of resuming clients costs the log nothing. */
async function locate(
  deps: SubscribeDeps,
  stream: Stream,
  since: number | undefined,
  head: number,
): Promise<Omit<TopicPosition, 'head'>> {
  const epoch = deps.knownEpoch();
  if (since === undefined || since === head) return { reach: head, epoch };
  if (since < head && (await remembers(deps, stream, since))) return { reach: since, epoch };
  return await readPosition(deps.db, stream.topic);
}

/** Whether memory reaches back that far, or does when it is filled: once for all who come at the same time. */
async function remembers({ hub }: SubscribeDeps, stream: Stream, since: number): Promise<boolean> {
  await hub.warm(stream, since);
  return stream.since(since) !== undefined;
}

function isReachable({ since, epoch }: TopicRequest, position: TopicPosition): boolean {
  if (since === undefined) return true;
  if (epoch !== undefined && epoch !== position.epoch) return false;
  return since >= position.reach && since <= position.head;
}

function describe({ topic }: TopicRequest, { head, epoch }: TopicPosition, seq: number): Subscribed {
  return { topic, seq, head, epoch, replay: head - seq };
}
