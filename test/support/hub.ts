// A hub on a real log, with everything around it in the hand of the test: frames of other instances arrive when it says
// so, an answer of the log or of the bridge can be kept waiting, and connections are real but for their sockets.

import { Type } from '@sinclair/typebox';
import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import { userOfTopic } from '../../src/protocol/topics.ts';
import type { Actor } from '../../src/realtime/actor.ts';
import { Hub } from '../../src/realtime/hub/hub.ts';
import { createHubRecord } from '../../src/realtime/hub/record.ts';
import { Trail } from '../../src/realtime/hub/trail.ts';
import {
  appendEvents,
  type LoggedEvent,
  type NewEvent,
  readEvents,
  readNewestEvents,
  readStarts,
} from '../../src/realtime/log/event-log.ts';
import { createMemoryPresence } from '../../src/realtime/presence/memory.ts';
import type { Connection, Socket } from '../../src/realtime/socket/connection.ts';
import { watchRights } from '../../src/realtime/socket/revocation.ts';
import { createSubscriber } from '../../src/realtime/socket/subscribe.ts';
import { createTopicKinds, topicKind } from '../../src/realtime/topic-kind.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createTelemetry } from '../../src/telemetry/tracing.ts';
import type { Frame } from './client.ts';
import { createConnection } from './connection.ts';
import { reporter, reportInto } from './reporter.ts';

export interface HubInHand {
  readonly hub: Hub;
  /** The seqs that left for the followers of the topic, in order. */
  left(topic: string): number[];
  /** What the bridge was told, as `serve topic` and `release topic`. */
  readonly told: readonly string[];
  /** How often the log has answered with events, and with a head; held answers count. */
  readonly reads: number;
  readonly headsRead: number;
  /** How often it has answered with the newest events, for memory. */
  readonly newestRead: number;
  /** What the hub called a bug. */
  readonly bugs: readonly unknown[];
  /** Makes the leaving of this event fail, once. */
  failDelivery(topic: string, seq: number): void;
  /** Keeps the answers to calls that are made from now on waiting, until it is called. */
  hold(what: Held): () => void;
  /** Commits events as another instance does: nothing of it arrives here by itself. */
  write(topic: string, count: number, more?: Partial<NewEvent>): Promise<LoggedEvent[]>;
  /** What an instance does behind its own commit. */
  publish(events: readonly LoggedEvent[]): void;
  /** A frame of another instance comes over the bridge. */
  arrive(event: LoggedEvent | undefined): void;
  readonly readEvents: (topic: string, after: number, limit: number) => Promise<LoggedEvent[]>;
  /** A live connection of the user. */
  connect(userId: string, role?: Actor['role']): ConnectionInHand;
  readonly connections: { ofUser(userId: string): readonly Connection[] };
  /** As the core does it: events on a user's own topic, right behind their delivery. */
  observeUsers(type: string, observer: (event: LoggedEvent) => void): void;
}

type Held = 'serve' | 'readHead' | 'readEvents' | 'readNewestEvents';

export interface ConnectionInHand {
  readonly connection: Connection;
  /** What was sent to it. */
  readonly frames: readonly Frame[];
  /** The codes with which it was closed. */
  readonly closes: readonly number[];
  seqsOf(topic: string): number[];
}

/** The one kind of topic of `createSubscriberOn`. */
export interface KindInHand {
  /** Answers the right to follow; absent: everyone has it. */
  readonly mayFollow?: (actor: Actor) => Promise<boolean>;
  /** The same for each topic that is asked about, by its name without `app:`. */
  readonly findFollowable?: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Absent: there is no snapshot. */
  readonly snapshot?: object;
}

/** Of a hub in hand: frames of another one it would not deliver. */
const theEpoch = 'epoch';

/** Nothing that a test does takes nearly as many: whoever goes on for ever is stopped. */
const maxReads = 500;

