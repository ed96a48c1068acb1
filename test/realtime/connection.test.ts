// What waits on a connection for its turn, and how much of it. [E6]

import { expect, test } from 'bun:test';
import { Connection, type ConnectionLimits } from '../../src/realtime/connection.ts';

/** A connection whose first frame takes until `release`, and what was handed over of the others. */
function createBusy(limits: Partial<ConnectionLimits>) {
  const first = Promise.withResolvers<void>();
  const handled: [frame: string | Buffer, isOverLimit: boolean][] = [];
  const connection = new Connection({
    upgradeToken: undefined,
    greetingDeadlineMs: 0,
    limits: { commandsPerSecond: 0, waitingFrames: 256, waitingBytes: 1_000, ...limits },
    async handleFrame(_, frame, isOverLimit) {
      if (handled.push([frame, isOverLimit]) === 1) await first.promise;
    },
    onEnded() {},
  });
  connection.receive('{"id":"first","type":"ping"}');
  const release = async () => {
    first.resolve();
    await connection.finish();
    return handled.slice(1);
  };
  return { connection, release };
}

test('[E6] of a frame over the limit no more waits than is needed to refuse it', async () => {
  const { connection, release } = createBusy({ commandsPerSecond: 1 });
  const payload = 'x'.repeat(60_000);
  connection.receive(JSON.stringify({ id: 'a', type: 'publish', payload }));
  connection.receive(JSON.stringify({ type: 'publish', payload }));
  connection.receive(JSON.stringify({ id: payload, type: payload }));
  connection.receive(JSON.stringify({ id: 7, type: null, payload }));
  for (const nonsense of [payload, `["${payload}"]`, 'null', Buffer.from(payload)])
    connection.receive(nonsense);
  expect(await release()).toEqual([
    ['{"id":"a","type":"publish"}', true],
    ['{"type":"publish"}', true],
    [JSON.stringify({ id: 'x'.repeat(65), type: 'x'.repeat(65) }), true],
    ['{}', true],
    ['', true],
    ['{}', true],
    ['', true],
    ['', true],
  ]);
});

test('[E6] waiting frames are bounded in bytes, and those that had their turn no longer count', async () => {
  const { connection, release } = createBusy({});
  const frame = JSON.stringify({ id: 'a', type: 'publish', payload: 'x'.repeat(600) });
  for (let n = 0; n < 3; n += 1) connection.receive(frame);
  expect((await release()).map(([, isOverLimit]) => isOverLimit)).toEqual([false, false, true]);
  connection.receive(frame);
  expect((await release()).at(-1)).toEqual([frame, false]);
});
