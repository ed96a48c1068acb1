// Counts of one instance, which is all there are.

import { type ConnectionCounts, OwnCounts } from './counts.ts';

export function createMemoryCounts(): ConnectionCounts {
  const own = new OwnCounts();
  return {
    enter: async (kind, name) => own.add(kind, name, 1),
    leave: (kind, name) => void own.add(kind, name, -1),
    async stop() {},
  };
}