export function createHub(db: Db): HubInHand {
  const told: string[] = [];
  const bugs: unknown[] = [];
  const frames: { topic: string; seq: number }[] = [];
  const failing = new Set<string>();
  const members: { connection: Connection; native: Set<string>; take: (frame: string) => void }[] = [];
  const observers = new Map<string, (event: LoggedEvent) => void>();
  const open = Promise.resolve();
  const held: Record<Held, Promise<void>> = {
    serve: open,
    readHead: open,
    readEvents: open,
    readNewestEvents: open,
  };
  const ofUser = (userId: string) =>
    members.flatMap(({ connection }) => (connection.userId === userId ? [connection] : []));
  let asked = 0;
  let reads = 0;
  let headsRead = 0;
  let newestRead = 0;

  const readPage = async (topic: string, after: number, limit: number): Promise<LoggedEvent[]> => {
    asked += 1;
    if (asked > maxReads) throw new Error('The log is read without end.');
    const waiting = held.readEvents;
    const page = await readEvents(db, topic, after, limit);
    reads += 1;
    await waiting; // read already: what commits meanwhile is not in it
    return page;
  };
  const hub = new Hub({
    knownEpoch: () => theEpoch,
    bridge: {
      isComplete: true,
      status: 'up',
      async start() {},
      async serve(topic) {
        told.push(`serve ${topic}`);
        await held.serve;
      },
      release: (topic) => void told.push(`release ${topic}`),
      publish: () => false,
      async stop() {},
    },
    publishFrame(topic, frame) {
      const { seq = 0 }: Frame = JSON.parse(frame);
      if (failing.delete(`${topic} ${seq}`)) throw new Error('not delivered');
      frames.push({ topic, seq });
      const followers = members.filter(({ native }) => native.has(topic));
      for (const { take } of followers) take(frame);
      return followers.length;
    },
    followersOf: ofUser,
    allFollowers: () => members.map(({ connection }) => connection),
    async readHead(topic) {
      const waiting = held.readHead;
      const heads = await readStarts(db, [topic]);
      headsRead += 1;
      await waiting;
      return heads.get(topic) ?? { head: 0, id: null };
    },
    readEvents: readPage,
    async readNewestEvents(topic, last, limit) {
      const waiting = held.readNewestEvents;
      const events = await readNewestEvents(db, topic, last, limit);
      newestRead += 1;
      await waiting;
      return events;
    },
    onAnnounced() {},
    record: createHubRecord(createMetrics(), new Trail()),
    onDelivered(event) {
      if (userOfTopic(event.topic) !== undefined) observers.get(event.type)?.(event);
    },
    reporter: reportInto(bugs),
  });

  return {
    hub,
    told,
    bugs,
    get reads() {
      return reads;
    },
    get headsRead() {
      return headsRead;
    },
    get newestRead() {
      return newestRead;
    },
    left: (topic) => frames.filter((frame) => frame.topic === topic).map(({ seq }) => seq),
    failDelivery: (topic, seq) => void failing.add(`${topic} ${seq}`),
    hold(what) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held[what] = promise;
      return () => {
        held[what] = open;
        resolve();
      };
    },
    write: (topic, count, more = {}) =>
      db.transaction((tx) =>
        appendEvents(
          tx,
          Array.from({ length: count }, () => ({
            event: { topic, type: 'test.written', payload: {}, ...more },
            meta: { source: 'system' },
          })),
        ),
      ),
    publish: (events) => hub.publish(events, theEpoch),
    arrive(event) {
      if (event === undefined) throw new Error('There is no such event.');
      hub.receive(event, theEpoch);
    },
    readEvents: readPage,
    connect(userId, role = 'user') {
      const received: Frame[] = [];
      const closes: number[] = [];
      const native = new Set<string>();
      const take = (frame: string) => received.push(JSON.parse(frame));
      const connection = createConnection({ onEnded: (_, { stream }) => hub.unfollow(stream) });
      const socket = {
        send: take,
        close(code: number) {
          closes.push(code);
          connection.onClose();
        },
        subscribe: (topic: string) => native.add(topic),
        unsubscribe: (topic: string) => native.delete(topic),
        getBufferedAmount: () => 0,
      };
      connection.open(socket as unknown as Socket, undefined); // all of a socket that is touched here
      const actor: Actor = { userId, sessionId: 's', role, source: 'ws' };
      const never = Number.POSITIVE_INFINITY;
      connection.phase = { name: 'live', actor, expiresAtMs: never, warnAtMs: never };
      members.push({ connection, native, take });
      const seqsOf = (topic: string) =>
        received.flatMap((frame) => (frame.topic === topic && frame.seq !== undefined ? [frame.seq] : []));
      return { connection, frames: received, closes, seqsOf };
    },
    connections: { ofUser },
    observeUsers: (type, observer) => void observers.set(type, observer),
  };
}

/** Subscribing to `app:` topics through the hub, and what watches over the right to them. */
export async function createSubscriberOn(
  { hub, readEvents, connections, observeUsers }: HubInHand,
  db: Db,
  { mayFollow, findFollowable, snapshot }: KindInHand,
) {
  const [log] = await queryRows<{ epoch: string }>(db, sql`SELECT epoch FROM event_log`);
  const presence = createMemoryPresence(() => {});
  const refused: string[] = [];
  const topicKinds = createTopicKinds([
    topicKind('app', {
      id: '.+',
      hasPresence: true,
      findFollowable: async (_db, actor, ids) =>
        (await findFollowable?.(ids)) ?? new Set(((await mayFollow?.(actor)) ?? true) ? ids : []),
      ...(snapshot && { snapshot: { schema: Type.Object({}), read: async () => snapshot } }),
    }),
  ]);
  watchRights({ db, connections, observeUsers, reporter }, topicKinds);
  const subscriber = createSubscriber({
    db,
    hub,
    readEvents,
    presence,
    topicKinds,
    knownEpoch: () => log?.epoch ?? '',
    async refreshEpoch() {},
    maxSubscriptions: 0,
    onRefused: (_, topic) => void refused.push(topic),
    reporter,
    telemetry: createTelemetry(),
  });
  return { subscriber, presence, refused };
}
