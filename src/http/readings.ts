// What of an instance's state is looked up when somebody asks for its metrics, because it stands somewhere already.

import type { Database } from '../db/database.ts';
import type { Bridge } from '../realtime/bridge/bridge.ts';
import type { Clockwork } from '../realtime/clockwork/clockwork.ts';
import type { Core } from '../realtime/core.ts';
import type { Module } from '../realtime/index.ts';
import type { Reading, Sample } from '../telemetry/metrics.ts';
import { listProcessReadings } from '../telemetry/process-readings.ts';

export interface ReadingSources {
  readonly core: Pick<Core, 'connections' | 'hub' | 'telemetry'>;
  readonly database: Pick<Database, 'countWaiting'>;
  readonly isDatabaseUp: () => Promise<boolean>;
  readonly bridge: Pick<Bridge, 'status' | 'isComplete'>;
  /** Undefined until it runs. */
  readonly clockwork: () => Pick<Clockwork, 'counts'> | undefined;
  readonly modules: readonly Pick<Module, 'readings'>[];
}

export function listReadings(sources: ReadingSources): Reading[] {
  const { core, database, isDatabaseUp, bridge, clockwork, modules } = sources;
  const gauge = (name: string, help: string, read: Reading['read']): Reading => ({
    name,
    help,
    type: 'gauge',
    read,
  });
  const timed = (toSamples: (kind: string, counts: TimedCounts) => readonly Sample[]) => () =>
    [...(clockwork()?.counts ?? [])].flatMap(([kind, counts]) => toSamples(kind, counts));
  core.telemetry.metrics.queues.watch('database', database.countWaiting);
  return [
    gauge('active_websocket_connections', 'WebSockets that are open on this instance', () => [
      { value: core.connections.all.size },
    ]),
    gauge(
      'carillon_backed_up_connections',
      'WebSockets whose reader had fallen behind at the last look',
      () => [{ value: [...core.connections.all].filter(({ isTooSlow }) => isTooSlow).length }],
    ),
    gauge('carillon_topics_served', 'Topics that somebody follows on this instance', () => [
      { value: core.hub.topics().length },
    ]),
    gauge('carillon_database_up', '1: the database takes writes', async () => [
      { value: Number(await isDatabaseUp()) },
    ]),
    gauge('carillon_redis_up', '1: Redis carries frames; not there where none is configured', () =>
      bridge.status === 'none' ? [] : [{ value: Number(bridge.status === 'up') }],
    ),
    gauge(
      'carillon_bridge_complete',
      '0: frames of other instances may be missing, and every topic is compared with the log each second',
      () => [{ value: Number(bridge.isComplete) }],
    ),
    {
      name: 'carillon_clockwork_items_total',
      help: 'What came due and was done on this instance, or failed, by kind',
      type: 'counter',
      read: timed((kind, { done, failed }) => [
        { labels: { kind, outcome: 'done' }, value: done },
        { labels: { kind, outcome: 'failed' }, value: failed },
      ]),
    },
    gauge(
      'carillon_clockwork_lag_seconds',
      'How late the last one of its kind was done here, by kind; of: last, or worst since the start',
      timed((kind, { lateMs, worstLateMs }) => [
        { labels: { kind, of: 'last' }, value: lateMs / 1_000 },
        { labels: { kind, of: 'worst' }, value: worstLateMs / 1_000 },
      ]),
    ),
    ...modules.flatMap(({ readings }) => readings),
    ...listProcessReadings(),
  ];
}

type TimedCounts = Clockwork['counts'] extends ReadonlyMap<string, infer Counts> ? Counts : never;
