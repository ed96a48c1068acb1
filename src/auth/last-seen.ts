// When users were last connected: noted here, and written down together once a second.

import { startRounds } from '../realtime/rounds.ts';

export interface LastSeen {
  /** The user is here now. Never waits, never fails. */
  note(userId: string): void;
  /** Writes what is left, unless the last writing failed: a database that is away is waited for once. */
  stop(): Promise<void>;
}

const flushMs = 1_000;

export function startLastSeen(
  write: (userIds: readonly string[], at: Date) => Promise<void>,
  onFailure: (error: unknown) => void,
): LastSeen {
  const seen = new Set<string>();
  let hasFailed = false;

  async function flush(): Promise<void> {
    if (seen.size === 0) return;
    const userIds = [...seen];
    seen.clear();
    try {
      await write(userIds, new Date());
      hasFailed = false;
    } catch (error) {
      hasFailed = true;
      for (const userId of userIds) seen.add(userId); // for the next time
      onFailure(error);
    }
  }

  const stopRounds = startRounds(flushMs, flush);
  return {
    note: (userId) => void seen.add(userId),
    async stop() {
      await stopRounds();
      if (!hasFailed) await flush();
    },
  };
}
