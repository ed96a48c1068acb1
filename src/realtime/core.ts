// The parts of the real-time core that the modules stand on, put together: commit, announce, hub, presence.
// The socket is built on top, when the modules have said which commands and topics there are.

import type { Database, Db, RootDb } from '../db/database.ts';
import { userOfTopic } from '../protocol/topics.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createTelemetry, type Telemetry } from '../telemetry/tracing.ts';
import type { Bridge } from './bridge/bridge.ts';
import { startHealing } from './hub/heal.ts';
import { type EphemeralEvent, Hub } from './hub/hub.ts';
import { createHubRecord } from './hub/record.ts';
import { type Note, Trail } from './hub/trail.ts';
import { type CreateBatch, createBatchCommit } from './log/batch-commit.ts';
import { createBatcher } from './log/batcher.ts';
import { type Commit, createCommit, type Publish } from './log/commit.ts';
import {
  type LoggedEvent,
  type LogHead,
  readEvents,
  readHeads,
  readNewestEvents,
  readStarts,
} from './log/event-log.ts';
import { type CreateGroup, createGroupCommit } from './log/group-commit.ts';
import { createIdentityReader, readStored } from './log/identity.ts';
import { createLineage, type Lineage } from './log/lineage.ts';
import { type RetentionPolicy, startRetention } from './log/retention.ts';
import type { Announce, AnnouncedEvent } from './module-core.ts';
import { createAnnouncer } from './presence/announcer.ts';
import { combineHiding, type Hiding } from './presence/hiding.ts';
import type { AnnouncePresence, Presence } from './presence/presence.ts';
import type { Reporter } from './report.ts';
import { Connections } from './socket/connections.ts';

