import { expect, test } from 'bun:test';
import type { TestServer } from '../support/server.ts';
import { onEachDatabase } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Program, runProgram } from './program.ts';

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
    runProgram('terminal.ts', ['--url', url, '--email', email, '--password', password]);

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

  test.each([
    { args: [], says: 'Expected --email and --password.' },
    { args: ['--nope'], says: "Unknown option '--nope'" },
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
