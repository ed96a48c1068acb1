// PROTOCOL.md's guide is played against a server, so that it cannot say what is not so.

import { expect, test } from 'bun:test';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import type { TestUser } from '../support/api.ts';
import { type Frame, openClient, type TestClient } from '../support/client.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { onEachDatabase, quietEnv, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { createGroup, pruneLog, readLog, type TestChat } from './chat.ts';
import { type Json, Names, readTranscript } from './transcript.ts';

const protocol = await Bun.file(join(import.meta.dir, '../../src/protocol/PROTOCOL.md')).text();

onEachDatabase('guide', (open) => {
  test('the transcript is what a server says, frame by frame, field by field', async () => {
    const server = await open({ MAX_COMMANDS_PER_SECOND: '100' });
    const ann = await server.register('Ann', { email: 'ann@example.com' });
    const ben = await server.register('Ben', { email: 'ben@example.com' });
    const chat = await createGroup(server, ben, [ann]);
    const happenings = listHappenings(server, ben, chat);
    const names = new Names();
    names.set('c4a7…', chat.id);
    names.set('a220…', ann.id);
    names.set('be02…', ben.id);
    const expectText = (text: Json, actual: Json) =>
      expect(JSON.stringify(actual)).toBe(JSON.stringify(names.match(text, actual)));

    const steps = readTranscript(protocol);
    let client: TestClient | undefined;
    const connected = (): TestClient => {
      if (client === undefined) throw new Error('The transcript uses a connection before it makes one.');
      return client;
    };
    let answer: { status: number; body: Json } | undefined;
    for (const step of steps) {
      switch (step.kind) {
        case 'connect':
          client = await openClient(`${server.url.replace('http', 'ws')}/ws`, {
            protocols: names.fill(step.protocols),
          });
          break;
        case 'send':
          connected().send(names.fill(step.frame) as object); // the text's frames are objects
          break;
        case 'receive': {
          const expected = step.frame as unknown as Frame; // as above
          const frame = await connected().next((each) => isLike(each, expected));
          expectText(step.frame, frame as unknown as Json); // it came as JSON
          break;
        }
        case 'request':
          answer = await server.request(step.method, step.path, { body: names.fill(step.body) });
          break;
        case 'answer':
          expect(answer?.status).toBe(step.status);
          expectText(step.body, answer?.body ?? null);
          break;
        case 'happening': {
          const happening = happenings[step.text];
          if (happening === undefined) throw new Error(`The test cannot make this happen: ${step.text}`);
          await happening(connected(), names);
          delete happenings[step.text];
        }
      }
    }
    // Nothing is left out: neither of what the test can do nor of what the server said.
    expect(Object.keys(happenings)).toEqual([]);
    expect(connected().unread).toEqual([]);
    connected().close();
  });

  test('compression is declined, and the connection is as good without', async () => {
    const server = await open();
    const { accessToken: token } = await server.register('Ann');
    const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
    const raw = await openRawSocket(server.port, { token, headers });
    expect(raw.status).toBe(101);
    expect(raw.head.toLowerCase()).not.toContain('sec-websocket-extensions');
    await raw.next(({ type }) => type === 'welcome');
    raw.destroy();
  });

  test('[T2] the example of claims is a token, and none without any of them but topics', async () => {
    const server = await open();
    const ann = await server.register('Ann');
    const ben = await server.register('Ben');
    const nowSeconds = Math.floor(Date.now() / 1000);
    const own = { sub: ann.id, sid: ann.sessionId, iat: nowSeconds, exp: nowSeconds + 900 };
    const claims: Record<string, unknown> = { ...readExampleClaims(), ...own };
    const client = await server.connect(sign(claims));
    expect((await client.subscribe('app:game.42.players')).seq).toBe(0);
    const publish = async (topic: string) =>
      (await client.request('publish', { event: 'player.joined', data: 1 }, { topic })).type;
    expect(await publish('app:game.42.chat')).toBe('ok');
    expect(await publish('app:game.42.players')).toBe('error');
    client.close();

    const statusWith = async (change: Record<string, unknown>): Promise<number> =>
      (await server.request('GET', '/v1/users/me', { token: sign({ ...claims, ...change }) })).status;
    for (const role of ['user', 'worker', 'admin'])
      expect([role, await statusWith({ role })]).toEqual([role, 200]);
    expect(await statusWith({ topics: undefined })).toBe(200); // JSON leaves out what is undefined
    for (const claim of Object.keys(claims).filter((name) => name !== 'topics')) {
      expect([claim, await statusWith({ [claim]: undefined })]).toEqual([claim, 401]);
    }
    const wrong = [
      { iss: 'other' },
      { aud: 'other' },
      { sub: ben.id },
      { sid: ben.sessionId },
      { role: 'king' },
    ];
    const late = [{ iat: String(nowSeconds) }, { exp: nowSeconds - 1 }, { exp: String(nowSeconds + 900) }];
    for (const change of [...wrong, ...late]) {
      expect([change, await statusWith(change)]).toEqual([change, 401]);
    }
  });
});

type Happening = (client: TestClient, names: Names) => Promise<void>;

/** How what the transcript tells beside its frames comes to be, by its sentences. */
function listHappenings(server: TestServer, ben: TestUser, chat: TestChat): Record<string, Happening> {
  const say = async (content: string) => {
    const body = { content };
    const path = `/v1/chats/${chat.id}/messages`;
    expect((await server.request('POST', path, { token: ben.accessToken, body })).status).toBe(201);
  };
  return {
    'Ben begins to type.': async () => {
      const client = await server.connect(ben);
      client.send({ type: 'typing', payload: { chatId: chat.id, active: true } });
      await client.request('ping');
      client.close();
    },
    'The connection is lost before anything comes back.': async (client) => {
      await until(async () => (await readLog(server.db, chat.topic)).length === 3, 'the message is written');
      client.terminate();
    },
    'Ben sends "I am".': () => say('I am'),
    'The connection is lost. While Ann is away Ben sends two messages, and the log is pruned up to seq 5.':
      async (client, names) => {
        expect(client.unread).toEqual([]);
        client.terminate();
        await client.closed;
        await say('Still here?');
        await say('Good night');
        await pruneLog(server.db, chat.topic, 5);
        // The next connection comes with a token that is as good, and as old as the text says.
        const token = names.fill('eyA1…');
        const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
        const exp = Math.floor(Date.now() / 1000) + 59;
        names.set('eyA1…', sign({ ...claims, iat: exp - 900, exp }));
      },
    'A minute is left of the access token.': async () => {}, // since it connected, see above
  };
}

/** Replies are known by their ids, events by their seqs; both by their types. */
function isLike(frame: Frame, text: Frame): boolean {
  if (frame.type !== text.type) return false;
  return text.topic === undefined ? frame.id === text.id : frame.seq === text.seq;
}

/** The example in T2 of PROTOCOL.md. */
function readExampleClaims(): Record<string, unknown> {
  const [, text = ''] = /\*\*T2\. .*?```json\n(.*?)```/s.exec(protocol) ?? [];
  return JSON.parse(text);
}

/** A token as another backend makes it that has the secret. */
function sign(claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  const seal = createHmac('sha256', quietEnv.JWT_SECRET ?? '')
    .update(body)
    .digest('base64url');
  return `${body}.${seal}`;
}
