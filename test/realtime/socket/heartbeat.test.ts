// [Heartbeat] Who is still there, on real sockets. Times are shortened.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { openRawSocket } from '../../support/raw-socket.ts';
import { type OpenSocketServer, openSocketServer } from '../../support/socket-server.ts';
import { anyTopic } from '../../support/topics.ts';
import { until } from '../../support/until.ts';

setDefaultTimeout(30_000);

const times = { pingMs: 100, silentMs: 500, sweepMs: 50 };
const topic = 'app:public.busy';

let house: OpenSocketServer;
/** What the server says all the time: the kernel of a dead peer takes it as well as that of a living one. */
let chatter: ReturnType<typeof setInterval>;

beforeAll(async () => {
  house = await openSocketServer(times);
  const say = () => house.core.announce(anyTopic(topic), 'a.b', 1, { actor: undefined });
  chatter = setInterval(say, 10);
});
afterAll(async () => {
  clearInterval(chatter);
  await house.stop();
});

const follow = async () => {
  const raw = await openRawSocket(house.port, { token: 'any' });
  raw.send(JSON.stringify({ id: 's', type: 'subscribe', topic }));
  await raw.next(({ id }) => id === 's');
  return raw;
};

test('[Heartbeat] cuts off a peer that answers no pings, however busy its topics, and nobody else', async () => {
  const { all } = house.core.connections;
  const greeting = await openRawSocket(house.port);
  const alive = await follow();
  // Twice, one behind the other: meanwhile the one that does nothing but answer pings must be pinged again and again.
  for (const _ of [1, 2]) {
    const before = performance.now(); // the peer is last heard while it subscribes
    const dead = await follow();
    dead.stopReading();
    expect(all.size).toBe(3);
    await until(() => all.size === 2, 'the dead peer is cut off');
    expect(performance.now() - before).toBeGreaterThanOrEqual(times.silentMs);
    dead.resumeReading();
    expect(await dead.closed).toBeUndefined();
  }
  // A greeting has its own deadline.
  expect([...all].map((connection) => connection.isLive)).toEqual([false, true]);
  alive.destroy();
  greeting.destroy();
});
