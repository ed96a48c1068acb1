// How far everybody has read. Pure.

import type { ShownMessage } from './timeline.ts';

/** By the seq of a message: the others who have read up to it, and no further. */
export function listReaders(
  messages: readonly ShownMessage[],
  readPositions: Readonly<Record<string, number>>,
  me: string,
): Map<number, string[]> {
  const readers = new Map<number, string[]>();
  for (const [userId, position] of Object.entries(readPositions)) {
    const last = messages.findLast(({ seq }) => seq <= position)?.seq;
    if (userId === me || last === undefined) continue;
    readers.set(last, [...(readers.get(last) ?? []), userId]);
  }
  return readers;
}
