// The guide of PROTOCOL.md is enough: a client that was written from it, in Python, goes through everything it tells of.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { startChild } from '../support/child.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { createGroup, pruneLog, range, readLog } from './chat.ts';

const pythonMissing = Bun.which('python3') === null ? 'no python3 is on the PATH' : undefined;
const sends = 20;

onEachDatabase('a client in another language', (open) => {
  describeWith('in Python', pythonMissing, () => {
    test('written from the guide, it misses, repeats and reorders nothing, whatever is cut, reset or renewed', async () => {
      let server = await open({ ACCESS_TOKEN_SECONDS: '6' });
      const ann = await server.register('Ann');
      const ben = await server.register('Ben');
      const chat = await createGroup(server, ben, [ann]);
      const path = `/v1/chats/${chat.id}/messages`;
      const say = async (content: string) => {
        const { accessToken: token } = await server.login(ben);
        expect((await server.request('POST', path, { token, body: { content } })).status).toBe(201);
      };
      const proxy = await startTcpProxy(server.port);
      proxy.toServer.bytesUntilCut = 1_500; // some of the messages; the last one in the middle
      const client = await startChild({
        command: [
          ...['python3', join(import.meta.dir, 'python-client.py'), server.url, `127.0.0.1:${proxy.port}`],
          ...[ann.email, ann.password, chat.id, String(sends)],
        ],
        stopSignal: 'SIGTERM',
        isReady: (line) => line.includes('"connected"'),
      });
      const lines = () => client.output.split('\n').filter((line) => line !== '');
      const told = (text: string, times = 1) =>
        until(
          () => lines().filter((line) => line.includes(text)).length >= times,
          `${text}, ${times} times`,
          30_000,
        );

      await told('"closed": 1006');
      proxy.toClient.bytesUntilCut = 1_500; // in the middle of an event, be it a missed one or a new one
      await say('x'.repeat(2_000));
      await told('"closed": 1006', 2);
      await told('"connected"', 3);
      await until(
        async () => (await readLog(server.db, chat.topic)).length === 2 + sends,
        'all are sent',
        30_000,
      );

      // Away for too long.
      proxy.toServer.isPaused = true;
      proxy.cut();
      for (const content of ['one', 'two', 'three']) await say(content);
      await pruneLog(server.db, chat.topic, sends + 4);
      proxy.toServer.isPaused = false;
      await told('"reset": true');

      await server.stop();
      await told('"closed": 1012');
      server = await open({ ...server.env, PORT: String(server.port) });
      await told('"connected"', 5);
      await told('"renewed"');
      await say('goodbye');
      expect(await client.exited).toBe(0);

      const other = await server.connect(await server.login(ben));
      const { seq, epoch, snapshot } = await other.subscribe(chat.topic, { snapshot: true });
      const messages = (snapshot as { messages: { id: string; content: string }[] }).messages; // the chat's contract
      expect(JSON.parse(lines().at(-1) ?? '')).toEqual({
        position: { since: seq, epoch },
        messages: messages.map(({ id }) => id),
      });
      const own = messages
        .filter(({ content }) => /^\d+$/.test(content))
        .map(({ content }) => Number(content));
      expect(own).toEqual(range(1, sends)); // each once, in its order
      other.close();
      await proxy.stop();
    }, 90_000);
  });
});
