// Something that a person sets off: it is busy until it is done, and what the server refuses is there to be shown.

import { useState } from 'react';

export interface Action<Arguments extends unknown[]> {
  readonly isBusy: boolean;
  readonly error: unknown;
  /** Never fails: what went wrong is in `error`. Answers whether it was done. */
  run(...given: Arguments): Promise<boolean>;
  /** Forgets what went wrong. */
  clear(): void;
}

export function useAction<Arguments extends unknown[]>(
  act: (...given: Arguments) => Promise<unknown>,
): Action<Arguments> {
  const [state, setState] = useState<{ running: number; error: unknown }>({ running: 0, error: undefined });
  return {
    isBusy: state.running > 0,
    error: state.error,
    async run(...given) {
      setState(({ running }) => ({ running: running + 1, error: undefined }));
      try {
        await act(...given);
        setState(({ running, error }) => ({ running: running - 1, error }));
        return true;
      } catch (error) {
        setState(({ running }) => ({ running: running - 1, error }));
        return false;
      }
    },
    clear: () => setState(({ running }) => ({ running, error: undefined })),
  };
}
