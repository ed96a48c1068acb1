// The connection of the provider's client, as it is now.

import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { ClientState } from '../client.ts';
import { useProvided } from './context.ts';

export interface UsedConnection {
  readonly state: ClientState;
  /** After `close`, or when it gave up. */
  connect(): void;
  /** Until `connect`. What is followed stays, and is resumed. */
  close(): void;
}

const disconnected: ClientState = { name: 'disconnected' };

/** Without a client it is disconnected. */
export function useConnection(): UsedConnection {
  const client = useProvided('useConnection');
  const subscribe = useCallback((onChange: () => void) => client?.onState(onChange) ?? (() => {}), [client]);
  const read = (): ClientState => client?.state ?? disconnected;
  const state = useSyncExternalStore(subscribe, read, read);
  return useMemo(
    () => ({ state, connect: () => void client?.connect(), close: () => client?.close() }),
    [state, client],
  );
}
