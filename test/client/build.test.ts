// The built client: small, without a dependency, the same in Node, Bun and a browser, with types that need nothing else.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildClient, type ClientBuild } from '../../src/build/client.ts';
import type { TestUser } from '../support/api.ts';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

/** gzipped, with the states of all modules. */
const maxCoreBytes = 8_192;

const root = join(import.meta.dir, '../..');
const node = Bun.which('node');
const nodeMissing = node === null ? 'no node is on the PATH' : undefined;

onEachDatabase('the built client', (open, { kind }) => {
  if (kind === 'postgres') return; // it is the same client
  let folder: string;
  let build: ClientBuild;
  let server: TestServer;
  let ann: TestUser;

  beforeAll(async () => {
    server = await open();
    ann = await server.register('Ann');
    // As a package among others: what resolves `carillon/client` here does so for whoever installs it.
    folder = await mkdtemp(join(tmpdir(), 'carillon-client-'));
    const carillon = join(folder, 'node_modules/carillon');
    build = await buildClient(join(carillon, 'dist'));
    await Bun.write(join(carillon, 'package.json'), Bun.file(join(root, 'package.json')));
  });
  afterAll(() => removeFolder(folder));

  const entry = () => join(folder, 'node_modules/carillon/dist/client/index.js');

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
    const given = { client: entry(), url: server.url, token: ann.accessToken, chatId: await createChat() };
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
    console.log(`carillon/client: ${build.coreBytes} bytes gzipped; with React ${build.reactBytes} more`);
    expect(build.coreBytes).toBeLessThanOrEqual(maxCoreBytes);
  });

  test('imports nothing, and has no schemas in it', async () => {
    const transpiler = new Bun.Transpiler({ loader: 'js' });
    const names = ['client/index.js', 'client/react/index.js'];
    const texts = await Promise.all(
      names.map((name) => Bun.file(join(folder, 'node_modules/carillon/dist', name)).text()),
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
          const path = pathname === '/visit.mjs' ? join(import.meta.dir, pathname) : join(folder, pathname);
          return new Response(Bun.file(path));
        },
      });
      const browser = await launchBrowser();
      try {
        const page = await browser.newPage();
        await page.goto(files.url.href);
        const given = { url: server.url, token: ann.accessToken, chatId: await createChat() };
        const saw = await page.evaluate(async (options) => {
          const [client, visit] = ['/node_modules/carillon/dist/client/index.js', '/visit.mjs'];
          return await (await import(visit)).visit(await import(client), options);
        }, given);
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
      const project = join(folder, resolution);
      await mkdir(project);
      // React's own types, and what they need; nothing of the server's.
      await mkdir(join(folder, 'node_modules/@types'), { recursive: true });
      for (const name of ['@types/react', 'csstype']) {
        await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name)).catch(() => {}); // by the case before
      }
      await Bun.write(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
      await Bun.write(join(project, 'page.tsx'), consumer);
      const options = {
        strict: true,
        noEmit: true,
        jsx: 'react-jsx',
        target: 'es2022',
        lib: ['es2023', 'dom'],
        types: [],
        module: resolution === 'bundler' ? 'esnext' : resolution,
        moduleResolution: resolution,
      };
      await Bun.write(
        join(project, 'tsconfig.json'),
        JSON.stringify({ compilerOptions: options, files: ['page.tsx'] }),
      );
      const compiler = Bun.spawn([join(root, 'node_modules/.bin/tsc'), '-p', project], { stdout: 'pipe' });
      expect(await new Response(compiler.stdout).text()).toBe('');
      expect(await compiler.exited).toBe(0);
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
