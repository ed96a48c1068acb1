// Streams on real sockets, with the times of the heartbeat shortened: who reads stays, who does not is cut off. [Heartbeat]

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { connect } from 'node:net';
import { openStream } from '../../support/event-stream.ts';
import { type OpenSocketServer, openSocketServer } from '../../support/socket-server.ts';
import { anyTopic } from '../../support/topics.ts';
import { until } from '../../support/until.ts';

setDefaultTimeout(30_000);

const times = { pingMs: 100, silentMs: 500, sweepMs: 50 };
const topic = 'app:public.quiet';

let house: OpenSocketServer;

beforeAll(async () => {
  house = await openSocketServer(times);
});
afterAll(() => house.stop());

test('[Heartbeat] [V2] comments keep a stream on which nothing happens, for longer than silence is borne', async () => {
  const reader = await openStream(`http://127.0.0.1:${house.port}`, topic, {});
  await until(() => reader.comments.length >= 10, 'ten comments');
  expect(reader.frames.map(({ type }) => type)).toEqual(['subscribed']);
  house.core.announce(anyTopic(topic), 'a.b', 1, { actor: undefined });
  await reader.next('a.b');
  reader.close();
  await until(() => house.core.connections.all.size === 0, 'nothing is left of it');
});

test('[Heartbeat] [V3] a reader that takes nothing is cut off though less waits than may', async () => {
  const stuck = connect(house.port, '127.0.0.1');
  const begun = Promise.withResolvers<void>();
  stuck.on('data', () => begun.resolve());
  stuck.write(`GET /v1/topics/${topic}/stream HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await begun.promise;
  stuck.pause();
  const [connection] = house.core.connections.all;
  if (connection === undefined) throw new Error('There is no connection.');
  // Until the kernels take no more, and something waits here.
  await until(() => {
    house.core.announce(anyTopic(topic), 'a.b', 'x'.repeat(50_000), { actor: undefined });
    return connection.isBackedUp;
  }, 'the reader falls behind');
  expect(house.core.connections.all.size).toBe(1);
  await until(() => house.core.connections.all.size === 0, 'it is cut off');
  stuck.destroy();
});
