// What a client does at its edges, with a clock and a network that the test moves: silence, repeats, gaps, hints, timers.

import { describe, expect, test } from 'bun:test';
import { dirname, join } from 'node:path';
import type { ClientState } from '../../src/client/client.ts';
import { Disconnected, Refused } from '../../src/client/refused.ts';
import { listImports } from '../support/floors.ts';
import { createByHand, event, joined } from './hand.ts';

const topic = 'app:public.hand';

/** The file, and everything that it brings along; packages by their names. */
async function listParts(path: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(path)) return seen;
  seen.add(path);
  if (!path.endsWith('.ts')) return seen;
  const source = await Bun.file(join(import.meta.dir, '../../src', path)).text();
  for (const name of listImports(source)) {
    await listParts(name.startsWith('.') ? join(dirname(path), name) : name, seen);
  }
  return seen;
}

describe('the client', () => {
  test('brings along nothing but its own files and what of the protocol has no schemas', async () => {
    const parts = [...(await listParts('client/client.ts'))];
    expect(parts).toContain('client/topic.ts');
    expect(parts.filter((part) => !/^client\/|^protocol\/frames\.ts$/.test(part))).toEqual([]);
  });

  test('offers protocol and token as subprotocols, at /ws of the server [H1]', async () => {
    const { enter } = createByHand();
    expect(await enter()).toMatchObject({
      url: 'wss://carillon.test/ws',
      protocols: ['carillon.v1', 'bearer.a.b.c'],
    });
  });

  test('says what it is doing: connecting with its attempt, connected, disconnected', async () => {
    const { client, clock, newest, enter } = createByHand();
    const states: ClientState[] = [];
    client.onState((state) => states.push(state));
    await enter();
    newest().ends(1006);
    await clock.advance(1_000);
    newest().ends(1006);
    client.close();
    expect(
      states.map(({ name, ...rest }) => ('attempt' in rest ? [name, rest.attempt, rest.inMs] : [name])),
    ).toEqual([
      ['connecting', 1, 0],
      ['connected'],
      ['connecting', 1, 1_000],
      ['connecting', 2, 2_000],
      ['disconnected'],
    ]);
  });

  test('hands a repeated event to nobody but onFrame', async () => {
    const frames: (number | undefined)[] = [];
    const { client, enter } = createByHand({ onFrame: ({ seq }) => frames.push(seq) });
    const seqs: (number | undefined)[] = [];
    client.topic(topic).on('thing.happened', ({ seq }) => seqs.push(seq));
    const socket = await enter();
    socket.answers('subscribe', { results: [joined(topic, 3)] });
    for (const seq of [4, 4, 3, 5]) socket.says(event(topic, seq));
    expect(seqs).toEqual([4, 5]);
    expect(frames.filter((seq) => seq !== undefined)).toEqual([4, 4, 3, 5]);
  });

  test('does not go on behind a gap: it comes back, and asks for what is missing', async () => {
    const { client, clock, sockets, enter } = createByHand();
    const seqs: (number | undefined)[] = [];
    client.topic(topic).on('*', ({ seq }) => seqs.push(seq));
    const first = await enter();
    first.answers('subscribe', { results: [joined(topic, 3)] });
    for (const seq of [4, 6]) first.says(event(topic, seq));
    expect(first.isClosed).toBe(true);
    first.says(event(topic, 7)); // too late: this connection is over
    await clock.advance(1_000);
    const [, second] = sockets;
    second?.welcomes();
    expect(second?.sent[0].payload).toEqual({ topics: [{ topic, since: 4, epoch: 'one' }] });
    expect(seqs).toEqual([4]);
  });

  test('asks again for a topic that is refused for now, and ends one that is refused for good', async () => {
    const { client, clock, enter } = createByHand();
    const [busy, closed] = [client.topic('app:public.busy'), client.topic('app:closed')];
    const socket = await enter();
    const unavailable = { code: 'unavailable', message: 'Later.', retryAfterMs: 700 };
    const results = [
      { topic: busy.name, error: unavailable },
      { topic: closed.name, error: { code: 'forbidden', message: 'No.' } },
    ];
    socket.answers('subscribe', { results });
    await expect(closed.joined).rejects.toMatchObject({ code: 'forbidden' });
    await clock.advance(700);
    expect(socket.sent.at(-1).payload).toEqual({ topics: [{ topic: busy.name }] });
    socket.answers('subscribe', { results: [joined(busy.name, 0)] });
    expect((await busy.joined).seq).toBe(0);
  });

  test('[S7] ends a topic when the right to it is lost, and does not ask for it again', async () => {
    const { client, clock, newest, enter } = createByHand();
    const lost = client.topic(topic);
    const first = await enter();
    first.answers('subscribe', { results: [joined(topic, 1)] });
    const waiting = lost.reach(2);
    first.says({ type: 'unsubscribed', topic, payload: { reason: 'forbidden' } });
    expect(await lost.ended).toMatchObject({ code: 'forbidden' });
    await expect(waiting).rejects.toBeInstanceOf(Refused);
    first.ends(1006);
    await clock.advance(1_000);
    newest().welcomes();
    expect(newest().sent).toEqual([]);
  });

  test('[S1] joins more topics than fit one frame with several, also where the server takes small ones', async () => {
    const { client, clock, enter } = createByHand();
    for (let number = 0; number < 230; number += 1) client.topic(`app:public.${number}`);
    const { sent } = await enter(); // takes 1,000 bytes
    await clock.advance(0);
    const names = sent.flatMap(({ payload }) =>
      payload.topics.map((entry: { topic: string }) => entry.topic),
    );
    expect(new Set(names).size).toBe(230);
    expect(names.length).toBe(230);
    expect(sent.length).toBeGreaterThan(3);
  });

  test('pings as often as the welcome says, and leaves a connection that says nothing more', async () => {
    const { clock, sockets, enter } = createByHand();
    const first = await enter();
    await clock.advance(30_000);
    first.says({ type: 'pong', id: first.sent.at(-1).id });
    await clock.advance(30_000);
    expect(first.sent.map(({ type }) => type)).toEqual(['ping', 'ping']);
    await clock.advance(4_999);
    expect(first.isClosed).toBe(false);
    await clock.advance(1);
    expect(first.isClosed).toBe(true);
    await clock.advance(1_000);
    expect(sockets.length).toBe(2);
  });

  describe('when a command is not answered', () => {
    test('[K1] sends it again after 5 s with its key, here if the server is alive, else over a new connection', async () => {
      const { client, clock, newest, enter } = createByHand();
      const first = await enter();
      const answer = client.send('message.send', { content: 'Hi' }, { key: 'k' });
      first.says(event(topic, 1)); // a sign of life
      await clock.advance(5_000);
      expect(first.sent.length).toBe(2);
      await clock.advance(5_000); // and none
      expect(first.isClosed).toBe(true);
      await clock.advance(1_000);
      newest().welcomes();
      expect([...first.sent, ...newest().sent].map(({ key }) => key)).toEqual(['k', 'k', 'k']);
      newest().answers('message.send', { seq: 7 });
      expect(await answer).toEqual({ seq: 7 });
    });

    test('fails it where it has no key, also when the connection is lost, and never sends it twice', async () => {
      const { client, clock, newest, enter } = createByHand();
      const first = await enter();
      const unanswered = client.send('message.edit').catch((error) => error);
      first.says(event(topic, 1));
      await clock.advance(5_000);
      expect(await unanswered).toBeInstanceOf(Disconnected);
      const lost = client.send('message.edit', { content: 'Hi' });
      first.ends(1006);
      await expect(lost).rejects.toBeInstanceOf(Disconnected);
      await clock.advance(1_000);
      newest().welcomes();
      expect(newest().sent).toEqual([]);
    });

    test('does not take a repeat that is refused for now for the answer to what was sent before', async () => {
      const { client, clock, newest, enter } = createByHand();
      const first = await enter();
      const answer = client.send('message.send', {}, { key: 'k' });
      first.ends(1006);
      await clock.advance(1_000);
      newest().welcomes();
      const { id } = newest().sent[0];
      const error = { code: 'rate_limited', message: 'Later.', retryAfterMs: 300 } as const;
      newest().says({ type: 'error', id, error });
      await clock.advance(300);
      newest().answers('message.send', { seq: 7 });
      expect(await answer).toEqual({ seq: 7 });
      expect(newest().sent.length).toBe(2);
    });

    test('refuses at once what is larger than the server takes', async () => {
      const { client, enter } = createByHand();
      const { sent } = await enter();
      const large = client.send('message.send', { content: 'é'.repeat(500) }, { key: 'k' });
      await expect(large).rejects.toMatchObject({ code: 'too_large' });
      expect(sent).toEqual([]);
    });
  });

  test('keeps so many commands for later, and no more', async () => {
    const { client, enter } = createByHand({ maxWaiting: 2 });
    const waiting = [1, 2].map((number) => client.send('publish', { number }));
    await expect(client.send('publish', { number: 3 })).rejects.toBeInstanceOf(Disconnected);
    const { sent } = await enter();
    expect(sent.map(({ payload }) => payload.number)).toEqual([1, 2]);
    client.close();
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('[C1] stays until its slot comes, goes at once then, and does not wait for a server that forgets it', async () => {
    const { client, clock, sockets, newest, enter } = createByHand();
    const first = await enter();
    first.says({ type: 'draining', payload: { reconnectInMs: 2_000 } });
    await clock.advance(2_000);
    expect(client.state.name).toBe('connected');
    first.ends(1012);
    expect(client.state).toEqual({ name: 'connecting', attempt: 1, inMs: 0 });
    await clock.advance(0);
    newest().welcomes();
    newest().says({ type: 'draining', payload: { reconnectInMs: 2_000 } });
    await clock.advance(7_000);
    expect(newest().isClosed).toBe(true);
    expect(sockets.length).toBe(2);
  });

  test('[C] backs off when it is closed with 1012 without having been told', async () => {
    const { client, enter } = createByHand();
    (await enter()).ends(1012);
    expect(client.state).toEqual({ name: 'connecting', attempt: 1, inMs: 1_000 });
  });

  test('[C] asks for a new token behind 4401, once, and gives up where there is none', async () => {
    const reasons: string[] = [];
    const { client, clock, newest, enter } = createByHand({
      getToken(reason) {
        reasons.push(reason);
        return reasons.length < 4 ? 'a.b.c' : undefined;
      },
    });
    (await enter()).ends(4401);
    await clock.advance(1_000);
    newest().ends(1006);
    await clock.advance(2_000);
    newest().ends(4401);
    await clock.advance(4_000);
    expect(reasons).toEqual(['connect', 'refused', 'connect', 'refused']);
    expect(client.state.name).toBe('error');
    expect(clock.count).toBe(0);
  });

  test.each([4400, 4403])('[C] does not come back after %d', async (code) => {
    const { client, clock, sockets, enter } = createByHand();
    const socket = await enter();
    const waiting = client.send('message.send', {}, { key: 'k' });
    socket.ends(code, 'logout');
    await expect(waiting).rejects.toThrow('logout');
    await clock.advance(100_000);
    expect([client.state.name, sockets.length, clock.count]).toEqual(['error', 1, 0]);
  });

  test('tries again when a token cannot be had now, and when it or the welcome takes longer than 10 s', async () => {
    let tokens = 0;
    const { client, clock, sockets } = createByHand({
      getToken() {
        tokens += 1;
        if (tokens === 1) throw new Error('The way there is blocked.');
        return tokens === 2 ? new Promise(() => {}) : 'a.b.c';
      },
    });
    client.connect();
    await clock.advance(1_000); // the first attempt, and the wait behind it
    await clock.advance(10_000 + 2_000); // the second one's
    expect(sockets.length).toBe(1);
    await clock.advance(10_000);
    expect(sockets[0]?.isClosed).toBe(true);
    expect(client.state).toMatchObject({ name: 'connecting', attempt: 4 });
  });

  test('gives up after maxAttempts in a row, and begins anew when asked to', async () => {
    const { client, clock, newest, enter } = createByHand({ maxAttempts: 3 });
    const connecting = client.connect();
    for (const waitMs of [0, 1_000, 2_000]) {
      await clock.advance(waitMs);
      newest().ends(1006);
    }
    await expect(connecting).rejects.toThrow('3 attempts failed, the last one with 1006');
    expect([client.state.name, clock.count]).toEqual(['error', 0]);
    await enter();
    expect(client.state.name).toBe('connected');
  });

  test('close() leaves no timer, whatever was under way', async () => {
    for (const part of ['waiting', 'token', 'greeting', 'connected', 'lost'] as const) {
      const getToken = () => (part === 'token' ? new Promise<string>(() => {}) : 'a.b.c');
      const { client, clock, newest } = createByHand({ getToken });
      client.topic(topic);
      const command = client.send('message.send', {}, { key: 'k' });
      client.connect();
      if (part !== 'waiting') await clock.advance(0);
      if (part === 'connected' || part === 'lost') newest().welcomes();
      if (part === 'connected') newest().says({ type: 'draining', payload: { reconnectInMs: 2_000 } });
      if (part === 'lost') newest().ends(1006);
      expect([part, clock.count]).not.toEqual([part, 0]);
      client.close();
      expect([part, clock.count, client.state.name]).toEqual([part, 0, 'disconnected']);
      await expect(command).rejects.toBeInstanceOf(Disconnected);
    }
  });

  test('what comes after close() is not heard', async () => {
    const frames: string[] = [];
    const { client, enter } = createByHand({ onFrame: ({ type }) => frames.push(type) });
    const socket = await enter();
    client.close();
    socket.says(event(topic, 1));
    socket.ends(1000);
    expect([frames, client.state.name]).toEqual([['welcome'], 'disconnected']);
  });
});
