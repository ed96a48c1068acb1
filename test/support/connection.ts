// A connection without a server: it needs no more of its surroundings than a test gives it.

import { Connection, type ConnectionLimits } from '../../src/realtime/socket/connection.ts';

type Options = ConstructorParameters<typeof Connection>[0];

export function createConnection({
  limits,
  ...options
}: Partial<Omit<Options, 'limits'>> & { readonly limits?: Partial<ConnectionLimits> } = {}): Connection {
  return new Connection({
    upgradeToken: undefined,
    device: undefined,
    greetingDeadlineMs: 0,
    limits: { commandsPerSecond: 0, waitingFrames: 256, waitingBytes: 1_048_576, ...limits },
    readFrame: () => ({ lane: undefined, run: () => answered }),
    onEnded() {},
    ...options,
  });
}

const nothing = Promise.resolve({});
const answered = { entered: nothing, reply: nothing };
