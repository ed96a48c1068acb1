// Sends the events behind a position until the connection stands where the live stream stands, and joins it there: in the
// same turn of the event loop, so that nothing can be published in between. [S2] [O1]

import { closeCodes } from '../protocol/envelope.ts';
import type { Connection, Subscription } from './connection.ts';
import type { LoggedEvent } from './event-log.ts';
import type { Hub } from './hub.ts';
import { ringEvents } from './stream.ts';

const replayPage = 500;

export interface ReplayDeps {
  readonly hub: Hub;
  readonly readEvents: (topic: string, after: number, limit: number) => Promise<readonly LoggedEvent[]>;
}

/** Returns when the subscription is live or ended. Its `ok` must have been sent. Fails when the log cannot be read. */
export async function replay(
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
    for (const event of events) {
      if (subscription.phase !== 'replaying') return;
      if (event.seq <= sent) continue;
      if (event.seq > sent + 1) {
        // Pruned while this reader was slow: it comes back and gets a reset. [S4]
        connection.close(
          closeCodes.restart,
          `The log no longer reaches ${topic} at ${sent}: subscribe again.`,
        );
        return;
      }
      connection.send(event.frame);
      sent = event.seq;
      if (event.seq > subscription.authorizedAt && event.shutsOut?.includes(connection.userId)) {
        connection.loseTopic(topic);
        return;
      }
      if (connection.isBackedUp) await connection.waitUntilDrained();
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
  if (stream.position - sent <= ringEvents) {
    await hub.warm(topic);
    const events = stream.since(sent);
    if (events !== undefined) return events;
  }
  // Never beyond the stream: what it has not delivered yet would come again, live.
  const limit = Math.min(replayPage, stream.position - sent);
  return await readEvents(topic, sent, limit);
}
