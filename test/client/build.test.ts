// The built client: small, without a dependency, the same in Node, Bun and a browser, with types that need nothing else.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import type { TestUser } from '../support/api.ts';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { compile, type InstalledClient, installClient } from './package.ts';

/** gzipped, with the states of all modules. */
const maxCoreBytes = 8_192;

const node = Bun.which('node');
const nodeMissing = node === null ? 'no node is on the PATH' : undefined;

onEachDatabase('the built client', (open, { kind }) => {
  if (kind === 'postgres') return; // it is the same client
  setDefaultTimeout(60_000); // compilers are slow on a busy machine
  let installed: InstalledClient;
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    installed = await installClient();
  });
  afterAll(() => installed && removeFolder(installed.folder));

  async function createChat(): Promise<string> {
    const { body } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'group', name: 'Visit', participantIds: [] },
    });
    return body.id;
  }

  const expected = {
    seen: ['one', 'two'],
    paused: 'paused',
    status: 'live',
    refused: 'invalid',
    contents: [expect.any(String), 'one', 'two'],
    offers: [],
  };

  async function visitBy(command: string[]): Promise<unknown> {
    const given = {
      client: join(installed.folder, installed.entry),
      url: server.url,
      token: ann.accessToken,
      chatId: await createChat(),
    };
    const program = Bun.spawn([...command, join(import.meta.dir, 'visit.mjs')], {
      env: { ...process.env, CARILLON_VISIT: JSON.stringify(given) },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [output, complaints] = await Promise.all([
      new Response(program.stdout).text(),
      new Response(program.stderr).text(),
    ]);
    if ((await program.exited) !== 0) throw new Error(complaints);
    return JSON.parse(output);
  }

  test('is small', () => {
    const { coreBytes, reactBytes } = installed.build;
    console.log(`carillon/client: ${coreBytes} bytes gzipped; with React ${reactBytes} more`);
    expect(coreBytes).toBeLessThanOrEqual(maxCoreBytes);
  });

  test('imports nothing, and has no schemas in it', async () => {
    const transpiler = new Bun.Transpiler({ loader: 'js' });
    const names = ['client/index.js', 'client/react/index.js'];
    const texts = await Promise.all(
      names.map((name) => Bun.file(join(installed.folder, 'node_modules/carillon/dist', name)).text()),
    );
    const imported = texts.map((text) =>
      transpiler.scanImports(text).flatMap(({ path }) => (path.startsWith('.') ? [] : [path])),
    );
    expect(imported[0]).toEqual([]);
    expect(new Set(imported[1])).toEqual(new Set(['react', 'react/jsx-runtime']));
    expect(texts.filter((text) => /typebox/i.test(text))).toEqual([]);
  });

  test('runs in Bun', async () => {
    expect(await visitBy([process.execPath])).toEqual(expected);
  });

  describeWith('in Node', nodeMissing, () => {
    test('runs', async () => {
      // Node 20 has a WebSocket, but not without being asked for it; later ones know the flag, too.
      expect(await visitBy([node ?? '', '--experimental-websocket'])).toEqual(expected);
    });
  });

  describeWith('in a browser', browserMissing, () => {
    test('runs', async () => {
      const files = Bun.serve({
        port: 0,
        fetch(request) {
          const { pathname } = new URL(request.url);
          if (!pathname.endsWith('js')) return new Response('<!doctype html><title>Visit</title>', html);
          const path =
            pathname === '/visit.mjs' ? join(import.meta.dir, pathname) : join(installed.folder, pathname);
          return new Response(Bun.file(path));
        },
      });
      const browser = await launchBrowser();
      try {
        const page = await browser.newPage();
        await page.goto(files.url.href);
        const given = { url: server.url, token: ann.accessToken, chatId: await createChat() };
        const saw = await page.evaluate(
          async ([client, visit, options]) => (await import(visit)).visit(await import(client), options),
          [installed.entry, '/visit.mjs', given] as const,
        );
        expect(saw).toEqual(expected);
      } finally {
        await browser.close();
        await files.stop(true);
      }
    });
  });

  test.each(['bundler', 'nodenext'])(
    'its types need no other package, with resolution %s',
    async (resolution) => {
      await Bun.write(join(installed.folder, 'page.tsx'), consumer);
      expect(await compile(installed.folder, 'page.tsx', resolution)).toBe('');
    },
  );
});

const html = { headers: { 'Content-Type': 'text/html' } };

/** A program of somebody who has nothing but the package. */
const consumer = `
import { createClient, isEvent, type Message } from 'carillon/client';
import { CarillonProvider, useCommand, useTopic } from 'carillon/client/react';

export const client = createClient({ url: 'https://example.com', getToken: () => undefined });
export const newest = (chatId: string): Message | undefined => client.topic(\`chat:\${chatId}\`).state?.messages.at(-1);
client.on('*', (event) => isEvent(event, 'message.created') && event.payload.content?.length);
// @ts-expect-error: the content is a text
export const wrong = client.send('message.send', { chatId: '', content: 1 });

function Chat({ chatId }: { chatId: string }) {
  const { state, status } = useTopic(\`chat:\${chatId}\`);
  const send = useCommand();
  const say = async () => (await send('message.send', { chatId, content: status })).seq;
  return <button type="button" onClick={say}>{state?.messages.length}</button>;
}
export const page = <CarillonProvider client={client}><Chat chatId="" /></CarillonProvider>;
`;
