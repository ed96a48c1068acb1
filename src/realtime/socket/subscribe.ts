// How a connection joins topics: it finds where it may enter each (`entry.ts`), then missed events are sent (`replay.ts`), then
// the live stream is joined at the exact event. No gap and no repeat at the seam. [S]

import { type Static, Type } from '@sinclair/typebox';
import { maxSnapshotBytes, type Subscribed, SubscribeRequest } from '../../protocol/envelope.ts';
import { AppError, toWireError, type WireError } from '../../protocol/errors.ts';
import type { Actor } from '../actor.ts';
import type { Presence } from '../presence/presence.ts';
import type { TopicKind, TopicKinds } from '../topic-kind.ts';
import type { Connection, Subscription } from './connection.ts';
import {
  type Approach,
  type Asked,
  approach,
  type EntryDeps,
  readEntry,
  type TopicRequest,
} from './entry.ts';
import { type ReplayDeps, startReplay } from './replay.ts';

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

/** When the snapshots of one answer have more bytes than this, the topics behind have to be asked for again. [S1] */
const maxBatchBytes = maxSnapshotBytes / 2;

/** What a subscribe answers, and what follows right behind the answer. */
export interface SubscribeReply<Payload> {
  readonly payload: Payload;
  readonly afterReply: () => void;
}

export interface SubscribeDeps extends EntryDeps, ReplayDeps {
  readonly presence: Presence;
  readonly topicKinds: TopicKinds;
  /** Subscriptions a connection; 0: none. */
  readonly maxSubscriptions: number;
  readonly onRefused: (actor: Actor, topic: string) => void;
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
  const refuse = (actor: Actor, topic: string): never => {
    deps.onRefused(actor, topic);
    throw new AppError('forbidden', 'You may not follow this topic, or it does not exist.');
  };

  const requireRoom = (connection: Connection, topic: string): void => {
    const { maxSubscriptions } = deps;
    if (maxSubscriptions === 0 || connection.follows(topic)) return;
    if (connection.subscriptions.size < maxSubscriptions) return;
    throw new AppError(
      'too_many_subscriptions',
      `A connection may follow ${maxSubscriptions} topics. Unsubscribe from some first.`,
    );
  };

  /** The topic is served from now on, if nothing is wrong with the request itself. */
  const serve = async (connection: Connection, request: TopicRequest): Promise<Asked> => {
    const { kind, id } = deps.topicKinds.require(request.topic);
    if (request.snapshot && kind.snapshot === undefined) {
      throw new AppError('invalid', `Topics of the kind ${kind.kind} have no snapshot: leave it out.`);
    }
    requireRoom(connection, request.topic);
    return { request, kind, id, stream: await deps.hub.follow(request.topic) };
  };

  /** Every topic that was asked for: one after another has its outcome, and those that are not joined are not served. */
  const joinAll = async (
    connection: Connection,
    requests: readonly TopicRequest[],
  ): Promise<PromiseSettledResult<Joined>[]> => {
    const names = new Set<string>();
    const served = await Promise.allSettled(
      requests.map(async (request) => {
        if (names.has(request.topic)) throw new AppError('invalid', 'Name each topic once.');
        names.add(request.topic);
        return await serve(connection, request);
      }),
    );
    const asked = served.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const approaching = approach(deps, connection.actor, asked);
    await approaching.catch(() => {}); // each topic fails of it
    const outcomes: PromiseSettledResult<Joined>[] = [];
    let snapshotBytes = 0;
    for (const each of served) {
      const joining = async (): Promise<Joined> => {
        if (each.status === 'rejected') throw each.reason;
        const { stream } = each.value;
        try {
          if (snapshotBytes > maxBatchBytes) throw tooMuchAtOnce();
          const approached = (await approaching).find((one) => one.stream === stream);
          if (approached === undefined) throw new Error(`Nobody approached ${stream.topic}.`);
          return await join(connection, approached);
        } catch (error) {
          deps.hub.unfollow(stream);
          throw error;
        }
      };
      const [outcome] = await Promise.allSettled([joining()]);
      outcomes.push(outcome);
      if (outcome.status === 'fulfilled') snapshotBytes += outcome.value.snapshotBytes;
    }
    return outcomes;
  };

  const join = async (connection: Connection, approached: Approach): Promise<Joined> => {
    const { stream, kind } = approached;
    const { topic } = stream;
    let current = approached;
    let entry = await readEntry(deps, current);
    while (current.actor !== connection.actor) {
      // Another role meanwhile, or a right that went with something else: what was read may be from before that.
      [current = approached] = await approach(deps, connection.actor, [approached]);
      entry = await readEntry(deps, current);
    }
    if (entry === undefined) return refuse(current.actor, topic);
    if (connection.isClosed) throw new AppError('unavailable', 'The connection was closed.');
    const isOtherLog = entry.subscribed.epoch !== deps.knownEpoch();
    if (isOtherLog) await deps.refreshEpoch();
    // It was given up meanwhile, and those who followed it were told to come back; or the log is another one by now.
    if (isOtherLog || !deps.hub.serves(stream)) {
      throw new AppError('unavailable', 'The events of this topic have moved on. Try again.', {
        retryAfterMs: 100,
      });
    }
    requireRoom(connection, topic); // others of the same frame have joined since
    connection.endSubscription(topic);
    if (entry.subscribed.reset) deps.telemetry.metrics.resets.add();
    const { subscribed, snapshotBytes, authorizedAt } = entry;
    const subscription: Subscription = { topic, stream, authorizedAt, phase: 'joining' };
    connection.subscriptions.set(topic, subscription);
    if (kind.hasPresence) deps.presence.join(topic, current.actor.userId);
    return {
      subscribed,
      snapshotBytes,
      start: () => startReplay(connection, subscription, subscribed.seq, deps),
    };
  };

  return {
    async subscribe(connection, request) {
      const [outcome] = await joinAll(connection, [request]);
      if (outcome?.status !== 'fulfilled') throw outcome?.reason;
      return { payload: outcome.value.subscribed, afterReply: outcome.value.start };
    },
    async subscribeMany(connection, requests) {
      const outcomes = await joinAll(connection, requests);
      return {
        payload: {
          results: outcomes.map((outcome, index) => {
            if (outcome.status === 'fulfilled') return outcome.value.subscribed;
            const topic = requests[index]?.topic ?? '';
            const refusal = deps.reporter.toRefusal(outcome.reason, `subscribing to ${topic}`);
            deps.telemetry.metrics.errors.of('socket', refusal.code).add();
            return { topic, error: toWireError(refusal) };
          }),
        },
        afterReply() {
          for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.start();
        },
      };
    },
    async authorize(actor, topic) {
      const { kind, id } = deps.topicKinds.require(topic);
      return (await kind.findFollowable(deps.db, actor, [id])).has(id) ? kind : refuse(actor, topic);
    },
  };
}

interface Joined {
  readonly subscribed: Subscribed;
  readonly snapshotBytes: number;
  /** For right behind the answer. */
  readonly start: () => void;
}

const tooMuchAtOnce = () =>
  new AppError('unavailable', 'The snapshots before this one fill the answer. Ask for this topic again.', {
    retryAfterMs: 100,
  });
