// What the provider hands down, and the client out of it.

import { createContext, useContext } from 'react';
import type { Client } from '../typed.ts';
import type { Follows } from './follows.ts';

export interface Provided {
  /** Undefined: nobody is logged in. */
  readonly client: Client | undefined;
  readonly follows: Follows | undefined;
}

/** Null outside of a provider. */
export const ClientContext = createContext<Provided | null>(null);

/** `hook` is named where there is no provider. */
export function useProvided(hook: string): Provided {
  const provided = useContext(ClientContext);
  if (provided === null) {
    throw new Error(`${hook} needs a <CarillonProvider client={…}> around its component, and there is none.`);
  }
  return provided;
}

/** The provider's client. Throws where there is none: nobody is logged in. */
export function useClient(): Client {
  const { client } = useProvided('useClient');
  if (client === undefined) {
    throw new Error(
      'useClient needs a client, and its <CarillonProvider> has none: render it once there is one.',
    );
  }
  return client;
}
