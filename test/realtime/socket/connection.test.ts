// What waits on a connection for its turn, and how much of it. [E6]

import { expect, test } from 'bun:test';
import type { Connection, ConnectionLimits, Socket } from '../../../src/realtime/socket/connection.ts';
import type { EncodedReply } from '../../../src/realtime/socket/turn.ts';
import { createConnection } from '../../support/connection.ts';

/** A connection whose first frame takes until `release`, and what was handed over of the others. */
function createBusy(limits: Partial<ConnectionLimits>) {
  const first = Promise.withResolvers<void>();
  const handled: [frame: string | Buffer, isOverLimit: boolean][] = [];
  const connection = createConnection({
    limits: { waitingBytes: 1_000, ...limits },
    readFrame: (_, frame, isOverLimit) => ({
      lane: undefined,
      run() {
        const isFirst = handled.push([frame, isOverLimit]) === 1;
        const reply = (isFirst ? first.promise : Promise.resolve()).then(() => ({}));
        return { entered: reply, reply };
      },
    }),
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
  const { connection, sent, begun, answer } = createSending();
  for (const name of ['first', 'second', 'quiet', 'third']) connection.receive(`lane ${name}`);
  await turn();
  expect(begun).toEqual(['first', 'second', 'quiet', 'third']);
  answer('third', 'quiet', 'second'); // of "quiet" none is wanted
  await turn();
  expect(sent).toEqual([]);
  answer('first');
  await connection.finish();
  expect(sent).toEqual([
    'first',
    'behind first',
    'second',
    'behind second',
    'behind quiet',
    'third',
    'behind third',
  ]);
});

test('[E6] who enters another lane, or none, waits for every reply that is due; who stays in the lane does not', async () => {
  for (const next of ['other', 'none']) {
    const { connection, begun, sent, answer } = createSending();
    for (const frame of ['lane first', 'lane second', `${next} third`, 'lane fourth'])
      connection.receive(frame);
    await turn();
    expect(begun).toEqual(['first', 'second']);
    answer('first');
    await turn();
    expect(begun).toEqual(['first', 'second']);
    answer('second');
    await turn();
    expect(begun).toEqual(['first', 'second', 'third']);
    expect(sent.filter((frame) => !frame.startsWith('behind'))).toEqual(['first', 'second']);
    answer('third');
    await turn();
    expect(begun).toEqual(['first', 'second', 'third', 'fourth']);
  }
});

test('[E6] who stays in the lane waits until the one before has its place in it', async () => {
  const { connection, begun, enter } = createSending({ entersAtOnce: false });
  connection.receive('lane first');
  connection.receive('lane second');
  await turn();
  expect(begun).toEqual(['first']);
  enter('first');
  await turn();
  expect(begun).toEqual(['first', 'second']);
});

test('[E6] what waits for its turn does nothing any more once the connection is closed', async () => {
  const { connection, begun, answer } = createSending();
  connection.receive('lane first');
  connection.receive('none second');
  await turn();
  connection.close(1000, 'gone');
  answer('first');
  await connection.finish();
  expect(begun).toEqual(['first']);
});

test('[E6] what follows a reply that the reader has yet to take waits until it has', async () => {
  const { connection, begun, answer, unsent } = createSending();
  connection.receive('none first');
  connection.receive('none second');
  await turn();
  unsent.bytes = 1_000_000; // from the first reply on
  answer('first');
  await turn();
  expect(begun).toEqual(['first']);
  unsent.bytes = 0;
  connection.onDrain();
  await turn();
  expect(begun).toEqual(['first', 'second']);
});

test('[E6] nobody waits for a late frame, and the connection finishes behind it', async () => {
  const { connection, sent, begun, answer } = createSending();
  for (const frame of ['none first', 'late second', 'none third', 'late fourth']) connection.receive(frame);
  let isFinished = false;
  const finished = connection.finish().then(() => {
    isFinished = true;
  });
  await turn();
  expect(begun).toEqual(['first']); // its turn comes like any other's
  answer('first');
  await turn();
  expect(begun).toEqual(['first', 'second', 'third']);
  answer('third');
  await turn();
  expect(begun).toEqual(['first', 'second', 'third', 'fourth']);
  answer('fourth');
  await turn();
  await turn(); // late ones leave together, at the end of the turn
  expect(sent).toEqual(['first', 'behind first', 'third', 'behind third', 'fourth']);
  expect(isFinished).toBe(false);
  answer('second');
  await finished;
  connection.close(1000, 'done'); // takes along what is still to leave
  expect(sent.at(-1)).toBe('second');
});

/**
 * On a socket that only notes what it is to send. Frames are a lane and a name; each is answered with its name when told
 * to, and says behind it that it was.
 */
function createSending({ entersAtOnce = true } = {}) {
  const sent: string[] = [];
  const begun: string[] = [];
  const entries = new Map<string, PromiseWithResolvers<void>>();
  const replies = new Map<string, PromiseWithResolvers<EncodedReply>>();
  const connection = createConnection({
    readFrame(_, frame) {
      const [lane, name = ''] = String(frame).split(' ');
      return {
        lane: lane === 'none' || lane === 'late' ? undefined : lane,
        isLate: lane === 'late',
        run() {
          begun.push(name);
          const entry = Promise.withResolvers<void>();
          const reply = Promise.withResolvers<EncodedReply>();
          entries.set(name, entry);
          replies.set(name, reply);
          if (entersAtOnce) entry.resolve();
          return { entered: entry.promise, reply: reply.promise };
        },
      };
    },
  });
  const unsent = { bytes: 0 };
  let hasSent = false;
  const socket = {
    send(frame: string) {
      hasSent = true;
      return sent.push(frame);
    },
    getBufferedAmount: () => (hasSent ? unsent.bytes : 0),
    cork: (write: () => void) => write(),
    close() {},
  };
  connection.open(socket as unknown as Socket, undefined); // all of a socket that a reply touches
  return {
    connection,
    sent,
    begun,
    unsent,
    enter: (name: string) => entries.get(name)?.resolve(),
    answer(...names: string[]) {
      for (const name of names)
        replies.get(name)?.resolve({
          text: name === 'quiet' ? undefined : name,
          afterReply: () => sent.push(`behind ${name}`),
        });
    },
  };
}

/** Whatever could go on has gone on. */
const turn = () => new Promise(setImmediate);

const createIdle = (commandsPerSecond: number): Connection =>
  createConnection({ limits: { commandsPerSecond } });
