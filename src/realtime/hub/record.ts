// What the hub does with each event, counted and noted: for whoever watches over the instance, and for whoever asks after one.

import type { Metrics } from '../../telemetry/metrics.ts';
import type { BridgeFrame } from '../bridge/bridge.ts';
import { atOf, type LoggedEvent } from '../log/event-log.ts';
import type { Trail } from './trail.ts';

export interface HubRecord {
  /** By a transaction of this instance. */
  committed(event: LoggedEvent): void;
  /** Handed to the bridge. */
  sent(frame: BridgeFrame): void;
  /** By the bridge. */
  received(frame: BridgeFrame): void;
  /** To so many connections here; `isHealed`: it had to be read from the log. */
  delivered(event: LoggedEvent, followers: number, isHealed: boolean): void;
  /** The same of an ephemeral event. */
  announced(followers: number): void;
}

export function createHubRecord(metrics: Metrics, trail: Trail): HubRecord {
  const { deliveries, deliveryLag, healed } = metrics;
  const [sent, received] = [metrics.bridged.of('sent'), metrics.bridged.of('received')];
  const [durable, ephemeral] = [metrics.published.of('durable'), metrics.published.of('ephemeral')];
  return {
    committed: ({ topic, seq }) => trail.note('committed', topic, seq, Date.now()),
    sent({ topic, seq }) {
      sent.add();
      if (seq !== undefined) trail.note('bridged', topic, seq, Date.now());
    },
    received({ topic, seq }) {
      received.add();
      if (seq !== undefined) trail.note('received', topic, seq, Date.now());
    },
    delivered(event, followers, isHealed) {
      const now = Date.now();
      durable.add();
      deliveries.add(followers);
      deliveryLag.observe(Math.max(0, now - atOf(event)) / 1_000); // the clocks of two instances may differ
      if (isHealed) healed.add();
      trail.note(isHealed ? 'healed' : 'delivered', event.topic, event.seq, now, followers);
    },
    announced(followers) {
      ephemeral.add();
      deliveries.add(followers);
    },
  };
}
