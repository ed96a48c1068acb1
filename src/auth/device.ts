// Where a request comes from. `X-Forwarded-For` is believed only as far as our own proxies wrote it.

import { readAddress } from './address.ts';

/** What sessions and the audit log remember of the other side. */
export interface Device {
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
}

export type ReadDevice = (request: Request) => Device;

const maxUserAgentLength = 400;

/**
 * With `trustProxy` proxies in front, each of which appends the address that it sees, the client's is that many places
 * before the peer. A shorter or unreadable list did not come through all of them: then the peer's address counts.
 */
export function createReadDevice(
  trustProxy: number,
  peerAddress: (request: Request) => string | undefined,
): ReadDevice {
  return (request) => {
    const forwarded = request.headers.get('x-forwarded-for')?.split(',') ?? [];
    const claimed = trustProxy === 0 ? '' : (forwarded.at(-trustProxy) ?? '');
    return {
      ip: readAddress(claimed) ?? readAddress(peerAddress(request) ?? ''),
      userAgent: request.headers.get('user-agent')?.slice(0, maxUserAgentLength).toWellFormed(),
    };
  };
}
