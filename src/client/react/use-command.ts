// Commands from a component.

import { useCallback } from 'react';
import { Disconnected } from '../refused.ts';
import type { CommandName, OutputOf, Send, SendArguments } from '../typed.ts';
import { useProvided } from './context.ts';

/** The client's `send`: the same function as long as there is the same client. Without one it fails with Disconnected. */
export function useCommand(): Send {
  const client = useProvided('useCommand');
  return useCallback(
    async <Name extends CommandName>(name: Name, ...rest: SendArguments<Name>): Promise<OutputOf<Name>> => {
      if (client === undefined) throw new Disconnected(`Nobody is logged in, so "${name}" was not sent.`);
      return await client.send(name, ...rest);
    },
    [client],
  );
}
