// When users were last connected: noted here, and written down together once a second.

export interface LastSeen {
  /** The user is here now. Never waits, never fails. */
  note(userId: string): void;
  /** Writes what is left. */
  stop(): Promise<void>;
}

const flushMs = 1_000;

export function startLastSeen(
  write: (userIds: readonly string[], at: Date) => Promise<void>,
  onFailure: (error: unknown) => void,
): LastSeen {
  const seen = new Set<string>();

  async function flush(): Promise<void> {
    if (seen.size === 0) return;
    const userIds = [...seen];
    seen.clear();
    try {
      await write(userIds, new Date());
    } catch (error) {
      for (const userId of userIds) seen.add(userId); // for the next time
      onFailure(error);
    }
  }

  const timer = setInterval(() => void flush(), flushMs);
  return {
    note: (userId) => void seen.add(userId),
    async stop() {
      clearInterval(timer);
      await flush();
    },
  };
}
