// One line for each request, and one for each connection when it ends: what happened, never what was said.

import { expect, setDefaultTimeout, test } from 'bun:test';
import { createGroup, reach } from '../protocol/chat.ts';
import { createDataFolder } from '../support/embedded.ts';
import { removeFolder } from '../support/janitor.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(30_000);

type Line = Record<string, unknown> & { readonly msg: string };

async function withServer(use: (server: ServerProcess, lines: (msg: string) => Line[]) => Promise<void>) {
  const folder = await createDataFolder();
  const server = await spawnServer({ DATA_DIR: folder });
  const lines = (msg: string) =>
    server.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): Line => JSON.parse(line))
      .filter((line) => line.msg === msg);
  await use(server, lines).finally(() => server.stop());
  removeFolder(folder);
}

test('a request is one line: its route, its outcome, who asked, and the name that its events have', async () => {
  await withServer(async (server, lines) => {
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const token = ann.accessToken;
    const client = await server.connect(ann);
    await client.subscribe(chat.topic);
    const before = lines('request').length;
    const answers = [
      await server.request('POST', `/v1/chats/${chat.id}/messages`, {
        token,
        headers: { 'X-Request-Id': 'req-1' },
        body: { content: 'words' },
      }),
      await server.request('GET', '/v1/users?search=somebody', { token }),
      await server.request('GET', '/v1/users/me'),
      await server.request('GET', '/v1/somebody/was/here?token=x', { token }),
    ];
    expect((await server.request('GET', '/health/live')).status).toBe(200); // routine: not at this level
    await until(() => lines('request').length >= before + answers.length, 'they are written');
    const written = lines('request').slice(before);
    expect(written.map(({ method, route, status, userId }) => [method, route, status, userId])).toEqual([
      ['POST', '/v1/chats/:chatId/messages', 201, ann.id],
      ['GET', '/v1/users', 200, ann.id],
      ['GET', '/v1/users/me', 401, undefined],
      ['GET', undefined, 404, undefined],
    ]);
    expect(written.map(({ requestId }) => requestId)).toEqual(
      answers.map(({ headers }) => headers.get('X-Request-Id')),
    );
    for (const { ms } of written) expect(ms).toBeGreaterThanOrEqual(0);
    await reach(client, chat.topic, 2);
    const heard = client.frames.find(({ seq }) => seq === 2);
    expect(heard).toMatchObject({ meta: { correlationId: 'req-1' } });
    expect(written[0]?.requestId).toBe('req-1');
    expect(server.output).not.toContain('somebody');
  });
});

test('a connection is one line when it ends: whose it was, how long, how much, and why', async () => {
  await withServer(async (server, lines) => {
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const topic = `user:${ann.id}`;
    await client.subscribe(topic);
    await client.request('ping');
    const change = { token: ann.accessToken, body: { name: 'Anna' } };
    await server.request('PATCH', '/v1/users/me', change);
    await reach(client, topic, 1);
    client.close();
    await until(() => lines('connection closed').length === 1, 'it is written');
    const stranger = await server.connect('no-token').catch(String);
    expect(stranger).toContain('4401');
    await until(() => lines('connection closed').length === 2, 'the other is written');
    const [own, other] = lines('connection closed');
    expect(own).toMatchObject({
      connectionId: client.welcome.connectionId,
      userId: ann.id,
      durationMs: expect.any(Number),
      framesIn: 2,
      framesOut: client.frames.length, // the welcome, two replies, and the event
    });
    expect(client.frames).toHaveLength(4);
    expect(other).toMatchObject({ code: 4401, framesIn: 0 });
    expect(other).not.toHaveProperty('userId');
  });
});
