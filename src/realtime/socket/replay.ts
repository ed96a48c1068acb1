// Sends the events behind a position until the connection stands where the live stream stands, and joins it there: in the
// same turn of the event loop, so that nothing can be published in between. [S2] [O1]

import { closeCodes } from '../../protocol/envelope.ts';
import type { Telemetry } from '../../telemetry/tracing.ts';
import type { Hub } from '../hub/hub.ts';
import type { LoggedEvent } from '../log/event-log.ts';
import type { Reporter } from '../report.ts';
import type { Connection, Subscription } from './connection.ts';

export interface ReplayDeps {
  readonly hub: Hub;
  /** As `readEvents` of the log: a page has fewer than `limit` events where they are large, but never none if there is one. */
  readonly readEvents: (topic: string, after: number, limit: number) => Promise<readonly LoggedEvent[]>;
  readonly reporter: Pick<Reporter, 'toRefusal'>;
  readonly telemetry: Telemetry;
}

const replayPage = 500;

/**
 * Brings the subscription from the position `after` to the live stream. Its `ok` must have been sent. Where nothing was
 * missed it is live at once; else replays of one connection take turns, so that a page of one topic at a time is in memory.
 */
export function startReplay(
  connection: Connection,
  subscription: Subscription,
  after: number,
  deps: ReplayDeps,
): void {
  const { topic, stream } = subscription;
  if (subscription.phase === 'ended') {
    connection.sayLost(topic); // while its answer was on its way: behind it, the client knows what is meant
    return;
  }
  subscription.phase = 'replaying';
  if (after === stream.position && !connection.isBackedUp) {
    connection.goLive(subscription);
    return;
  }
  connection.replayInTurn(async () => {
    try {
      await replay(connection, subscription, after, deps);
    } catch (error) {
      deps.reporter.toRefusal(error, `replaying ${topic}`);
      connection.restart(topic);
    }
  });
}

/** Returns when the subscription is live or ended. Fails when the log cannot be read. */
async function replay(
  connection: Connection,
  subscription: Subscription,
  after: number,
  deps: ReplayDeps,
): Promise<void> {
  const { topic, stream } = subscription;
  let sent = after;
  while (subscription.phase === 'replaying') {
    // Also before the first event: live ones behind a large snapshot that is still on its way would cut the reader off.
    if (connection.isBackedUp) await connection.waitUntilDrained();
    const events = stream.since(sent) ?? (await readMissing(subscription, sent, deps));
    const isGap = events.length === 0 ? sent < stream.position : (events[0]?.seq ?? 0) > sent + 1;
    if (isGap) {
      // Pruned while this reader was slow: it comes back and gets a reset. [S4]
      connection.close(closeCodes.restart, `The log no longer reaches ${topic} at ${sent}: subscribe again.`);
      return;
    }
    for (const event of events) {
      while (connection.isBackedUp) await connection.waitUntilDrained();
      if (subscription.phase !== 'replaying') return;
      const isBehindRight = event.seq > subscription.authorizedAt;
      if (isBehindRight && event.withheldFrom?.includes(connection.userId)) {
        connection.loseTopic(topic);
        return;
      }
      connection.send(event.frame);
      deps.telemetry.metrics.replayed.add();
      sent = event.seq;
      if (isBehindRight && event.revokes?.includes(connection.userId)) {
        connection.loseTopic(topic);
        return;
      }
    }
    if (subscription.phase === 'replaying' && sent === stream.position) connection.goLive(subscription);
  }
}

/** A short way back fills the memory of the topic, for everyone who comes behind; a long one is read for this reader alone. */
async function readMissing(
  { topic, stream }: Subscription,
  sent: number,
  { hub, readEvents }: ReplayDeps,
): Promise<readonly LoggedEvent[]> {
  await hub.warm(stream, sent);
  // Never beyond the stream: what it has not delivered yet would come again, live.
  const limit = Math.min(replayPage, stream.position - sent);
  return stream.since(sent) ?? (await readEvents(topic, sent, limit));
}
