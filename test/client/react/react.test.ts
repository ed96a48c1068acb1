// The hooks in a real browser and in StrictMode, which mounts every component twice: they follow what they show, and leave
// nothing behind.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import type { TestUser } from '../../support/api.ts';
import { browserMissing, launchBrowser } from '../../support/browser.ts';
import { describeWith } from '../../support/needs.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';
import type { Given, RenderOptions } from './page.tsx';

const mounts = 100;

onEachDatabase('the React hooks', (open, { kind }) => {
  if (kind === 'postgres') return; // they are the same
  setDefaultTimeout(60_000); // browsers are slow on a busy machine
  describeWith('in a browser', browserMissing, () => {
    let server: TestServer;
    let proxy: TcpProxy;
    let browser: Browser;
    let script: string;
    let files: Bun.Server<undefined>;
    let ann: TestUser;

    beforeAll(async () => {
      server = await open();
      proxy = await startTcpProxy(server.port);
      ann = await server.register('Ann');
      const built = await Bun.build({
        entrypoints: [join(import.meta.dir, 'page.tsx')],
        target: 'browser',
        define: { 'process.env.NODE_ENV': '"development"' }, // StrictMode does nothing elsewhere
      });
      script = (await built.outputs[0]?.text()) ?? '';
      files = Bun.serve({
        port: 0,
        fetch: ({ url }) =>
          url.endsWith('/page.js')
            ? new Response(script, { headers: { 'Content-Type': 'text/javascript' } })
            : new Response('<!doctype html><title>Chat</title><body><script src="/page.js"></script>', {
                headers: { 'Content-Type': 'text/html; charset=utf-8' },
              }),
      });
      browser = await launchBrowser();
    });
    afterAll(async () => {
      await browser?.close();
      await files?.stop(true);
      await proxy?.stop();
    });

    /** A page with a client of Ann's, and a chat of its own. What it complains of fails the test by `complaints`. */
    async function openPage() {
      const { body: chat } = await server.request('POST', '/v1/chats', {
        token: ann.accessToken,
        body: { type: 'group', name: 'Page', participantIds: [] },
      });
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(files.url.href);
      const given: Given = { url: proxy.url, token: ann.accessToken, chatId: chat.id };
      await page.evaluate((options) => window.chatPage.open(options), given);
      const say = (content: string) =>
        server.request('POST', `/v1/chats/${chat.id}/messages`, {
          token: ann.accessToken,
          body: { content },
        });
      return { page, chatId: chat.id as string, topic: `chat:${chat.id}`, complaints, say };
    }

    const render = (page: Page, options: RenderOptions = {}) =>
      page.evaluate((given) => window.chatPage.render(given), options);
    /** Waits until each of the chats on the page shows this. */
    const shows = async (page: Page, name: string, text: string) => {
      for (const shown of await page.locator(`section .${name}`).all()) {
        await shown.filter({ hasText: new RegExp(`^${text}$`) }).waitFor({ state: 'attached' });
      }
    };

    test('show the state, hear each event once, and send', async () => {
      const { page, topic, complaints, say } = await openPage();
      await render(page);
      await shows(page, 'status', 'live');
      await shows(page, 'topic', topic);
      await shows(page, 'messages', '1');
      await say('Hello');
      await shows(page, 'messages', '2');
      await shows(page, 'heard', '1');
      await page.getByRole('button', { name: 'Say' }).first().click();
      await shows(page, 'messages', '3');
      await shows(page, 'heard', '2');
      expect(complaints).toEqual([]);
      await page.close();
    });

    test('the indicator tells what the connection does, and goes when all is well', async () => {
      const { page } = await openPage();
      await render(page);
      const indicator = page.getByRole('status');
      await indicator.filter({ hasText: 'Connected' }).waitFor();
      expect(await indicator.getAttribute('data-color')).toBe('green');
      await indicator.waitFor({ state: 'detached' });
      await proxy.stop();
      await indicator.filter({ hasText: /Reconnecting \(attempt [2-9]/ }).waitFor();
      expect(await indicator.getAttribute('data-color')).toBe('yellow');
      await shows(page, 'status', 'paused');
      proxy = await startTcpProxy(server.port);
      await page.evaluate(() => window.chatPage.render({ isLoggedIn: false }));
      await indicator.waitFor({ state: 'detached' });
      await shows(page, 'status', 'idle');
      await shows(page, 'connection', 'disconnected');
      await page.getByRole('button', { name: 'Say' }).first().click();
      await page.locator('.failure').first().filter({ hasText: 'Nobody is logged in' }).waitFor();
      await page.close();
    });

    test('resume what they show when the connection comes back', async () => {
      const { page, say } = await openPage();
      await render(page);
      await shows(page, 'status', 'live');
      for (let round = 1; round <= 5; round += 1) {
        proxy.cut();
        await say('Hello');
        await shows(page, 'messages', String(1 + round));
        await shows(page, 'heard', String(round));
      }
      await page.close();
    });

    test('share a topic, and leave it with the last of them', async () => {
      const { page, topic } = await openPage();
      await render(page, { chats: 3 });
      await shows(page, 'status', 'live');
      await render(page, { chats: 1 });
      await shows(page, 'status', 'live');
      expect(server.hub.topics()).toContain(topic);
      await render(page, { chats: 0 });
      await until(() => !server.hub.topics().includes(topic), `${topic} is left`);
      await page.close();
    });

    test('show another topic, and then another user, and nothing of what was before', async () => {
      const { page, topic, chatId } = await openPage();
      const other = await openPage();
      await other.say('Hello');
      await render(page);
      await shows(page, 'messages', '1');
      await render(page, { chatId: other.chatId });
      await shows(page, 'messages', '2');
      await shows(page, 'topic', other.topic);
      await until(() => !server.hub.topics().includes(topic), `${topic} is left`);
      const given: Given = { url: proxy.url, token: (await server.register('Ben')).accessToken, chatId };
      await page.evaluate((options) => window.chatPage.open(options), given);
      await render(page, { chatId: other.chatId });
      await shows(page, 'status', 'ended');
      await shows(page, 'messages', '');
      await Promise.all([page.close(), other.page.close()]);
    });

    test('say when a topic has ended, and why', async () => {
      const { page, chatId } = await openPage();
      await render(page);
      await shows(page, 'status', 'live');
      await server.request('DELETE', `/v1/chats/${chatId}/members/${ann.id}`, { token: ann.accessToken });
      await shows(page, 'status', 'ended');
      await shows(page, 'error', `The right to follow chat:${chatId} is lost.`);
      await page.close();
    });

    test(`mounted and unmounted ${mounts} times, leave no listener, no topic and no socket`, async () => {
      const { page, topic, complaints, say } = await openPage();
      await page.evaluate((times) => window.chatPage.renderAndUnmount(times), mounts);
      expect(await page.evaluate(() => window.chatPage.count())).toEqual({
        listeners: 0,
        topics: 0,
        sockets: mounts, // not one more for the second mount of StrictMode
      });
      await until(() => !server.hub.topics().includes(topic), `${topic} is left`);
      await render(page);
      await shows(page, 'status', 'live');
      await say('Hello');
      await shows(page, 'heard', '1');
      expect(complaints).toEqual([]);
      await page.close();
    });

    test('outside of a provider they say what is missing', async () => {
      const { page } = await openPage();
      expect(await page.evaluate(() => window.chatPage.renderOutside())).toMatch(
        /useClient needs a <CarillonProvider client=\{…\}> around its component/,
      );
      await page.close();
    });
  });
});
