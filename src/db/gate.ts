// So many may be inside at once, the others wait for their turn, in order, and not for ever.

export interface Gate {
  /** Runs `work` inside. Throws where no turn came in time; `work` has not begun then. */
  pass<Result>(work: () => Promise<Result>): Promise<Result>;
  /** How many wait for their turn. */
  readonly waiting: number;
}

export function createGate(room: number, patienceMs: number): Gate {
  const waiting = new Set<() => void>();
  let free = room;

  const leave = (): void => {
    const [next] = waiting;
    if (next === undefined) free += 1;
    else next();
  };

  const enter = async (): Promise<void> => {
    if (free > 0) {
      free -= 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    const come = (): void => {
      waiting.delete(come);
      clearTimeout(timer);
      turn.resolve();
    };
    const timer = setTimeout(() => {
      waiting.delete(come);
      turn.reject(new Error(`No turn came within ${patienceMs} ms: all ${room} are taken.`));
    }, patienceMs);
    waiting.add(come);
    await turn.promise;
  };

  return {
    async pass(work) {
      await enter();
      try {
        return await work();
      } finally {
        leave();
      }
    },
    get waiting() {
      return waiting.size;
    },
  };
}
