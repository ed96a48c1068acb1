// Plain pub/sub on `app:` topics. An ephemeral event is checked, encoded and sent, and nothing is asked or waited for;
// durable ones share their transactions. [T1]

import type { RateLimits } from '../../auth/rate-limits.ts';
import type { Db } from '../../db/connect.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize, type Page } from '../../protocol/paging.ts';
import { parseTopic } from '../../protocol/topics.ts';
import type { Actor, TopicGrants } from '../../realtime/actor.ts';
import { type Commit, keyedBy, toReply } from '../../realtime/commit.ts';
import { isLastPage, readEvents, readHeads } from '../../realtime/event-log.ts';
import type { CreateGroup } from '../../realtime/group-commit.ts';
import { takeOrRepeat } from '../../realtime/keys.ts';
import type { Announce } from '../../realtime/module.ts';
import {
  maxDataBytes,
  type Publish,
  type Published,
  reservedWords,
  type TopicEvent,
  type TopicEventsQuery,
} from './contract.ts';
import { isGranted } from './rights.ts';

export interface TopicsService {
  /** Throws `unknown_topic` unless it is an `app:` topic, `forbidden` without the right to publish there. */
  publish(actor: Actor, topic: string, input: Publish, key: string | undefined): Promise<Published>;
  /** Durable events that the log still has. Takes the right to subscribe. */
  listEvents(actor: Actor, topic: string, query: TopicEventsQuery): Promise<Page<TopicEvent>>;
}

export interface TopicsDeps {
  readonly db: Db;
  readonly commit: Commit;
  readonly createGroup: CreateGroup;
  readonly announce: Announce;
  readonly limits: Pick<RateLimits, 'takePublish' | 'takeTopic'>;
}

/** So many names are remembered as in the log, so that a publish need not ask for its topic. */
const maxKnownTopics = 10_000;

export function createTopicsService(deps: TopicsDeps): TopicsService {
  const { db, commit, createGroup, announce, limits } = deps;
  const append = createGroup<Publish, Published>({
    toValue: ({ topic, input: { event } }) => ({ topic, event }),
    toEvent: ({ input: { event, data } }) => ({ type: event, payload: data }),
  });

  const known = new Set<string>();

  /** A topic that has no row in the log yet gets one, which stays for days: there must not be more of those than a user has use for. */
  async function takeTopic(userId: string, topic: string): Promise<void> {
    if (known.has(topic)) return;
    if (!(await readHeads(db, [topic])).has(topic)) await limits.takeTopic(userId);
    if (known.size >= maxKnownTopics) known.clear();
    known.add(topic);
  }

  return {
    async publish(actor, topic, { event, data, durable = false }, key) {
      requireRight(actor, 'publish', topic);
      checkName(event);
      checkData(data);
      const result = { topic, event };
      if (!durable && key === undefined) {
        announce({ topic, type: event, payload: data, actor });
        return result;
      }
      const idempotency = { operation: 'publish', key, body: { ...result, data, durable } };
      const request = keyedBy(actor, idempotency);
      const first = await takeOrRepeat<Published>(db, request, async () => {
        await limits.takePublish(actor.userId);
        if (durable) await takeTopic(actor.userId, topic);
      });
      if (first !== undefined) return durable ? toReply({ ...first, isRepeat: true }) : first.value;
      if (durable) return toReply(await append({ actor, topic, input: { event, data }, request }));
      // The transaction does nothing but take the key: that is what makes a repeated request silent. [K1]
      const { isRepeat } = await commit(actor, async () => result, idempotency);
      if (!isRepeat) announce({ topic, type: event, payload: data, actor });
      return result;
    },

    async listEvents(actor, topic, { after = 0, limit = defaultPageSize }) {
      requireRight(actor, 'subscribe', topic);
      const logged = await readEvents(db, topic, after, limit + 1);
      const shown = logged.slice(0, limit);
      const last = shown.at(-1);
      return {
        items: shown.map(({ frame }) => JSON.parse(frame)),
        nextCursor: last === undefined || isLastPage(logged, limit + 1) ? null : String(last.seq),
      };
    },
  };
}

function requireRight(actor: Actor, right: keyof TopicGrants, topic: string): void {
  const parsed = parseTopic(topic);
  if (parsed?.kind !== 'app') {
    throw new AppError(
      'unknown_topic',
      'Expected an app topic: app:<name>, the name of 1 to 100 of the characters a-z 0-9 . _ -',
    );
  }
  if (isGranted(actor, right, parsed.id)) return;
  throw new AppError('forbidden', `Your access token does not let you ${right} on this topic.`);
}

const reserved: ReadonlySet<string> = new Set(reservedWords);

function checkName(event: string): void {
  const word = event.slice(0, event.indexOf('.'));
  if (!reserved.has(word)) return;
  throw new AppError('invalid', `Events that begin with "${word}." are the protocol's own. Choose another.`, {
    fields: [{ path: '/event', message: `Expected another first word than ${word}` }],
  });
}

function checkData(data: unknown): void {
  if (Buffer.byteLength(JSON.stringify(data)) > maxDataBytes) {
    throw invalidData(`Expected at most ${maxDataBytes} bytes as JSON`);
  }
}

const invalidData = (message: string) =>
  new AppError('invalid', `The data cannot be published. ${message}.`, {
    fields: [{ path: '/data', message }],
  });
