// The reader of a stream that PROTOCOL.md shows, in Python, does what it says: cut, drained or reset, it misses nothing. [V5]

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { startChild } from '../support/child.ts';
import type { Frame } from '../support/client.ts';
import { makeFolder, removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { createGroup, fillLog, pruneLog, range, removeMember } from './chat.ts';

const pythonMissing = Bun.which('python3') === null ? 'no python3 is on the PATH' : undefined;

onEachDatabase('a reader of a stream', (open) => {
  describeWith('in Python', pythonMissing, () => {
    test('[V5] of 25 lines at most, comes back by itself until it is refused', async () => {
      const protocol = await Bun.file(join(import.meta.dir, '../../src/protocol/PROTOCOL.md')).text();
      const [, program = ''] = /^```python\n(.*?)^```$/ms.exec(protocol) ?? [];
      expect(program.trimEnd().split('\n').length).toBeWithin(10, 26);
      const folder = makeFolder('python-reader');
      const file = join(folder, 'reader.py');
      await Bun.write(file, program);

      let server = await open();
      const [ann, ben] = [await server.register('Ann'), await server.register('Ben')];
      const chat = await createGroup(server, ann, [ben]);
      const proxy = await startTcpProxy(server.port);
      const reader = await startChild({
        command: ['python3', file, chat.topic],
        env: { PATH: process.env.PATH, CARILLON_URL: proxy.url, CARILLON_TOKEN: ben.accessToken },
        stopSignal: 'SIGTERM',
        isReady: (line) => line.includes('"subscribed"'),
      });
      const frames = (): Frame[] =>
        reader.output.split('\n').flatMap((line) => (line.startsWith('{"type"') ? [JSON.parse(line)] : []));
      const beginnings = () => frames().filter(({ type }) => type === 'subscribed');
      const seqs = () => frames().flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
      const heard = (seq: number) => until(() => seqs().includes(seq), `event ${seq}`, 15_000);

      await fillLog(server.db, chat.topic, 5);
      await heard(6);
      proxy.toClient.bytesUntilCut = 700; // in the middle of an event
      await fillLog(server.db, chat.topic, 10);
      await heard(16);
      expect(beginnings().length).toBeGreaterThan(1);

      await server.stop();
      server = await open({ ...server.env, PORT: String(server.port) });
      await fillLog(server.db, chat.topic, 5);
      await heard(21);
      expect(seqs()).toEqual(range(2, 21));
      expect(beginnings().some(({ payload }) => payload.reset)).toBe(false);

      // Away for too long.
      proxy.toServer.isPaused = true;
      proxy.cut();
      await fillLog(server.db, chat.topic, 5);
      await pruneLog(server.db, chat.topic, 25);
      proxy.toServer.isPaused = false;
      await until(() => beginnings().at(-1)?.payload.reset === true, 'it is reset', 15_000);
      expect(beginnings().at(-1)?.payload).toMatchObject({ seq: 26, snapshot: { chat: { id: chat.id } } });

      await removeMember(server, chat, ann, ben);
      expect(await reader.exited).toBe(1);
      expect(frames().at(-1)?.type).toBe('unsubscribed');
      expect(reader.output).toContain('"code":"forbidden"');
      await proxy.stop();
      removeFolder(folder);
    }, 60_000);
  });
});
