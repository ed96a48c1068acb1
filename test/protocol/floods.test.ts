// Too much of everything: commands, nonsense, connections without credentials. The server bounds what it keeps, answers in
// order, and serves the others. [E5] [E6] [H2]

import { beforeAll, expect, test } from 'bun:test';
import type { TestUser } from '../support/api.ts';
import { type Frame, openClient, type TestClient } from '../support/client.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { createGroup, holdChat, holdTopic, range, readLog, sendMessage } from './chat.ts';

onEachDatabase('floods of commands', (open) => {
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
  });

  const repliesOf = (client: TestClient): Frame[] =>
    client.frames.filter(({ type }) => type === 'ok' || type === 'error' || type === 'pong');

  test('[E6] refuses what exceeds the commands a second as rate_limited, in its turn', async () => {
    const slow = await open({ MAX_COMMANDS_PER_SECOND: '10' });
    const client = await slow.connect(await slow.register('Bob'));
    expect(client.welcome.limits.commandsPerSecond).toBe(10);
    const ids = range(1, 100).map(String);
    const replies = await Promise.all(ids.map((id) => client.request('ping', {}, { id })));
    expect(repliesOf(client).map(({ id }) => id)).toEqual(ids);
    const pongs = replies.filter(({ type }) => type === 'pong').length;
    expect(pongs).toBeGreaterThanOrEqual(10);
    expect(pongs).toBeLessThan(30); // a slow machine refills the allowance meanwhile
    for (const { error } of replies.slice(10).filter(({ type }) => type === 'error')) {
      expect(error.code).toBe('rate_limited');
      expect(error.retryAfterMs).toBeGreaterThan(0);
    }
    // What was refused did not use anything up: after the time it names, all is well again.
    await Bun.sleep(replies.find(({ error }) => error !== undefined)?.error.retryAfterMs);
    expect((await client.request('ping')).type).toBe('pong');
    client.close();
  });

  test('[E6] counts a subscribe once for each of its topics', async () => {
    const slow = await open({ MAX_COMMANDS_PER_SECOND: '20' });
    const client = await slow.connect(await slow.register('Bob'));
    const topics = range(1, 40).map((n) => ({ topic: `app:public.${n}` }));
    const first = await client.request('subscribe', { topics });
    expect(first.payload.results.map(({ topic }: { topic: string }) => topic)).toEqual(
      topics.map(({ topic }) => topic),
    );
    // 20 on account, and 20 owed: the next frame is let in when these are made up for.
    const { error } = await client.request('subscribe', { topics });
    expect(error.code).toBe('rate_limited');
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(1_000);
    await Bun.sleep(error.retryAfterMs);
    expect((await client.request('ping')).type).toBe('pong');
    client.close();
  });

  test('[E6] keeps 256 frames waiting behind a slow command, and refuses the rest in order', async () => {
    const chat = await createGroup(server, ann);
    const other = await server.connect(ann);
    const message = await sendMessage(other, chat, 'edited often');
    const raw = await openRawSocket(server.port, { token: ann.accessToken });
    await raw.next(({ type }) => type === 'welcome');
    const release = await holdChat(server.db, chat);
    const ids = range(1, 600).map(String);
    for (const id of ids) {
      const payload = { messageId: message.payload.id, content: id };
      raw.send(JSON.stringify({ id, type: 'message.edit', payload }));
    }
    await raw.ping();
    // The others are served, and nothing overtakes the first one.
    expect((await other.request('ping')).type).toBe('pong');
    expect(raw.frames).toEqual([]);
    await release();
    const replies: Frame[] = [];
    for (const _ of ids) replies.push(await raw.next(() => true));
    expect(replies.map(({ id }) => id)).toEqual(ids);
    // The one under way, and those that waited behind it; in order.
    expect(replies.map(({ type }) => type)).toEqual([
      ...range(1, 257).map(() => 'ok'),
      ...range(258, 600).map(() => 'error'),
    ]);
    expect(replies.slice(0, 257).map(({ payload }) => payload.events[0].seq)).toEqual(range(3, 259));
    for (const { error } of replies.slice(257)) expect(error.code).toBe('rate_limited');
    // What was refused was not done.
    expect((await readLog(server.db, chat.topic)).length).toBe(259);
    raw.destroy();
    other.close();
  }, 30_000);

  test('[E6] keeps 1 MiB of frames waiting behind a slow command, and refuses the rest in order', async () => {
    const chat = await createGroup(server, ann);
    const raw = await openRawSocket(server.port, { token: ann.accessToken });
    await raw.next(({ type }) => type === 'welcome');
    const release = await holdTopic(server.db, chat);
    raw.send(
      JSON.stringify({ id: '0', type: 'message.send', payload: { chatId: chat.id, content: 'slow' } }),
    );
    const payload = { event: 'page.turned', data: 'x'.repeat(60_000) };
    const ids = range(1, 40).map(String);
    for (const id of ids)
      raw.send(JSON.stringify({ id, type: 'publish', topic: 'app:public.pages', payload }));
    raw.send('nonsense');
    await raw.ping();
    expect(raw.frames).toEqual([]);
    await release();
    expect(await raw.next(() => true)).toMatchObject({ type: 'ok', id: '0' });
    const replies: Frame[] = [];
    for (const _ of ids) replies.push(await raw.next(() => true));
    expect(replies.map(({ id }) => id)).toEqual(ids);
    // 17 of them are less than 1 MiB, and 18 more; the one behind the slow command no longer waits.
    const isRefused = replies.map(({ error }) => error?.code === 'rate_limited');
    const kept = isRefused.indexOf(true);
    expect([18, 19]).toContain(kept);
    expect(isRefused.slice(kept)).not.toContain(false);
    // It is nonsense all the same.
    expect((await raw.next(() => true)).error.code).toBe('invalid');
    raw.destroy();
  });

  test('[E6] closes with 1013 what goes on sending while 1,024 frames wait', async () => {
    const chat = await createGroup(server, ann);
    const other = await server.connect(ann);
    const raw = await openRawSocket(server.port, { token: ann.accessToken });
    await raw.next(({ type }) => type === 'welcome');
    const sent = await other.request('message.send', { chatId: chat.id, content: 'to be edited' });
    const release = await holdChat(server.db, chat);
    const edit = { messageId: sent.payload.id, content: 'edited' };
    for (const id of range(1, 1_500)) {
      raw.send(JSON.stringify({ id: `${id}`, type: 'message.edit', payload: edit }));
    }
    expect(await raw.closed).toBe(1013);
    expect((await other.request('ping')).type).toBe('pong');
    await release();
    // What waited behind the first one is forgotten.
    const reply = await other.request('message.send', { chatId: chat.id, content: 'done' });
    expect(reply.payload.seq).toBeLessThanOrEqual(4);
    other.close();
  });
});

