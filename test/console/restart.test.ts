// The server is killed under two browsers, and started again: the console says so, and nothing is missed or doubled.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser } from 'playwright-core';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { findFreePort } from '../support/child.ts';
import { createDataFolder } from '../support/embedded.ts';
import { describeWith } from '../support/needs.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { messageOf, say, signUp, takePicture, textsOf, type Visitor, visit } from './setup.ts';

setDefaultTimeout(90_000);

describeWith('the console over a server that is killed', browserMissing, () => {
  let env: Record<string, string>;
  let server: ServerProcess;
  let browser: Browser;
  let ann: Visitor;
  let ben: Visitor;

  beforeAll(async () => {
    env = { DATA_DIR: await createDataFolder(), PORT: String(findFreePort()) };
    [server, browser] = await Promise.all([spawnServer(env), launchBrowser()]);
    [ann, ben] = await Promise.all([visit(browser, server.url), visit(browser, server.url)]);
    await Promise.all([signUp(ann, 'Ann Archer'), signUp(ben, 'Ben Baker')]);
    await ann.page.getByRole('button', { name: 'New chat' }).click();
    await ann.page.getByLabel('With whom').fill('Ben');
    await ann.page.getByRole('button', { name: 'Ben Baker' }).click();
    await ann.page.getByRole('button', { name: 'Begin' }).click();
    await say(ann, 'Before');
    await ben.page.getByRole('link', { name: /Ann Archer/ }).click();
    await messageOf(ben, 'Before').waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('the ready line says where the console is', () => {
    expect(server.output).toContain(`"console":"${server.url}/"`);
  });

  test('killed while both write: each message is there once, for both, in one order', async () => {
    const sent: string[] = [];
    const sendSome = async (visitor: Visitor, name: string, count: number) => {
      for (let n = 0; n < count; n += 1) {
        const text = `${name} ${sent.length + 1}.`;
        sent.push(text);
        await say(visitor, text);
      }
    };
    await Promise.all([sendSome(ann, 'Ann', 10), sendSome(ben, 'Ben', 10)]);
    server.kill('SIGKILL');
    await server.exited;
    for (const { page } of [ann, ben]) {
      await page.locator('[data-state=connecting]').waitFor();
      await page.getByText('What you send waits until the server is back.').waitFor();
    }
    await takePicture(ann, 'away');
    await Promise.all([sendSome(ann, 'Ann offline', 3), sendSome(ben, 'Ben offline', 3)]);
    await ann.page.getByText('Waits for the connection').first().waitFor();

    server = await spawnServer(env);
    for (const { page } of [ann, ben]) {
      await page.locator('[data-state=connected]').waitFor();
      await page.getByText('What you send waits').waitFor({ state: 'hidden' });
      // All are there, and none is on its way any more.
      await page.waitForFunction(
        (count) =>
          document.querySelectorAll('.message:not(.pending) .content').length === count &&
          document.querySelector('.message.pending') === null,
        sent.length + 1,
      );
    }
    const texts = await textsOf(ann);
    expect(texts.toSorted()).toEqual(['Before', ...sent].toSorted());
    expect(await textsOf(ben)).toEqual(texts);
    // Each one's own stay in the order in which they were written.
    for (const name of ['Ann', 'Ben']) {
      const own = (list: readonly string[]) => list.filter((text) => text.startsWith(name));
      expect(own(texts)).toEqual(own(sent));
    }
  });

  test('the indicator goes when all is well for a while, and typing and presence work again', async () => {
    await ann.page.locator('[data-state=connected]').waitFor({ state: 'hidden' });
    await ann.page.getByText('Ben Baker is here').waitFor();
    await ben.page.getByRole('textbox', { name: 'Message', exact: true }).pressSequentially('So');
    await ann.page.getByText('Ben Baker is typing').waitFor();
  });

  test('what was said while one was away is there when one comes back, behind a page of it, too', async () => {
    const cat = await server.register('Cat');
    const texts = Array.from({ length: 70 }, (_, index) => `Cat ${index + 1}`);
    const post = (path: string, body: object) =>
      server.request('POST', `/v1${path}`, { token: cat.accessToken, body });
    const proxy = await startTcpProxy(server.port);
    const eve = await visit(browser, proxy.url);
    await signUp(eve, 'Eve Early');
    const { body: found } = await server.request('GET', '/v1/users?search=Eve%20Early', {
      token: cat.accessToken,
    });
    const { body: chat } = await post('/chats', {
      type: 'group',
      name: 'Cat talks',
      participantIds: [found.items[0].id],
    });
    await post(`/chats/${chat.id}/messages`, { content: 'Cat begins' });
    await eve.page.getByRole('link', { name: /Cat talks/ }).click();
    await messageOf(eve, 'Cat begins').waitFor();
    proxy.toClient.isPaused = true;
    proxy.cut();
    await eve.page.locator('[data-state=connecting]').waitFor();
    for (const content of texts) await post(`/chats/${chat.id}/messages`, { content });
    proxy.toClient.isPaused = false;
    await messageOf(eve, 'Cat 70').waitFor();
    expect(await textsOf(eve)).toEqual(['Cat begins', ...texts]);
    await eve.context.close();
    await proxy.stop();
  });
});
