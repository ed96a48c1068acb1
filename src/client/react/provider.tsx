// Gives a client to the components below, and connects it for as long as it is there.

import { type ReactNode, useEffect } from 'react';
import type { Client } from '../typed.ts';
import { ClientContext } from './context.ts';

export interface CarillonProviderProps {
  /** Undefined: nobody is logged in. */
  readonly client: Client | undefined;
  readonly children?: ReactNode;
}

/** Connects the client when it is mounted or gets another one, and closes it when it is unmounted or the other one comes. */
export function CarillonProvider({ client, children }: CarillonProviderProps): ReactNode {
  useEffect(() => {
    client?.connect();
    return () => client?.close();
  }, [client]);
  return <ClientContext value={client}>{children}</ClientContext>;
}
