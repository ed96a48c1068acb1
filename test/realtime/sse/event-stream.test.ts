// The other end of a stream by itself: what becomes of a frame, what waits, and what is left of it behind its end. [V2] [V3]

import { expect, test } from 'bun:test';
import {
  EventStream,
  encodeMessage,
  encodeMessageAt,
  maxWaitingBytes,
} from '../../../src/realtime/sse/event-stream.ts';
import { Listeners } from '../../../src/realtime/sse/listeners.ts';

const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const topic = 'app:public.x';
const eventAt = (seq: number | undefined, payload: unknown = 1) =>
  JSON.stringify({ type: 'a.b', topic, seq, id: 'e', at: 'now', payload, meta: { source: 'ws' } });

function createStream() {
  const listeners = new Listeners();
  const told = { taken: 0, gone: 0 };
  const stream = new EventStream({
    listeners,
    onTaken() {
      told.taken += 1;
    },
    onGone() {
      told.gone += 1;
    },
  });
  return { listeners, told, stream, reader: stream.body.getReader() };
}

test('[V2] the id of a message is the seq of its event, and of nothing else', () => {
  expect(decode(encodeMessage(eventAt(7)))).toBe(`id: 7\ndata: ${eventAt(7)}\n\n`);
  for (const frame of [
    eventAt(undefined),
    eventAt(undefined, { seq: 7 }),
    eventAt(undefined, '{"type":"a.b","topic":"app:public.x","seq":7,'),
    JSON.stringify({ type: 'unsubscribed', topic, payload: { seq: 7 } }),
  ])
    expect(decode(encodeMessage(frame))).toBe(`data: ${frame}\n\n`);
  expect(decode(encodeMessageAt(0, '{}', 700))).toBe('retry: 700\nid: 0\ndata: {}\n\n');
});

test('[V2] what begins a stream comes before what was sent, and all of it in order, sent or published', async () => {
  const { listeners, stream, reader } = createStream();
  stream.subscribe(topic);
  stream.send(eventAt(1));
  listeners.publish(topic, eventAt(2));
  listeners.publish('app:public.y', eventAt(9));
  stream.send(eventAt(3));
  stream.begin(encodeMessageAt(0, '{}'));
  const { value } = await reader.read();
  expect([...decode(value).matchAll(/id: (\d)/g)].map(([, id]) => id)).toEqual(['0', '1', '2', '3']);
  expect(stream.getBufferedAmount()).toBe(0);
  stream.unsubscribe(topic);
  listeners.publish(topic, eventAt(4));
  expect(stream.getBufferedAmount()).toBe(0);
});

test('[V3] a reader that takes nothing is cut off at the bound, and hears no more of its topic', async () => {
  const { listeners, told, stream, reader } = createStream();
  stream.subscribe(topic);
  const frame = eventAt(1, 'x'.repeat(100_000));
  let published = 0;
  for (; stream.getBufferedAmount() > 0 || published === 0; published += 1) {
    listeners.publish(topic, frame);
    expect(stream.getBufferedAmount()).toBeLessThan(maxWaitingBytes + 2 * frame.length);
  }
  expect(published * frame.length).toBeGreaterThan(maxWaitingBytes);
  expect(stream.send(frame)).toBe(0);
  listeners.publish(topic, frame);
  expect(await reader.read()).toEqual({ done: true, value: undefined });
  expect(told.gone).toBe(1);
});

test('[V4] what waits when it is closed still arrives, with the reason as a comment', async () => {
  const { told, stream, reader } = createStream();
  stream.send(eventAt(1));
  stream.close(4403, 'logout');
  stream.close(4403, 'again');
  expect(decode((await reader.read()).value)).toBe(`id: 1\ndata: ${eventAt(1)}\n\n: logout\n\n`);
  expect((await reader.read()).done).toBe(true);
  expect(told.gone).toBe(1);
});

test('[V6] a reader that goes away ends it, while it waits and while something waits for it', async () => {
  for (const hasWaiting of [false, true]) {
    const { listeners, told, stream, reader } = createStream();
    stream.subscribe(topic);
    const reading = hasWaiting ? undefined : reader.read();
    if (hasWaiting) stream.send(eventAt(1));
    await reader.cancel();
    await reading;
    listeners.publish(topic, eventAt(2));
    expect([stream.getBufferedAmount(), told.gone]).toEqual([0, 1]);
  }
});

test('[Heartbeat] a ping is a comment, and none is added to what waits', async () => {
  const { stream, reader } = createStream();
  stream.ping();
  stream.ping();
  expect(decode((await reader.read()).value)).toBe(':\n\n');
});