export interface Core {
  readonly db: Db;
  readonly commit: Commit;
  /** See `ModuleCore`. */
  readonly createGroup: CreateGroup;
  /** See `ModuleCore`. */
  readonly createBatch: CreateBatch;
  readonly announce: Announce;
  /** See `ModuleCore`. */
  readonly announceHere: Announce;
  readonly observeAnnounced: (type: string, observer: (event: AnnouncedEvent) => void) => void;
  /** See `ModuleCore`. */
  readonly followedTopics: () => readonly string[];
  readonly hub: Hub;
  readonly presence: Presence;
  /** See `ModuleCore`. */
  readonly findHidden: (viewerId: string, userIds: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly connections: Connections;
  /** Of the log, as this instance knows it: positions from another epoch are void. [S4] */
  readonly knownEpoch: () => string;
  /** Looks whether the log has another epoch by now. Fails when the database is away. */
  readonly refreshEpoch: () => Promise<void>;
  readonly readEvents: (topic: string, after: number, limit: number) => Promise<LoggedEvent[]>;
  /** See `ModuleCore`. */
  readonly recallEvent: (topic: string, seq: number) => readonly Note[];
  readonly telemetry: Telemetry;
  readonly reporter: Reporter;
  /**
   * Called with every durable event of the type on a user's own topic, right behind its delivery here. Not on others: on
   * `app:` topics anybody chooses the types. One observer a type.
   */
  readonly observeUsers: (type: string, observer: (event: LoggedEvent) => void) => void;
  /** From now on frames leave through this. */
  readonly attach: (server: NativeTopics) => void;
  readonly stop: () => Promise<void>;
}

/** What the hub publishes on: Bun's topics, and what stands beside them. */
export interface NativeTopics {
  publish(topic: string, frame: string): unknown;
  subscriberCount(topic: string): number;
}

export interface CoreDeps {
  readonly db: RootDb;
  readonly watch?: Database['watch'];
  readonly bridge: Bridge;
  /** Of this instance, or of all of them. */
  readonly createPresence: (announce: AnnouncePresence) => Promise<Presence>;
  /** Left out: nobody hides. */
  readonly hiding?: Hiding;
  readonly retention: RetentionPolicy;
  readonly reporter: Reporter;
  readonly logger: Logger;
  readonly telemetry?: Telemetry;
}

/** The database must be migrated. */
export async function createCore(deps: CoreDeps): Promise<Core> {
  const { db, watch, bridge, createPresence, retention, reporter, logger } = deps;
  const telemetry = deps.telemetry ?? createTelemetry();
  const trail = new Trail();
  const hiding = deps.hiding ?? combineHiding(() => []);
  let server: NativeTopics | undefined;
  const observers = new Map<string, (event: LoggedEvent) => void>();
  /** By what their frames begin with. */
  const announcedObservers = new Map<string, (event: AnnouncedEvent) => void>();
  const connections = new Connections();

  const readPage = (topic: string, after: number, limit: number) => readEvents(db, topic, after, limit);

  let lineage: Lineage | undefined;
  const knownEpoch = () => lineage?.epoch ?? '';
  const hub = new Hub({
    bridge,
    knownEpoch,
    publishFrame(topic, frame) {
      server?.publish(topic, frame);
      return server?.subscriberCount(topic) ?? 0;
    },
    followersOf: (userId) => connections.ofUser(userId),
    allFollowers: () => connections.all,
    readHead: readTogether(db),
    readEvents: readPage,
    readNewestEvents: (topic, last, limit) => readNewestEvents(db, topic, last, limit),
    onDelivered: (event) => {
      const observer = observers.get(event.type);
      if (observer !== undefined && userOfTopic(event.topic) !== undefined) observer(event);
    },
    onAnnounced: ({ frame }) => {
      for (const [begin, observer] of announcedObservers) {
        if (frame.startsWith(begin)) observer(JSON.parse(frame));
      }
    },
    record: createHubRecord(telemetry.metrics, trail),
    reporter,
  });
  const announceBy =
    (send: (event: EphemeralEvent) => void): Announce =>
    ({ name, events }, type, payload, audience) => {
      if (events !== undefined && events[type]?.isDurable !== false)
        throw new Error(`The table of events has no ephemeral "${type}" on ${name}.`);
      send({ topic: name, type, payload, ...audience });
    };
  const announcer = createAnnouncer({
    announce(type, topic, userId, hiddenFrom) {
      // Not to the users themselves: whether they follow the topic by then depends on how long the counting takes. [O4]
      const exceptUserIds = [userId, ...hiddenFrom];
      hub.announce({ topic, type, payload: { userId }, actor: undefined, exceptUserIds });
    },
    findUnseeing: (userIds) => hiding.findUnseeing(db, userIds),
    reporter,
  });
  const presence = await createPresence(announcer.announce);

  lineage = await createLineage({
    db,
    watch,
    hub,
    readIdentity:
      watch === undefined
        ? readStored
        : createIdentityReader((error) =>
            logger.info(
              { err: error },
              'PostgreSQL does not tell its timeline: losses show on followed topics only',
            ),
          ),
    onCompared: () => healing.healNow(),
    onLost: (lost) =>
      logger.warn(lost, 'the database has lost events that were delivered, or others in their place'),
  });
  const healing = startHealing({
    hub,
    bridge,
    refreshLog: lineage.refresh,
    readHeads: (topics) => readHeads(db, topics),
    reporter,
  });
  await bridge.start((frame, epoch) => hub.receive(frame, epoch), healing.healNow);
  const stopRetention = startRetention(db, retention, () => hub.topics(), reporter);

  const publish: Publish = (events, epoch) => {
    hub.publish(events, epoch);
    const newest = events.at(-1);
    if (newest !== undefined) lineage.note(newest);
  };
  return {
    db,
    commit: createCommit(db, publish, knownEpoch, telemetry),
    createGroup: createGroupCommit(db, publish, reporter, knownEpoch, telemetry),
    createBatch: createBatchCommit(db, publish, reporter, knownEpoch, telemetry),
    announce: announceBy((event) => hub.announce(event)),
    announceHere: announceBy((event) => hub.announceHere(event)),
    observeAnnounced(type, observer) {
      const begin = `{"type":${JSON.stringify(type)},`;
      if (announcedObservers.has(begin)) throw new Error(`Announced ${type} has an observer already.`);
      announcedObservers.set(begin, observer);
    },
    followedTopics: () => hub.topics(),
    hub,
    presence,
    findHidden: (viewerId, userIds) => hiding.findHidden(db, viewerId, userIds),
    connections,
    knownEpoch,
    refreshEpoch: () => lineage.refresh(),
    readEvents: readPage,
    recallEvent: (topic, seq) => trail.find(topic, seq),
    telemetry,
    reporter,
    observeUsers(type, observer) {
      if (observers.has(type)) throw new Error(`Events of the type ${type} have an observer already.`);
      observers.set(type, observer);
    },
    attach: (next) => {
      server = next;
    },
    async stop() {
      await Promise.all([healing.stop(), stopRetention()]);
      await presence.stop();
      announcer.stop();
      hub.stop();
      await bridge.stop();
    },
  };
}

/** Heads that are asked for at the same time are read in one query: 100 topics come with one frame. [S1] */
function readTogether(db: Db): (topic: string) => Promise<LogHead> {
  return createBatcher<string, LogHead>({
    async run(topics) {
      const heads = await readStarts(db, topics);
      return {
        outcomes: topics.map((topic) => ({
          isDone: true,
          result: heads.get(topic) ?? { head: 0, id: null },
        })),
      };
    },
    maxBatch: 1_000,
    maxWaiting: Number.POSITIVE_INFINITY, // bounded by what connections may ask for
    onFailure() {}, // nothing is left to finish
  });
}
