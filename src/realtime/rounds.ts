// Work that comes back every so often, one round at a time: a round that takes longer swallows those that fall into it.

/** Runs `run`, which must not fail. Answers the stop, which waits for the round under way. */
export function startRounds(everyMs: number, run: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | undefined;
  const timer = setInterval(() => {
    current ??= run().finally(() => {
      current = undefined;
    });
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await current;
  };
}
