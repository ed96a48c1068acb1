// The provider's client, for the hooks below it.

import { createContext, useContext } from 'react';
import type { Client } from '../typed.ts';

/** Undefined: nobody is logged in. Null: there is no provider. */
export const ClientContext = createContext<Client | undefined | null>(null);

/** Undefined where nobody is logged in. `hook` is named where there is no provider. */
export function useProvided(hook: string): Client | undefined {
  const client = useContext(ClientContext);
  if (client === null) {
    throw new Error(`${hook} needs a <CarillonProvider client={…}> around its component, and there is none.`);
  }
  return client;
}

/** The provider's client. Throws where there is none: nobody is logged in. */
export function useClient(): Client {
  const client = useProvided('useClient');
  if (client === undefined) {
    throw new Error(
      'useClient needs a client, and its <CarillonProvider> has none: use it once there is one.',
    );
  }
  return client;
}
