// The bridge of an instance without Redis: there is nobody to send to. With an embedded database that is the whole truth;
// on a shared one other instances may exist, and only the log tells what they wrote.

import type { Bridge } from './bridge.ts';

export function createMemoryBridge(isAlone: boolean): Bridge {
  return {
    isComplete: isAlone,
    status: 'none',
    async start() {},
    async serve() {},
    release() {},
    publish: () => false,
    async stop() {},
  };
}
