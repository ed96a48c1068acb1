// A command with a key, sent until it is answered: what a client does that wants its intent to happen once, whatever fails.

import { Refused } from '../../src/client/refused.ts';
import type { RoamingClient } from './roaming-client.ts';

const retryMs = 50;

/**
 * Answers the output. `conflict` is tried again, too: limits are reached while nothing can be done. Undefined once it is
 * abandoned; any other refusal is thrown.
 */
export async function insist<Output>(
  client: RoamingClient,
  type: string,
  payload: object,
  isAbandoned: () => boolean,
): Promise<Output | undefined> {
  const key = crypto.randomUUID();
  while (!isAbandoned()) {
    try {
      return (await client.send(type, payload, { key })) as Output; // the contract of the command
    } catch (error) {
      const isRefused = error instanceof Refused;
      if (isRefused && error.code !== 'unavailable' && error.code !== 'conflict') throw error;
      await Bun.sleep((isRefused ? error.retryAfterMs : undefined) ?? retryMs);
    }
  }
  return undefined;
}

/** What is done to the database behind the server's back, until the database is there. */
export async function insistOn(act: () => Promise<unknown>, isAbandoned: () => boolean): Promise<void> {
  while (!isAbandoned()) {
    try {
      await act();
      return;
    } catch {
      await Bun.sleep(retryMs); // the database is away: that is what is tried
    }
  }
}
