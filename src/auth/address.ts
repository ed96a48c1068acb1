// Addresses of the other side, in one way of writing: the same one must never count as two, nor two as one.

import { isIPv4, isIPv6 } from 'node:net';

/**
 * The address in `text`, which may have a port and brackets, as proxies write them: `192.0.2.1:4711`, `[2001:db8::1]:443`.
 * IPv4 inside IPv6 reads as IPv4, whichever way it is written. Undefined where there is none.
 */
export function readAddress(text: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(text.trim()) ?? [];
  const [bare = ''] = (bracketed ?? dotted ?? text.trim()).split('%'); // a zone means nothing elsewhere
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return undefined;
  const canonical = new URL(`http://[${bare}]/`).hostname.slice(1, -1); // lower case, the longest run of zeros cut
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  return [high, low].flatMap((group) => bytesOf(Number.parseInt(group, 16))).join('.');
}

/** What counts as one place: an IPv4 address, or the /64 of IPv6, in which one subscriber has all addresses to choose from. */
export function networkOf(address: string | undefined): string | undefined {
  const known = address === undefined ? undefined : readAddress(address);
  if (known === undefined || isIPv4(known)) return known;
  const [head = [], tail = []] = known.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}

const bytesOf = (group: number): number[] => [group >> 8, group & 255];