/** For measuring memory: where there is little, garbage is collected at once, and what stays is what is kept. */
const smallMachine = { BUN_JSC_forceRAMSize: '100000000' };

/** Resident memory in MB. */
const memoryOf = ({ pid }: ServerProcess): number =>
  Number(Bun.spawnSync(['ps', '-o', 'rss=', '-p', `${pid}`]).stdout.toString()) / 1_024;

onEachDatabase('floods of nonsense', (_open, database) => {
  // Once is enough: the database has no part in it.
  if (database.kind !== 'embedded') return;

  test('[E5] keeps its memory flat under malformed frames of every kind, and serves the others', async () => {
    const server = await spawnServer({
      ...(await database.create()),
      ...smallMachine,
      MAX_CONNECTIONS_PER_USER: '0',
    });
    const ann = await server.register('Ann');
    const bystander = await server.connect(ann);
    const wrong = [
      '{"id":"w","type":"ping","payload":{"extra":1}}',
      '{"id":7,"type":"ping"}',
      '{"id":"w","type":"no.such.command","payload":[1,2,3]}',
      `{"id":"w","type":"message.send","payload":{"chatId":"${'x'.repeat(3_000)}"}}`,
      `{"id":"w","type":"ping","payload":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      `{"type":"ping","unknown":"${'y'.repeat(30_000)}"}`,
    ];
    const flood = async (rounds: number) => {
      const client = await server.connect(ann);
      for (const _ of range(1, rounds)) {
        for (const frame of wrong) for (const __ of range(1, 20)) client.sendRaw(frame);
        await client.request('ping');
        client.frames.length = 0;
        while (client.unread.length > 0) await client.next('error');
      }
      client.close();
      for (const _ of range(1, rounds)) {
        const doomed = await server.connect(ann);
        for (const __ of range(1, 10)) doomed.sendRaw('nonsense '.repeat(1_000));
        expect((await doomed.closed).code).toBe(4400);
      }
    };
    // One reading is the garbage of the moment; what was kept would raise the lowest ones, too.
    const lowest = async () => {
      const readings: number[] = [];
      for (const _ of range(1, 6)) {
        await flood(30);
        readings.push(memoryOf(server));
      }
      return Math.min(...readings);
    };
    await flood(30);
    const before = await lowest();
    const after = await lowest(); // about 21,000 frames of 160 MB in all, and 180 connections
    expect((await bystander.request('ping')).type).toBe('pong');
    expect(after - before).toBeLessThan(40);
    bystander.close();
    await server.stop();
  }, 60_000);

  test('[H2] bears a flood of connections without credentials, and serves the others meanwhile', async () => {
    const server = await spawnServer({ ...(await database.create()), ...smallMachine });
    const url = `${server.url.replace('http', 'ws')}/ws`;
    const ann = await server.register('Ann');
    const bystander = await server.connect(ann);
    const first = [
      JSON.stringify({ type: 'auth', payload: { token: 'x'.repeat(8_000) } }),
      JSON.stringify({ id: 'a', type: 'ping' }),
      'x'.repeat(60_000),
    ];
    const flood = async (count: number) => {
      const codes = await Promise.all(
        range(1, count).map(async (n) => {
          const client = await openClient(n % 4 ? url : `${url}?token=${'x'.repeat(4_000)}`);
          if (n % 4) for (const _ of range(1, 5)) client.sendRaw(first[n % 3] ?? '');
          return (await client.closed).code;
        }),
      );
      expect(new Set(codes)).toEqual(new Set([4401]));
    };
    // Opened and silent: they stay until their deadline, and must cost little until then.
    const silent = await Promise.all(range(1, 500).map(() => openClient(url)));
    // The collector makes memory go up and down by tens of MB; what leaks only goes up.
    const before: number[] = [];
    const after: number[] = [];
    for (const round of range(1, 16)) {
      await flood(500);
      (round <= 8 ? before : after).push(memoryOf(server));
      expect((await bystander.request('ping')).type).toBe('pong');
    }
    expect(Math.min(...after.slice(4)) - Math.max(...before)).toBeLessThan(40);
    const codes = await Promise.all(silent.map(async ({ closed }) => (await closed).code));
    expect(new Set(codes)).toEqual(new Set([4408]));
    (await server.connect(ann)).close();
    bystander.close();
    await server.stop();
  }, 60_000);
});
