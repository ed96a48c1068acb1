// Where a request comes from. `X-Forwarded-For` is believed only as far as our own proxies wrote it.

import { LRUCache } from 'lru-cache';
import type { Device } from '../realtime/index.ts';
import { readAddress } from './address.ts';

export type { Device };

export type ReadDevice = (request: Request) => Device;

const maxUserAgentLength = 400;
const maxKnownAddresses = 10_000;

/**
 * With `trustProxy` proxies in front, each of which appends the address that it sees, the client's is that many places
 * before the peer. A shorter or unreadable list did not come through all of them: then the peer's address counts.
 */
export function createReadDevice(
  trustProxy: number,
  peerAddress: (request: Request) => string | undefined,
): ReadDevice {
  /** Every request reads one, of few addresses: parsing them takes 1 µs. `false`: there is none in the text. */
  const addresses = new LRUCache<string, string | false>({ max: maxKnownAddresses });
  const readKnown = (text: string): string | undefined => {
    const known = addresses.get(text) ?? readAddress(text) ?? false;
    addresses.set(text, known);
    return known || undefined;
  };

  // Asked for several times in the course of a request, and always the same one: the answer is made of what it notes.
  const known = new WeakMap<Request, Device>();
  return (request) => {
    let device = known.get(request);
    if (device === undefined) {
      device = describe(request);
      known.set(request, device);
    }
    return device;
  };

  // Read when it is asked for: most requests write nothing into the audit log.
  function describe(request: Request): Device {
    return {
      quotas: [],
      get ip() {
        const forwarded = trustProxy === 0 ? undefined : request.headers.get('x-forwarded-for')?.split(',');
        return readKnown(forwarded?.at(-trustProxy) ?? '') ?? readKnown(peerAddress(request) ?? '');
      },
      get userAgent() {
        return request.headers.get('user-agent')?.slice(0, maxUserAgentLength).toWellFormed();
      },
    };
  }
}
