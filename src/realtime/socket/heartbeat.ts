// Who is still there: one timer for all connections pings the silent ones, and cuts off those that stay silent. Bun's own
// pings and idle timeout start anew with everything the server sends: a dead peer on a busy topic would keep its place.

import type { Connections } from './connections.ts';

export interface HeartbeatTimes {
  /** Silent for this long, a connection is pinged. With one more sweep less than the minute that many proxies allow. */
  readonly pingMs: number;
  /** Silent for this long, it is cut off. */
  readonly silentMs: number;
  readonly sweepMs: number;
}

const defaultTimes: HeartbeatTimes = { pingMs: 45_000, silentMs: 120_000, sweepMs: 5_000 };

/** Answers its stop. A greeting has its own deadline. [H2] */
export function startHeartbeat({ all }: Connections, times: HeartbeatTimes = defaultTimes): () => void {
  const timer = setInterval(() => {
    const now = performance.now();
    for (const connection of all) {
      if (!connection.isLive) continue;
      const forMs = now - connection.heardAtMs;
      if (forMs >= times.silentMs) connection.cutOff();
      else if (forMs >= times.pingMs) connection.ping();
    }
  }, times.sweepMs);
  return () => clearInterval(timer);
}
