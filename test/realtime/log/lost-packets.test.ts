// A PostgreSQL server behind a network that swallows packets: nothing breaks, nothing answers.

import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { describeWith } from '../../support/needs.ts';
import { type Postgres, postgresMissing, startPostgres } from '../../support/postgres.ts';
import { spawnServer } from '../../support/process.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

setDefaultTimeout(90_000);

describeWith('a database that is reachable and does not answer', postgresMissing, () => {
  let postgres: Postgres;
  afterAll(() => postgres.stop());

  test('[X] a command is refused within 18 s, and the next one works as soon as packets flow', async () => {
    postgres = await startPostgres();
    const proxy = await startTcpProxy(postgres.port);
    const url = new URL(await postgres.createDatabase());
    url.port = String(proxy.port);
    const server = await spawnServer({ DATABASE_URL: url.href });
    const [ann, ben] = [await server.register('Ann'), await server.register('Ben')];
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [ben.id] },
    });
    const client = await server.connect(ann);
    const send = (content: string) => {
      client.send({ type: 'message.send', id: content, payload: { chatId: chat.id, content } });
      return client.next(({ id, seq }) => id === content && seq === undefined, 18_000);
    };
    expect((await send('before')).payload.seq).toBe(2);

    for (const flow of [proxy.toServer, proxy.toClient]) flow.isPaused = true;
    expect(await send('into the void')).toMatchObject({ type: 'error', error: { code: 'unavailable' } });
    for (const flow of [proxy.toServer, proxy.toClient]) flow.isPaused = false;
    expect((await send('after')).type).toBe('ok');

    for (const flow of [proxy.toServer, proxy.toClient]) flow.isPaused = true;
    server.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    await proxy.stop();
  });
});
