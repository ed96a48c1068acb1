// Plain pub/sub on `app:` topics. An ephemeral event is checked, encoded and sent, and nothing is asked or waited for;
// durable ones share their transactions. [T1]

import { LRUCache } from 'lru-cache';
import { AppError } from '../../protocol/errors.ts';
import {
  type Actor,
  action,
  keyedBy,
  type RateLimit,
  readHeads,
  type Topic,
  takeOrRepeat,
  topicKind,
} from '../../realtime/index.ts';
import { maxDataBytes, Publish, Published, reservedWords } from './contract.ts';
import { isGranted, type Right } from './rights.ts';

export const app = topicKind('app', {
  id: '[a-z0-9._-]{1,100}',
  hasPresence: true,
  dependsOnToken: true,
  findFollowable: async (_db, actor, names) =>
    new Set(names.filter((name) => isGranted(actor, 'subscribe', name))),
});

/** A published event that the database keeps something of: itself, or its key. */
const publishesPerMinute: RateLimit = {
  name: 'publishes',
  points: ({ publishesPerMinute }) => publishesPerMinute,
  seconds: 60,
};

/** The first durable event on a topic. */
const topicsPerHour: RateLimit = {
  name: 'topics',
  points: ({ topicsPerHour }) => topicsPerHour,
  seconds: 3_600,
};

/** So many names are remembered as in the log, so that a publish need not ask for its topic. */
const maxKnownTopics = 10_000;

export const publish = action('publish', {
  summary: 'Publish an event on an app topic',
  description:
    'Whoever is logged in may do so where the name begins with `public.`; elsewhere the claim `topics` of the ' +
    'access token says who may. Topics need not be created. `events` is there for a durable event.',
  tag: 'Topics',
  http: 'POST /topics/:topic/events',
  takesTopic: true,
  takesKey: true,
  input: Publish,
  output: Published,
  writes: 'sometimes',
  refuses: ['forbidden', 'unknown_topic', 'rate_limited'],
  check({ event, data }) {
    checkName(event);
    checkData(data);
  },
  start(core) {
    const append = core.createGroup<{ event: string; data: unknown }, Published>({
      toValue: ({ topic, input: { event } }) => ({ topic, event }),
      toEvent: ({ input: { event, data } }) => ({ type: event, payload: data }),
    });
    const sent = core.telemetry.metrics.messagesSent.of('publish');
    const known = new LRUCache<string, true>({ max: maxKnownTopics });

    /** A topic that has no row in the log yet gets one, which stays for days: there must not be more of those than a user has use for. */
    async function takeTopic(actor: Actor, topic: string): Promise<void> {
      if (known.has(topic)) return;
      if (!(await readHeads(core.db, [topic])).has(topic)) await core.takeLimit(topicsPerHour, actor);
      known.set(topic, true);
    }

    return async ({ actor, key }, input) => {
      const { event, data, durable = false } = input;
      const on = requireRight(actor, 'publish', input.topic);
      const output = { topic: on.name, event };
      if (!durable && key === undefined) {
        core.announce(on, event, data, { actor });
        sent.add();
        return { output };
      }
      const idempotency = { operation: 'publish', key, body: { ...output, data, durable } };
      const request = keyedBy(actor, idempotency);
      const first = await takeOrRepeat<Published>(core.db, request, async () => {
        await core.takeLimit(publishesPerMinute, actor);
        if (durable) await takeTopic(actor, on.name);
      });
      if (first !== undefined) return { output: first.value, events: durable ? first.events : undefined };
      if (durable) {
        const { value, events, isRepeat } = await append({
          actor,
          topic: on.name,
          input: { event, data },
          request,
        });
        if (!isRepeat) sent.add();
        return { output: value, events };
      }
      // The transaction does nothing but take the key: that is what makes a repeated request silent. [K1]
      const { isRepeat } = await core.commit(actor, async () => output, idempotency);
      if (isRepeat) return { output };
      core.announce(on, event, data, { actor });
      sent.add();
      return { output };
    };
  },
});

function requireRight(actor: Actor, right: Right, topic: string): Topic {
  const name = app.parse(topic);
  if (name === undefined) {
    throw new AppError(
      'unknown_topic',
      'Expected an app topic: app:<name>, the name of 1 to 100 of the characters a-z 0-9 . _ -',
    );
  }
  if (isGranted(actor, right, name)) return app.on(name);
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
