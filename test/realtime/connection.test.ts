// What waits on a connection for its turn, and how much of it. [E6]

import { expect, test } from 'bun:test';
import { Connection, type ConnectionLimits, type Socket } from '../../src/realtime/connection.ts';

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

test('[E6] is closed with its 1,024th frame over a limit, pings among them, and not by one a while', () => {
  const connection = createIdle(10);
  for (let n = 1; n <= 10 + 1_022; n += 1) connection.receiveControl();
  expect(connection.isClosed).toBe(false);
  connection.receive('{"type":"ping"}');
  connection.receive('{"type":"ping"}'); // of the first hundreds some are forgotten by now
  for (let n = 1; n <= 100 && !connection.isClosed; n += 1) connection.receiveControl();
  expect(connection.isClosed).toBe(true);
});

test('[E6] a frame that stands for many is let in as one, and what follows waits the longer', () => {
  const connection = createIdle(50);
  connection.receive('{"type":"subscribe"}');
  expect(connection.charge(99)).toBe(true);
  expect(connection.charge(1)).toBe(false);
  expect(connection.retryAfterMs).toBeGreaterThan(900);
  expect(connection.retryAfterMs).toBeLessThanOrEqual(1_020);
  const unlimited = createIdle(0);
  for (let n = 1; n <= 3; n += 1) expect(unlimited.charge(1_000)).toBe(true);
});

test('[E6] a reply that is there already waits for the one before it', async () => {
  const { connection, sent } = createSending();
  const slow = Promise.withResolvers<string>();
  connection.replyInTurn(slow.promise);
  connection.replyInTurn(Promise.resolve('second'));
  connection.replyInTurn(Promise.resolve(undefined)); // none is wanted
  connection.replyInTurn(Promise.resolve('third'));
  await new Promise(setImmediate);
  expect(sent).toEqual([]);
  slow.resolve('first');
  await connection.finish();
  expect(sent).toEqual(['first', 'second', 'third']);
});

test('[E6] who enters another lane, or none, waits for every reply that is due; who stays in the lane does not', async () => {
  for (const next of ['other', undefined]) {
    const { connection } = createSending();
    const reply = Promise.withResolvers<string>();
    await connection.enterLane('one');
    connection.replyInTurn(reply.promise);
    await connection.enterLane('one');
    let hasEntered = false;
    const entering = connection.enterLane(next).then(() => {
      hasEntered = true;
    });
    await new Promise(setImmediate);
    expect(hasEntered).toBe(false);
    reply.resolve('first');
    await entering;
  }
});

/** On a socket that only notes what it is to send. */
function createSending() {
  const connection = createIdle(0);
  const sent: string[] = [];
  const socket = { send: (frame: string) => sent.push(frame) };
  connection.open(socket as unknown as Socket, undefined); // all of a socket that a reply touches
  return { connection, sent };
}

const createIdle = (commandsPerSecond: number): Connection =>
  new Connection({
    upgradeToken: undefined,
    greetingDeadlineMs: 0,
    limits: { commandsPerSecond, waitingFrames: 256, waitingBytes: 1_000 },
    async handleFrame() {},
    onEnded() {},
  });
