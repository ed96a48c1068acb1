// Keeps an instance on the log that it serves: whenever the database was lost, or says that its past is another one, every
// position that was delivered here is compared with the log by event id before anything else happens there. Topics that
// differ are given up; their followers come back under a new epoch and are reset. [O1] [S4]

import type { Database, Db } from '../../db/database.ts';
import type { Hub } from '../hub/hub.ts';
import { idOf, type LoggedEvent } from './event-log.ts';
import { judgePlaces, type LogIdentity, type ReadIdentity, renewEpoch } from './identity.ts';

export interface LineageDeps {
  readonly db: Db;
  /** Absent where the database lives and dies with this process: nobody else can change it. */
  readonly watch: Database['watch'];
  readonly hub: Pick<Hub, 'places' | 'hold' | 'giveUp'>;
  readonly readIdentity: ReadIdentity;
  /** Positions were compared, and events that arrived meanwhile were dropped: the log is to be asked for them. */
  readonly onCompared: () => void;
  readonly onLost: (lost: { topics: number; epoch: string }) => void;
}

export interface Lineage {
  readonly epoch: string;
  /** Looks whether the log is still the one that is known. Fails when the database is away. */
  refresh(): Promise<void>;
  /** An event committed here: looked for as well, though nobody may follow its topic. */
  note(event: LoggedEvent): void;
}

/** More often than this the past of a server does not change while one connection is made. */
const maxRounds = 5;

export async function createLineage(deps: LineageDeps): Promise<Lineage> {
  const { db, hub, readIdentity } = deps;
  let known = await readIdentity(db);
  /** A connection broke, and nothing was compared since. */
  let isInDoubt = false;
  let comparing: Promise<void> | undefined;
  /** The newest commit of this instance: a server that lost any of them has lost this one. */
  let newest: LoggedEvent | undefined;

  /** Returns when what is delivered here is what the log behind `connection` has. */
  const settle = async (connection: Db, dropOthers: () => void): Promise<void> => {
    for (let round = 0; round < maxRounds; round += 1) {
      const seen = await readIdentity(connection);
      if (seen.logId !== known.logId) throw new OtherLogError();
      const isSame = seen.epoch === known.epoch && seen.history === known.history;
      if (isSame && !isInDoubt && comparing === undefined) return;
      comparing ??= compare(connection, seen, dropOthers).finally(() => {
        comparing = undefined;
      });
      await comparing;
    }
    throw new Error('The log became another one again and again while it was looked at.');
  };

  const compare = async (connection: Db, seen: LogIdentity, dropOthers: () => void): Promise<void> => {
    isInDoubt = false;
    const release = hub.hold();
    try {
      const places = hub.places();
      const own = newest === undefined ? [] : [{ topic: newest.topic, seq: newest.seq, id: idOf(newest) }];
      const verdicts = await judgePlaces(connection, [...places, ...own]);
      const hasLost = verdicts.includes('other');
      // Those who are not connected now could not be told otherwise.
      const mustRenew = hasLost && seen.epoch === known.epoch;
      const epoch = mustRenew ? await renewEpoch(connection, known.epoch) : seen.epoch;
      // A server that lost its place may live on, and would go on taking what nobody will ever find again.
      if (seen.history !== known.history) dropOthers();
      const topics = new Set(places.flatMap(({ topic }, index) => (verdicts[index] === 'same' ? [] : topic)));
      known = { ...seen, epoch };
      if (hasLost) newest = undefined;
      hub.giveUp(topics);
      if (hasLost || topics.size > 0) deps.onLost({ topics: topics.size, epoch });
    } catch (error) {
      isInDoubt = true;
      throw error;
    } finally {
      release();
    }
    deps.onCompared();
  };

  deps.watch?.({
    connected: settle,
    broken() {
      isInDoubt = true;
    },
  });
  return {
    get epoch() {
      return known.epoch;
    },
    async refresh() {
      // On one connection: a further one would wait for the comparison that waits for it.
      if (deps.watch !== undefined) await db.transaction((tx) => settle(tx, () => {}));
    },
    note(event) {
      newest = event;
    },
  };
}

/** Channels and keys carry the identity of the log that the instance started with. */
class OtherLogError extends Error {
  readonly code = '57P03'; // cannot_connect_now: nothing may be read or written there
  constructor() {
    super(
      'This is not the database that the instance started with: its log is another one. Start the instance anew.',
    );
  }
}
