// The examples of the client's README, as they stand there but for the address: they compile, and do what they say.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { removeFolder } from '../support/janitor.ts';
import { describeWith } from '../support/needs.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { compile, type InstalledClient, installClient } from './package.ts';

onEachDatabase('the examples of the client', (open, { kind }) => {
  if (kind === 'postgres') return; // they are the same
  setDefaultTimeout(60_000); // compilers are slow on a busy machine
  let installed: InstalledClient;
  let server: TestServer;

  beforeAll(async () => {
    server = await open();
    installed = await installClient();
  });
  afterAll(() => installed && removeFolder(installed.folder));

  /** Writes the only example in that language, behind what it leaves out, into the project; answers its path there. */
  async function write(
    language: 'ts' | 'tsx',
    document = 'src/client/README.md',
    before = '',
  ): Promise<string> {
    const readme = await Bun.file(join(import.meta.dir, '../..', document)).text();
    const found = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))];
    expect(found).toHaveLength(1);
    const path = join(installed.folder, `example.${language}`);
    await Bun.write(path, before + found[0]?.[1]?.replace('http://localhost:3000', server.url));
    return path;
  }

  test('runs', async () => {
    const path = await write('ts');
    expect(await compile(installed.folder, path, 'bundler')).toBe('');
    const program = Bun.spawn([process.execPath, path], { cwd: installed.folder, stdout: 'pipe' });
    expect(await new Response(program.stdout).text()).toBe('heard Hello\nnewest Hello\n');
    expect(await program.exited).toBe(0);
  });

  test('those of the front page compile, and the first one runs', async () => {
    const ann = await server.register('Ann');
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token: ann.accessToken,
      body: { type: 'group', name: 'Notes', participantIds: [] },
    });
    const given = `const accessToken = '${ann.accessToken}', chatId = '${chat.id}';\n`;
    const path = await write('ts', 'README.md', given);
    expect(await compile(installed.folder, path, 'bundler')).toBe('');
    await Bun.write(path, `${await Bun.file(path).text()}client.close();\n`);
    const program = Bun.spawn([process.execPath, path], { cwd: installed.folder, stdout: 'pipe' });
    expect(await new Response(program.stdout).text()).toBe('Hello\nHello\n');
    const page = await write('tsx', 'README.md');
    expect(await compile(installed.folder, page, 'bundler')).toBe('');
  });

  describeWith('in a browser', browserMissing, () => {
    test('shows a chat, and says something', async () => {
      const path = await write('tsx');
      expect(await compile(installed.folder, path, 'bundler')).toBe('');
      const built = await Bun.build({ entrypoints: [path], target: 'browser' });
      const script = await built.outputs[0]?.text();
      const ann = await server.register('Ann');
      const { body: chat } = await server.request('POST', '/v1/chats', {
        token: ann.accessToken,
        body: { type: 'group', name: 'Notes', participantIds: [] },
      });
      const files = Bun.serve({
        port: 0,
        fetch: ({ url }) =>
          url.endsWith('/page.js')
            ? new Response(script, { headers: { 'Content-Type': 'text/javascript' } })
            : new Response('<!doctype html><body><script src="/page.js"></script>', {
                headers: { 'Content-Type': 'text/html' },
              }),
      });
      const browser = await launchBrowser();
      try {
        const page = await browser.newPage();
        await page.addInitScript((token) => {
          localStorage.accessToken = token;
        }, ann.accessToken);
        await page.goto(`${files.url.href}#${chat.id}`);
        await page.getByRole('status').filter({ hasText: 'Connected' }).waitFor();
        await page.getByRole('button', { name: 'Say hello' }).click();
        await page.locator('p', { hasText: /^Hello$/ }).waitFor();
      } finally {
        await browser.close();
        await files.stop(true);
      }
    });
  });
});
