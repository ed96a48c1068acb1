// What the server answered to a question, asked again whenever there is a new connection: what happened while there was none
// is in no event.

import { useCallback, useEffect, useRef, useState } from 'react';
import { useConnection } from '../../client/react/index.ts';

export interface Answer<Output> {
  readonly data: Output | undefined;
  readonly error: unknown;
  /** Asks again. Calls within a short time are one question. */
  reload(): void;
}

const gatherMs = 200;

/** `about`: what the question hangs on; with another one it is another question, and the old answer is gone. */
export function useAnswer<Output>(about: string | undefined, ask: () => Promise<Output>): Answer<Output> {
  const { state } = useConnection();
  const [answer, setAnswer] = useState<{ about?: string; data?: Output; error?: unknown }>({});
  const latest = useRef({ ask, about, asked: 0 });
  latest.current.ask = ask;
  latest.current.about = about;
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const askNow = useCallback(() => {
    const { ask, about } = latest.current;
    if (about === undefined) return;
    latest.current.asked += 1;
    const { asked } = latest.current;
    const isLatest = (): boolean => latest.current.asked === asked && latest.current.about === about;
    ask().then(
      (data) => isLatest() && setAnswer({ about, data }),
      (error: unknown) =>
        isLatest() && setAnswer((old) => ({ ...(old.about === about ? old : {}), about, error })),
    );
  }, []);
  const reload = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      askNow();
    }, gatherMs);
  }, [askNow]);

  const isConnected = state.name === 'connected';
  useEffect(() => {
    if (about !== undefined && isConnected) askNow();
  }, [about, isConnected, askNow]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
  const isCurrent = answer.about === about;
  return {
    data: isCurrent ? answer.data : undefined,
    error: isCurrent ? answer.error : undefined,
    reload,
  };
}
