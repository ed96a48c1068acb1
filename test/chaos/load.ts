// Senders and subscribers at work on a cluster while something is broken, and what came of it: every ledger is compared
// with the log, after a quiet period in which all of them must have caught up.

import { sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';
import { campaignTopic, settlementTopic } from '../../src/modules/campaigns/contract.ts';
import { chatTopic } from '../../src/modules/chat/contract.ts';
import { readHeads } from '../../src/realtime/log/event-log.ts';
import type { TestUser } from '../support/api.ts';
import { Builder, compareSite, type Site } from './builder.ts';
import { type Cluster, senderCount } from './cluster.ts';
import { Crew } from './crew.ts';
import { Duel } from './duel.ts';
import { within } from './roaming-client.ts';
import { Sender, type Sent } from './sender.ts';
import { type Stage, setStage } from './stage.ts';
import { Subscriber } from './subscriber.ts';
import { Trader } from './trader.ts';

export interface LoadOptions {
  /** Where clients connect; without it, to the instances themselves. */
  readonly urls?: readonly string[];
  /** Where senders connect, if not there as well. */
  readonly senderUrls?: readonly string[];
  /** Between two messages of one sender. */
  readonly pauseMs?: number;
  readonly contentChars?: number;
}

/** What a load came to. Of the promise, everything from `lost` to `invented` is 0. */
export interface Outcome {
  sent: number;
  /** Attempts beyond the first one of each message: nobody had answered. */
  sentAgain: number;
  acknowledged: number;
  /** Events received, by all subscribers together. */
  delivered: number;
  /** Acknowledged and not stored (messages, reactions, read positions), or in the log and not received. */
  lost: number;
  /** Stored twice, or received twice by one subscriber. */
  repeated: number;
  reordered: number;
  /** Received and not in the log, or a message without its event, or an event without its message. */
  invented: number;
  /** Connections that ended by themselves. */
  lostConnections: number;
  /** The longest time from the first attempt at a message to its acknowledgement. */
  slowestAnswerMs: number;
  /** The longest time from the making of an event to its arrival, be it after a reconnect. */
  slowestDeliveryMs: number;
  /** Made and ended: taken back, accepted or expired. */
  offers: number;
  /** Of a settlement, acknowledged. */
  changes: number;
  /** Started and ended. */
  hacks: number;
  /** Created and completed. */
  jobs: number;
  /** Codes that senders were refused with. */
  refusals: string[];
}

const progressPatienceMs = 30_000;
const quietMs = 30_000;

export class Load {
  readonly chatIds: readonly string[];
  readonly subscribers: Subscriber[] = [];
  readonly #cluster: Cluster;
  readonly #site: Site;
  readonly #senders: readonly Sender[];
  /** In the first chat. */
  readonly #trader: Trader;
  readonly #builders: readonly Builder[];
  readonly #duel: Duel;
  readonly #crew: Crew;
  #acknowledged = 0;
  #arrival = Promise.withResolvers<void>();

  /** Resolves when everyone follows, and messages flow. */
  static async start(cluster: Cluster, options: LoadOptions = {}): Promise<Load> {
    const load = new Load(cluster, await setStage(cluster), options);
    await load.moveOn();
    return load;
  }

  private constructor(
    cluster: Cluster,
    { chatIds, site, duel, crew }: Stage,
    { urls = cluster.urls, senderUrls = urls, pauseMs = 10, contentChars = 0 }: LoadOptions,
  ) {
    this.#cluster = cluster;
    this.chatIds = chatIds;
    this.#site = site;
    const [, ...users] = cluster.users;
    const onAcknowledged = (): void => {
      this.#acknowledged += 1;
      this.#arrival.resolve();
      this.#arrival = Promise.withResolvers();
    };
    this.#senders = users
      .slice(0, senderCount)
      .map(
        (user, first) =>
          new Sender({ user, urls: senderUrls, first, chatIds, pauseMs, contentChars, onAcknowledged }),
      );
    const [maker = this.owner, taker = this.owner] = users;
    this.#trader = new Trader({ maker, taker, urls: senderUrls, chatId: chatIds[0] ?? '', db: cluster.db });
    this.#builders = users
      .slice(0, 2)
      .map((user, first) => new Builder({ user, urls: senderUrls, first, settlementId: site.settlementId }));
    const { db } = cluster;
    this.#duel = new Duel({ ...duel, urls: senderUrls, db });
    this.#crew = new Crew({ ...crew, urls: senderUrls, db });
    const topics = [
      ...chatIds.map(chatTopic),
      campaignTopic(site.campaignId),
      settlementTopic(site.settlementId),
    ];
    for (const [first, user] of users.slice(senderCount).entries()) {
      this.subscribers.push(new Subscriber({ user, urls, first, topics }));
    }
  }

  /** Of all chats. */
  get owner(): TestUser {
    const [owner] = this.#cluster.users;
    if (owner === undefined) throw new Error('The cluster has no users.');
    return owner;
  }

  /** Connections that ended by themselves so far. */
  get lostConnections(): number {
    const clients = [...this.#senders, ...this.subscribers].map(({ client }) => client);
    return clients.reduce((sum, { endings }) => sum + endings.length, 0);
  }

  /** Another one beside those of every load: its ledger counts like theirs. */
  async join(subscriber: Subscriber): Promise<void> {
    this.subscribers.push(subscriber);
    await subscriber.following;
  }

  /** Resolves when everyone follows, and that many more messages have been acknowledged. */
  async moveOn(count = 100): Promise<void> {
    const goal = this.#acknowledged + count;
    const arrive = async (): Promise<void> => {
      await Promise.all(this.subscribers.map(({ following }) => following));
      while (this.#acknowledged < goal) await this.#arrival.promise;
    };
    await within(progressPatienceMs, arrive()).catch((error) => {
      throw new Error(`The load stands still. ${this.#troubles()}`, { cause: error });
    });
  }

  /** Ends the sending. Fails when the last messages are not acknowledged or not received by all within 30 s. */
  async settle(): Promise<Outcome> {
    const stopping = Promise.all(this.#writers.map((writer) => writer.stop()));
    await within(quietMs, stopping).catch((error) => {
      throw new Error(`Not everything was acknowledged. ${this.#troubles()}`, { cause: error });
    });
    const { db } = this.#cluster;
    const others = [
      await this.#trader.compare(), // first: it waits until everything that is due has expired
      await this.#duel.compare(),
      await this.#crew.compare(),
      await compareSite(db, this.#site, this.#builders),
    ];
    const topics = new Set(this.subscribers.flatMap((subscriber) => subscriber.topics));
    const heads = await readHeads(db, [...topics]);
    await Promise.all(
      this.subscribers.map(async (subscriber) => {
        for (const topic of subscriber.topics) await subscriber.reach(topic, heads.get(topic) ?? 0, quietMs);
        await subscriber.flush();
      }),
    );
    const outcome = await this.#compare(db);
    for (const { lost, repeated, invented } of others) {
      outcome.lost += lost;
      outcome.repeated += repeated;
      outcome.invented += invented;
    }
    return outcome;
  }

  /** Lets everyone go, also in the middle of it. */
  async stop(): Promise<void> {
    for (const writer of this.#writers) writer.abandon();
    await Promise.all(this.subscribers.map((subscriber) => subscriber.stop()));
  }

  async #compare(db: Db): Promise<Outcome> {
    const sent = this.#senders.flatMap((sender) => sender.sent);
    const outcome: Outcome = {
      sent: sent.length,
      sentAgain: sent.reduce((sum, { attempts }) => sum + attempts - 1, 0),
      acknowledged: sent.filter(({ seq }) => seq !== undefined).length,
      delivered: 0,
      lost: 0,
      repeated: 0,
      reordered: 0,
      invented: 0,
      lostConnections: this.lostConnections,
      offers: this.#trader.ended,
      changes: this.#builders.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
      hacks: this.#duel.hacks,
      jobs: this.#crew.done,
      slowestAnswerMs: Math.max(...this.#senders.map(({ slowestMs }) => slowestMs)),
      slowestDeliveryMs: Math.max(...this.subscribers.map(({ slowestMs }) => slowestMs)),
      refusals: [...new Set(this.#senders.flatMap(({ refusals }) => [...refusals.keys()]))],
    };
    for (const chatId of this.chatIds) {
      const own = sent.filter((message) => message.chatId === chatId);
      const stored = compareStored(own, await readMessages(db, chatId));
      outcome.lost += stored.lost;
      outcome.repeated += stored.repeated;
      outcome.invented += stored.invented;
    }
    for (const sender of this.#senders) outcome.lost += await countLost(db, sender);
    for (const { ledger, topics } of this.subscribers) {
      for (const topic of topics) {
        const comparison = await ledger.compare(db, topic);
        outcome.delivered += comparison.received;
        outcome.lost += comparison.lost;
        outcome.repeated += comparison.repeated;
        outcome.reordered += comparison.reordered;
        outcome.invented += comparison.invented;
      }
    }
    return outcome;
  }

  get #writers() {
    return [...this.#senders, this.#trader, ...this.#builders, this.#duel, this.#crew];
  }

  #troubles(): string {
    return this.#senders.map(({ trouble }) => trouble).join('\n');
  }
}

/** A message and its event, joined at their seq; one of them may be missing. */
interface StoredMessage {
  seq: string;
  message: string | null;
  event: string | null;
}

async function readMessages(db: Db, chatId: string): Promise<StoredMessage[]> {
  return await queryRows<StoredMessage>(
    db,
    sql`
      SELECT seq, m.content AS message, e.content AS event
      FROM (SELECT seq, content FROM messages WHERE chat_id = ${chatId} AND message_type = 'text') AS m
      FULL JOIN (
        SELECT seq, payload->>'content' AS content FROM events
        WHERE topic = ${chatTopic(chatId)} AND type = 'message.created' AND payload->>'messageType' = 'text'
      ) AS e USING (seq)`,
  );
}

function compareStored(
  sent: readonly Sent[],
  stored: readonly StoredMessage[],
): Pick<Outcome, 'lost' | 'repeated' | 'invented'> {
  const bySeq = new Map(stored.map((entry) => [Number(entry.seq), entry]));
  const contents = new Set(stored.map(({ event }) => event));
  const known = new Set(sent.map(({ content }) => content));
  const isKept = ({ seq, content }: Sent): boolean => seq !== undefined && bySeq.get(seq)?.event === content;
  return {
    lost: sent.filter((message) => !isKept(message)).length,
    repeated: stored.length - contents.size,
    invented: stored.filter(({ message, event }) => message !== event || !known.has(event ?? '')).length,
  };
}

/** Of the sender's reactions and read positions that were acknowledged: those that are not there. */
async function countLost(db: Db, { userId, reactedTo, read }: Sender): Promise<number> {
  const reactions = await queryRows(
    db,
    sql`
      SELECT 1 FROM message_reactions
      WHERE user_id = ${userId} AND message_id = ANY(${sql.param([...reactedTo])}::uuid[])`,
  );
  const positions = await queryRows<{ chat_id: string; last_read_seq: number | string }>(
    db,
    sql`SELECT chat_id, last_read_seq FROM chat_participants WHERE user_id = ${userId}`,
  );
  const behind = positions.filter(
    ({ chat_id, last_read_seq }) => Number(last_read_seq) < (read.get(chat_id) ?? 0),
  );
  return reactedTo.length - reactions.length + behind.length;
}
