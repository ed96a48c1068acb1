// The parts of the real-time core that the modules stand on, put together: commit, announce, hub, presence.
// The socket is built on top, when the modules have said which commands and topics there are.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../db/connect.ts';
import { asRefusal } from '../db/errors.ts';
import { AppError } from '../protocol/errors.ts';
import { parseTopic } from '../protocol/topics.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createBatcher } from './batcher.ts';
import type { Bridge } from './bridge.ts';
import { type Commit, createCommit, type Publish } from './commit.ts';
import { Connections } from './connections.ts';
import { type LoggedEvent, readEvents, readHeads, readNewestEvents, readStarts } from './event-log.ts';
import { type CreateGroup, createGroupCommit } from './group-commit.ts';
import { startHealing } from './heal.ts';
import { Hub } from './hub.ts';
import type { Announce } from './module.ts';
import type { AnnouncePresence, Presence } from './presence.ts';
import { type RetentionPolicy, startRetention } from './retention.ts';

export interface Core {
  readonly db: Db;
  readonly commit: Commit;
  /** For writes that are many and small. */
  readonly createGroup: CreateGroup;
  readonly announce: Announce;
  readonly hub: Hub;
  readonly presence: Presence;
  readonly connections: Connections;
  /** Of the log: positions from another epoch are void. [S4] */
  readonly epoch: string;
  readonly readEvents: (topic: string, after: number, limit: number) => Promise<LoggedEvent[]>;
  /** What a thrown error is to the client; a bug is logged with its cause and becomes `internal`. */
  readonly toRefusal: (error: unknown, what: string) => AppError;
  /**
   * Called with every durable event of the type on a user's own topic, right behind its delivery here. Not on others: on
   * `app:` topics anybody chooses the types. One observer a type.
   */
  readonly observeUsers: (type: string, observer: (event: LoggedEvent) => void) => void;
  /** From now on frames leave through this. */
  readonly attach: (server: { publish(topic: string, frame: string): unknown }) => void;
  readonly stop: () => Promise<void>;
}

export interface CoreDeps {
  readonly db: Db;
  readonly bridge: Bridge;
  /** Of this instance, or of all of them. */
  readonly createPresence: (announce: AnnouncePresence) => Promise<Presence>;
  readonly retention: RetentionPolicy;
  readonly logger: Logger;
}

/** The database must be migrated. */
export async function createCore({ db, bridge, createPresence, retention, logger }: CoreDeps): Promise<Core> {
  let server: Parameters<Core['attach']>[0] | undefined;
  const observers = new Map<string, (event: LoggedEvent) => void>();
  const connections = new Connections();

  const reportBug = (error: unknown, what: string): void => logger.error({ err: error }, `${what} failed`);
  const toRefusal: Core['toRefusal'] = (error, what) => {
    const refusal = asRefusal(error);
    if (refusal !== undefined) return refusal;
    reportBug(error, what);
    return new AppError('internal', 'Something went wrong on the server. Try again later.', { cause: error });
  };
  const onFailure = (error: unknown, what: string): void =>
    logger.warn({ err: error }, `${what} failed, for now`);
  const readPage = (topic: string, after: number, limit: number) => readEvents(db, topic, after, limit);

  const hub = new Hub({
    bridge,
    publishFrame: (topic, frame) => void server?.publish(topic, frame),
    followersOf: (userId) => connections.ofUser(userId),
    allFollowers: () => connections.all,
    readHead: readTogether(db),
    readEvents: readPage,
    readNewestEvents: (topic, last, limit) => readNewestEvents(db, topic, last, limit),
    onDelivered: (event) => {
      const observer = observers.get(event.type);
      if (observer !== undefined && parseTopic(event.topic)?.kind === 'user') observer(event);
    },
    onFailure,
    onBug: reportBug,
  });
  const announce: Announce = (event) => hub.announce(event);
  // Not to the users themselves: whether they follow the topic by then depends on how long the counting takes. [O4]
  const presence = await createPresence((type, topic, userId) =>
    announce({ topic, type, payload: { userId }, actor: undefined, exceptUserId: userId }),
  );

  const [log] = await queryRows<{ epoch: string }>(db, sql`SELECT epoch FROM event_log`);
  if (log === undefined) throw new Error('The table event_log is empty: the migrations did not run.');
  const healing = startHealing({ hub, bridge, readHeads: (topics) => readHeads(db, topics), onFailure });
  await bridge.start((frame) => hub.receive(frame), healing.healNow);
  const stopRetention = startRetention(db, retention, () => hub.topics(), onFailure);

  const publish: Publish = (events) => hub.publish(events);
  return {
    db,
    commit: createCommit(db, publish),
    createGroup: createGroupCommit(db, publish, reportBug),
    announce,
    hub,
    presence,
    connections,
    epoch: log.epoch,
    readEvents: readPage,
    toRefusal,
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
      hub.stop();
      await bridge.stop();
    },
  };
}

/** Heads that are asked for at the same time are read in one query: 100 topics come with one frame. [S1] */
function readTogether(db: Db): (topic: string) => Promise<number> {
  return createBatcher<string, number>({
    async run(topics) {
      const heads = await readStarts(db, topics);
      return { outcomes: topics.map((topic) => ({ isDone: true, result: heads.get(topic) ?? 0 })) };
    },
    maxBatch: 1_000,
    maxWaiting: Number.POSITIVE_INFINITY, // bounded by what connections may ask for
    onFailure() {}, // nothing is left to finish
  });
}
