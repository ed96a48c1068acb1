// The metrics in the words of Prometheus: each number's name there, and what it means. Loaded only where they are served.

import { type Metric, Registry } from 'prom-client';
import {
  Counter,
  type Histogram,
  Labelled,
  type Metrics,
  Queues,
  type Reading,
  type Sample,
} from './metrics.ts';

export interface Exposition {
  readonly contentType: string;
  /** All of it, as it is now. */
  render(): Promise<string>;
}

type Part = Metrics[keyof Metrics];

interface Described {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

const described: Record<keyof Metrics, Described> = {
  messagesSent: {
    name: 'messages_sent_total',
    help: 'What users sent to others and this instance took: messages in chats (message.send) and events on app topics (publish), by operation',
    labels: ['operation'],
  },
  processing: {
    name: 'message_processing_duration_seconds',
    help: 'From the turn of a command or an authenticated request until its answer is ready, by door and operation',
    labels: ['door', 'operation'],
  },
  errors: {
    name: 'errors_total',
    help: 'Refusals and failures by code; door: http, socket, or background for what no request waits for',
    labels: ['door', 'code'],
  },
  requests: {
    name: 'carillon_http_requests_total',
    help: 'Answers over HTTP, by status',
    labels: ['status'],
  },
  connectionsClosed: {
    name: 'carillon_connections_closed_total',
    help: 'WebSockets that ended, by close code; other: one that the protocol does not have',
    labels: ['code'],
  },
  slowReadersCut: {
    name: 'carillon_slow_readers_cut_total',
    help: 'WebSockets that were lost while more waited for their reader than it takes; they come back with since',
  },
  commits: {
    name: 'carillon_commits_total',
    help: 'Transactions of changes that were committed; way: single, or group for one that many writes shared',
    labels: ['way'],
  },
  commitSeconds: {
    name: 'carillon_commit_duration_seconds',
    help: 'From BEGIN to COMMIT, with the tries before it',
    labels: ['way'],
  },
  batchSizes: { name: 'carillon_commit_batch_size', help: 'Writes that shared one transaction' },
  eventsAppended: {
    name: 'carillon_events_appended_total',
    help: 'Durable events that this instance committed, on each topic one',
  },
  published: {
    name: 'carillon_events_published_total',
    help: 'Events that left for the followers of their topic on this instance, whoever committed them',
    labels: ['kind'],
  },
  deliveries: {
    name: 'carillon_deliveries_total',
    help: 'Connections that published events were for; each counts once an event',
  },
  deliveryLag: {
    name: 'carillon_delivery_lag_seconds',
    help: 'From the writing of a durable event, by the clock of the instance that committed it, until it left for followers here',
  },
  bridged: {
    name: 'carillon_events_bridged_total',
    help: 'Events handed to the bridge for other instances, and received from them for topics that are followed here',
    labels: ['direction'],
  },
  bridgeLost: {
    name: 'carillon_bridge_lost_total',
    help: 'Frames that Redis did not take; the log has those that are durable',
  },
  healed: {
    name: 'carillon_events_healed_total',
    help: 'Durable events that did not arrive by commit or bridge and were read from the log',
  },
  replayed: { name: 'carillon_events_replayed_total', help: 'Events sent to clients that came back' },
  resets: {
    name: 'carillon_resets_total',
    help: 'Subscribes from further back than the log reaches, answered by a reset',
  },
  queues: { name: 'carillon_queue_depth', help: 'What waits for its turn, by queue', labels: ['queue'] },
};

/** `readings`: what is not counted but looked up. */
export function createExposition(metrics: Metrics, readings: readonly Reading[]): Exposition {
  const registry = new Registry();
  for (const key of Object.keys(described) as (keyof Metrics)[])
    register(registry, describe(described[key], metrics[key]));
  for (const { read, ...own } of readings) {
    register(registry, { ...own, values: readInTime(read) });
  }
  return { contentType: registry.contentType, render: () => registry.metrics() };
}

/**
 * None where it fails or takes too long: what is there is wanted most when the database is not. One is under way at a time,
 * so that those who ask cost a slow database no more than one would.
 */
function readInTime(read: Reading['read']): () => Promise<readonly Sample[]> {
  let underWay: Promise<readonly Sample[]> | undefined;
  return async () => {
    underWay ??= Promise.try(read)
      .catch(() => none)
      .finally(() => {
        underWay = undefined;
      });
    const late = Promise.withResolvers<readonly Sample[]>();
    const timer = setTimeout(() => late.resolve(none), patienceMs);
    return await Promise.race([underWay, late.promise]).finally(() => clearTimeout(timer));
  };
}

/** More than the look at the database may take, and less than who asks is willing to wait. */
const patienceMs = 2_000;
const none: readonly Sample[] = [];

interface Lines {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly values: () => readonly Line[] | Promise<readonly Line[]>;
}

interface Line extends Sample {
  /** Where it is not the metric's own. */
  readonly metricName?: string;
}

/** A registry asks no more of a metric than this; its classes would keep numbers of their own. */
function register(registry: Registry, { values, ...own }: Lines): void {
  const get = async () => ({ ...own, aggregator: 'sum' as const, values: await values() });
  registry.registerMetric({ ...own, get } as unknown as Metric);
}

function describe({ name, help, labels = [] }: Described, part: Part): Lines {
  const named = (values: readonly string[]) =>
    Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
  if (part instanceof Counter) return { name, help, type: 'counter', values: () => [{ value: part.value }] };
  if (part instanceof Queues) {
    return {
      name,
      help,
      type: 'gauge',
      values: () => part.depths.map(({ name: queue, depth }) => ({ labels: named([queue]), value: depth })),
    };
  }
  if (!(part instanceof Labelled))
    return { name, help, type: 'histogram', values: () => linesOf(name, {}, part) };
  const all: Labelled<Counter | Histogram, readonly string[]> = part;
  return {
    name,
    help,
    type: name.endsWith('_total') ? 'counter' : 'histogram',
    values: () =>
      [...all.parts].flatMap(({ values, part: one }): Line[] =>
        one instanceof Counter
          ? [{ labels: named(values), value: one.value }]
          : linesOf(name, named(values), one),
      ),
  };
}

/** None before the first observation: of most operations there is none on most instances. */
function linesOf(
  name: string,
  labels: Readonly<Record<string, string>>,
  { bounds, counts, sum }: Histogram,
): Line[] {
  let below = 0;
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, index): Line => {
    below += counts[index] ?? 0;
    const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
  });
  if (below === 0) return [];
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: below },
  ];
}
