import { expect, test } from 'bun:test';
import type { TestServer } from '../support/server.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Program, runOnTerminal, runProgram } from './program.ts';

onEachDatabase('the terminal client', (open) => {
  let opened: Promise<TestServer> | undefined;
  const share = (): Promise<TestServer> => {
    opened ??= open();
    return opened;
  };

  const openChat = async (server: TestServer) => {
    const ann = await server.register('Ann');
    const ben = await server.register('Ben');
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'direct', participantIds: [ben.id] },
    });
    return { ann, ben, chatId: String(chat.id), topic: `chat:${chat.id}` };
  };

  const start = (url: string, { email, password }: { email: string; password: string }): Program =>
    runProgram('terminal.ts', ['--url', url, '--email', email], { CARILLON_PASSWORD: password });

  test('prints what a piped session sends and gets, waits for the last of it, and ends with 0', async () => {
    const server = await share();
    const { ann, chatId, topic } = await openChat(server);
    const terminal = start(server.url.replace('http', 'ws'), ann);
    terminal.type(`/sub ${topic} 0`);
    terminal.type(`/chat ${chatId}`);
    terminal.type('Hello from a pipe');
    terminal.type('{"id":"mine","type":"no.such"}');
    terminal.type(`/unsub ${topic}`);
    terminal.endInput();
    expect(await terminal.exited).toBe(0);
    const lines = terminal.output.trimEnd().split('\n');
    for (const line of lines) expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} [→←·] /);
    const frames = lines.filter((line) => !line.includes('·')).map((line) => line.slice(13));
    expect(frames).toContain(`→ {"id":"t1","type":"subscribe","topic":"${topic}","payload":{"since":0}}`);
    expect(frames.filter((frame) => frame.includes('"type":"message.created"'))).toHaveLength(2);
    expect(terminal.output).toContain('"content":"Hello from a pipe"');
    expect(terminal.output).toContain('← {"type":"error","id":"mine","error":{"code":"unknown_command"');
    expect(frames).toContain(`← {"type":"ok","id":"t3","payload":{"topic":"${topic}"}}`);
    expect(frames.at(-1)).toStartWith('← {"type":"pong","id":"t4"');
  });

  test('reconnects after a cut and resumes its subscription where it was', async () => {
    const server = await share();
    const { ann, ben, chatId, topic } = await openChat(server);
    const proxy = await startTcpProxy(server.port);
    const terminal = start(proxy.url, ann);
    terminal.type(`/sub ${topic}`);
    await terminal.shows('"type":"ok"');
    const say = async (content: string) => {
      const path = `/v1/chats/${chatId}/messages`;
      expect((await server.request('POST', path, { token: ben.accessToken, body: { content } })).status).toBe(
        201,
      );
    };
    await say('before the cut');
    await terminal.shows('before the cut');
    proxy.cut();
    await terminal.shows('Reconnecting in');
    await say('during the cut');
    await terminal.shows(`Resuming ${topic} since 2.`);
    await terminal.shows('during the cut');
    await say('after the cut');
    await terminal.shows('after the cut');
    terminal.type('/quit');
    expect(await terminal.exited).toBe(0);
    const seqs = [...terminal.output.matchAll(/"topic":"chat:[^"]*","seq":(\d+),"id"/g)].map(
      ([, seq]) => seq,
    );
    expect(seqs).toEqual(['2', '3', '4']);
    await proxy.stop();
  });

  test('renews its token in place, and shows no token', async () => {
    const server = await open({ ACCESS_TOKEN_SECONDS: '3' });
    const ann = await server.register('Ann');
    const terminal = start(server.url, ann);
    await terminal.shows('auth.expiring', 2);
    expect(await terminal.shows('"type":"auth"')).toEndWith('"payload":{"token":"…"}}');
    expect(terminal.output).not.toContain('Closed with');
    terminal.endInput();
    expect(await terminal.exited).toBe(0);
  });

  test('ends with 1 when its session is revoked', async () => {
    const server = await share();
    const ann = await server.register('Ann');
    const terminal = start(server.url, ann);
    const welcome = await terminal.shows('"type":"welcome"');
    const sessionId = /"sessionId":"([^"]*)"/.exec(welcome)?.[1];
    await server.request('DELETE', `/v1/auth/sessions/${sessionId}`, { token: ann.accessToken });
    expect(await terminal.exited).toBe(1);
    expect(terminal.output).toContain('Closed with 4403 revoked');
  });

  test('registers when asked to', async () => {
    const server = await share();
    const email = `${crypto.randomUUID()}@example.com`;
    const words = ['--email', email, '--password', 'correct horse battery', '--register', '--name', 'Cleo'];
    const terminal = runProgram('terminal.ts', ['--url', server.url, ...words]);
    terminal.endInput();
    expect(await terminal.exited).toBe(0);
    expect((await server.login({ email, password: 'correct horse battery' })).name).toBe('Cleo');
  });

  test('subscribes and publishes on any topic, durable or not, and says what was refused', async () => {
    const server = await share();
    const ann = await server.register('Ann');
    const topic = `app:public.${crypto.randomUUID()}`;
    const terminal = start(server.url, ann);
    terminal.type(`/sub ${topic} 0`);
    terminal.type(`/publish ${topic} player.ready { "seat": 3 } durable`);
    terminal.type(`/publish ${topic} player.waved "hello"`);
    terminal.type('/publish app:private player.ready 1');
    terminal.endInput();
    expect(await terminal.exited).toBe(0);
    expect(terminal.output).toMatch(/← \{"type":"player\.ready",.*"seq":1,.*"payload":\{"seat":3\}/);
    expect(terminal.output).toMatch(/← \{"type":"player\.waved",.*"payload":"hello"/);
    expect(terminal.output).toMatch(/← \{"type":"error","id":"t4","error":\{"code":"forbidden"/);
  });

  test('takes an access token in the place of a user, and ends when that is over', async () => {
    const server = await open({ ACCESS_TOKEN_SECONDS: '3' });
    const ann = await server.register('Ann');
    const terminal = runProgram('terminal.ts', [], {
      CARILLON_URL: server.url,
      CARILLON_TOKEN: ann.accessToken,
    });
    expect(await terminal.shows('"type":"welcome"')).toContain(`"userId":"${ann.id}"`);
    await terminal.shows('The token of CARILLON_TOKEN is about to end');
    expect(await terminal.exited).toBe(1);
    expect(terminal.output).toContain('Closed with 4401');
    expect(terminal.output.trimEnd()).toEndWith(
      'The token of CARILLON_TOKEN is over, or bad: start again with another.',
    );
    expect(terminal.output).not.toContain(ann.accessToken);
  });

  test('--help lists options and commands, and ends with 0', async () => {
    for (const option of ['--help', '-h']) {
      const terminal = runProgram('terminal.ts', [option]);
      expect(await terminal.exited).toBe(0);
      for (const word of [
        'Usage: bun run client',
        'CARILLON_PASSWORD',
        'CARILLON_TOKEN',
        '/publish <topic>',
      ]) {
        expect(terminal.output).toContain(word);
      }
    }
  });

  test('without a password, and without a terminal to ask on, it says where to put one', async () => {
    const terminal = runProgram('terminal.ts', ['--email', 'ann@example.com']);
    expect(await terminal.exited).toBe(1);
    expect(terminal.output).toStartWith('Expected a password: set CARILLON_PASSWORD');
  });

  test('on a terminal it asks for the password and shows nothing of it', async () => {
    const server = await share();
    const ann = await server.register('Ann');
    const terminal = runOnTerminal(['--url', server.url, '--email', ann.email]);
    await terminal.shows(`Password of ${ann.email}: `);
    terminal.write('wrong\u0015correct horse batters\u007f');
    terminal.write('y\r/sub app:public.lobby\n');
    await terminal.shows('"type":"welcome"');
    await terminal.shows('"topic":"app:public.lobby","seq":'); // typed ahead, and not lost
    terminal.write('/quit\n');
    expect(await terminal.exited).toBe(0);
    expect(terminal.output).not.toContain('wrong');
    expect(terminal.output).not.toContain('horse');
    expect(terminal.output).toContain('/quit'); // what comes behind it is shown again
  });

  test('asked for a password, Ctrl-C leaves with 130, and no password at all with 1', async () => {
    const server = await share();
    const words = ['--url', server.url, '--email', 'ann@example.com'];
    const left = runOnTerminal(words);
    await left.shows('Password of ann@example.com: ');
    left.write('half a pass\u0003');
    expect(await left.exited).toBe(130);
    const empty = runOnTerminal(words);
    await empty.shows('Password of ann@example.com: ');
    empty.write('\r');
    expect(await empty.exited).toBe(1);
    expect(empty.output).toContain('No password was typed.');
  });

  test.each([
    { args: [], says: 'Expected --email, or an access token in CARILLON_TOKEN.' },
    { args: ['--nope'], says: "Unknown option '--nope'" },
    { args: ['ann@example.com'], says: "Unexpected argument 'ann@example.com'" },
    {
      args: ['--email', 'a@example.com', '--password', 'x', '--url', 'ftp://x'],
      says: 'Expected a URL like http://localhost:3000',
    },
    {
      args: ['--email', 'a@example.com', '--password', 'x', '--register'],
      says: 'Expected --register and --name together',
    },
  ])('says what it expects instead of $args, and ends with 1', async ({ args, says }) => {
    const terminal = runProgram('terminal.ts', args);
    expect(await terminal.exited).toBe(1);
    expect(terminal.output).toContain(says);
    expect(terminal.output).toContain('Usage: bun run client');
  });

  test('says why it cannot log in, and ends with 1', async () => {
    const server = await share();
    const terminal = start(server.url, { email: 'nobody@example.com', password: 'wrong' });
    expect(await terminal.exited).toBe(1);
    expect(terminal.output).toStartWith('POST /v1/auth/login was refused: unauthorized.');
  });
});
