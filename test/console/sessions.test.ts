// Sessions in real tabs: they share one, renew it side by side, and end it together.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser } from 'playwright-core';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { onEmbeddedDatabase, type TestServer } from '../support/server.ts';
import { logIn, openTab, signUp, visit } from './setup.ts';

setDefaultTimeout(60_000);

describeWith('sessions of the console', browserMissing, () => {
  onEmbeddedDatabase('in tabs', (open) => {
    let browser: Browser;
    let server: TestServer;
    beforeAll(async () => {
      [server, browser] = await Promise.all([open(), launchBrowser()]);
    });
    afterAll(() => browser?.close());

    test('[H5] tabs that renew their tokens side by side never end the session', async () => {
      // Each tab renews at half of the life of its token: several times in this test, all at about the same time.
      const server = await open({ ACCESS_TOKEN_SECONDS: '3' });
      const first = await visit(browser, server.url);
      await signUp(first, 'Ann');
      const tabs = [first, ...(await Promise.all([1, 2].map(() => openTab(first.context, server.url))))];
      await Promise.all(
        tabs.map(async ({ page }) => {
          await page.getByRole('button', { name: 'Inspect', exact: true }).click();
          await page.getByLabel('Filter by topic or type').fill('ok auth');
          await page.locator('.envelope').nth(1).waitFor(); // twice
          await page.getByLabel('Filter by topic or type').fill('welcome');
          expect(await page.locator('.envelope').count()).toBe(1); // one connection all the time
        }),
      );
      await Promise.all(tabs.map(({ page }) => page.reload()));
      for (const { page, complaints } of tabs) {
        await page.getByRole('navigation', { name: 'Sections' }).waitFor();
        expect(complaints).toEqual([]);
      }
      await first.context.close();
    });

    test('the tokens are neither in the page nor in the inspector', async () => {
      const server = await open({ ACCESS_TOKEN_SECONDS: '2' });
      const { page, context } = await visit(browser, server.url);
      await signUp({ page, context, requested: [], complaints: [] }, 'Ann');
      await page.getByRole('button', { name: 'Inspect', exact: true }).click();
      await page.getByLabel('Filter by topic or type').fill('auth');
      await page.locator('.envelope.out').first().getByRole('button').click();
      await page.locator('.envelope pre', { hasText: '(hidden)' }).waitFor();
      expect(await page.content()).not.toContain('eyJ');
      const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
      expect(stored).not.toContain('eyJ'); // no access token
      await context.close();
    });

    test('logged out in one tab, one is out in the other; and comes back in both', async () => {
      const first = await visit(browser, server.url);
      const email = await signUp(first, 'Ann');
      const second = await openTab(first.context, server.url);
      await second.page.getByRole('navigation', { name: 'Sections' }).waitFor();
      await first.page.getByRole('link', { name: 'Account' }).click();
      await first.page.getByRole('button', { name: 'Log out' }).click();
      for (const { page } of [first, second]) await page.getByRole('heading', { name: 'Carillon' }).waitFor();
      await second.page.getByText('Your session is over. Log in again.').waitFor();
      await logIn(first, email);
      await second.page.getByRole('navigation', { name: 'Sections' }).waitFor();
      await first.context.close();
    });

    test('a session that is ended elsewhere ends here, and says so', async () => {
      const [here, there] = [await visit(browser, server.url), await visit(browser, server.url)];
      const email = await signUp(here, 'Ann');
      await logIn(there, email);
      await there.page.getByRole('link', { name: 'Account' }).click();
      await there.page.getByRole('button', { name: 'End' }).click();
      await here.page.getByRole('form', { name: 'Log in' }).waitFor();
      await here.page.locator('.notice', { hasText: 'session is over' }).waitFor();
      await Promise.all([here.context.close(), there.context.close()]);
    });

    test('refusals at the door are the server’s own words', async () => {
      const visitor = await visit(browser, server.url);
      const { page } = visitor;
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await page.getByLabel('E-mail').fill('nobody@example.com');
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Log me in' }).click();
      const { body } = await server.request('POST', '/v1/auth/login', {
        body: { email: 'nobody@example.com', password: 'wrong' },
      });
      await page.getByRole('alert').getByText(body.error.message).waitFor();
      await visitor.context.close();
    });

    test('modules that are switched off have no place in the rail, and their addresses say so', async () => {
      const server = await open({ MODULES: 'topics,chat' });
      const visitor = await visit(browser, server.url);
      await signUp(visitor, 'Ann');
      const links = visitor.page.getByRole('navigation', { name: 'Sections' }).getByRole('link');
      await visitor.page.getByText('No chats yet').waitFor();
      expect(await links.allTextContents()).toEqual(['Chats', 'Account']);
      await visitor.page.goto(`${server.url}/#/game`);
      await visitor.page.getByText('This server has no such section.').waitFor();
      await visitor.context.close();
    });
  });
});
