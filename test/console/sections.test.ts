// Jobs, the game and campaigns in a browser: what happens on the server moves on the page.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser } from 'playwright-core';
import { makeDue, makePlayer, setWealth } from '../modules/game/setup.ts';
import type { TestUser } from '../support/api.ts';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { onEmbeddedDatabase, type TestServer } from '../support/server.ts';
import { logIn, signUp, takePicture, type Visitor, visit } from './setup.ts';

setDefaultTimeout(60_000);

describeWith('the sections of the console', browserMissing, () => {
  onEmbeddedDatabase('in a browser', (open) => {
    let server: TestServer;
    let browser: Browser;
    let ann: Visitor;
    let email: string;

    beforeAll(async () => {
      [server, browser] = await Promise.all([open({ ADMIN_EMAILS: 'root@example.com' }), launchBrowser()]);
      ann = await visit(browser, server.url);
      email = await signUp(ann, 'Ann Archer');
    });
    afterAll(() => browser?.close());

    const call = async (user: TestUser, method: string, path: string, body?: object) => {
      const answer = await server.request(method, `/v1${path}`, { token: user.accessToken, body });
      if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body;
    };

    const makeWorker = async (): Promise<TestUser> => {
      const root = await server.register('Root', { email: 'root@example.com' });
      const worker = await server.register('Worker');
      await call(root, 'PATCH', `/admin/users/${worker.id}`, { role: 'worker' });
      return await server.login(worker);
    };

    test('a job’s bar moves as its worker reports, and its result comes', async () => {
      const worker = await makeWorker();
      const { page } = ann;
      await page.getByRole('link', { name: 'Jobs' }).click();
      await page.getByRole('button', { name: 'New job' }).click();
      await page.getByLabel('Payload').fill('{ to: 20 }');
      await page.getByRole('button', { name: 'Ask for it' }).click();
      await page.getByRole('alert').getByText('The payload has to be JSON').waitFor();
      await page.getByLabel('Payload').fill('{ "to": 20 }');
      await page.getByRole('button', { name: 'Ask for it' }).click();
      await page.getByText('demo-worker.ts').waitFor(); // nobody takes it: how to start one

      const wanted = { types: ['count'], workerId: 'by hand', max: 1, waitSeconds: 1 };
      const { items } = await call(worker, 'POST', '/jobs/claim', wanted);
      const [{ id, leaseId }] = items;
      const bar = page.locator('progress[value]');
      const values: (string | null)[] = [];
      for (const current of [2, 9, 15]) {
        await call(worker, 'POST', `/jobs/${id}/progress`, {
          leaseId,
          current,
          total: 20,
          message: 'Counting',
        });
        await page.getByText(`(${current} of 20) Counting`).waitFor();
        values.push(await bar.getAttribute('value'));
        await page
          .locator('.item[aria-current]')
          .getByText(`${current * 5} %`)
          .waitFor();
      }
      expect(values).toEqual(['10', '45', '75']);
      await takePicture(ann, 'job');
      await call(worker, 'POST', `/jobs/${id}/complete`, { leaseId, result: { counted: 20 } });
      await page.getByText('"counted": 20').waitFor();
      expect(await bar.getAttribute('value')).toBe('100');
    });

    test('a job is cancelled and tried again', async () => {
      const { page } = ann;
      await page.getByRole('button', { name: 'New job' }).click();
      await page.getByLabel('Type').fill('nobody.does.it');
      await page.getByRole('button', { name: 'Ask for it' }).click();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.locator('.card .tag.cancelled').waitFor();
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.locator('.card .tag.queued').waitFor();
    });

    test('a player begins, hacks somebody, sees it go on and what came of it', async () => {
      const { page } = ann;
      await makePlayer(server, { money: 5_000 });
      await page.getByRole('link', { name: 'Game' }).click();
      await page.getByLabel('Handle').fill('ann_archer');
      await page.getByRole('button', { name: 'Begin to play' }).click();
      await page.getByRole('button', { name: 'Scan' }).click();
      await page.getByRole('button', { name: 'Hack', exact: true }).click();
      await page.getByLabel(/Port scanner/).check();
      await page.getByRole('button', { name: 'Start the hack' }).click();
      await page.getByText('90 of 100').waitFor();
      const bar = page.getByRole('progressbar', { name: 'Progress of the hack: bruteforce' });
      await bar.waitFor();
      const before = Number(await bar.getAttribute('value'));
      await page.waitForFunction(
        (value) => Number(document.querySelector('.hack progress')?.getAttribute('value')) > value,
        before,
      );
      await takePicture(ann, 'game');
      const attacker = await server.login({ email, password: 'correct horse battery' });
      const { items } = await call(attacker, 'GET', '/hacks?role=attacker');
      await makeDue(server, items[0], 'success');
      await page.getByText('Your bruteforce: 500 money, 20 xp').waitFor();
      await bar.waitFor({ state: 'hidden' });
      await page.locator('.stats').getByText('1,500').waitFor();
    });

    test('defenses and skills are bought, and the best players are listed', async () => {
      const { page } = ann;
      const attacker = await server.login({ email, password: 'correct horse battery' });
      const { player } = await call(attacker, 'GET', '/players/me');
      await page.getByRole('button', { name: 'Install firewall for 150' }).click();
      await page.getByRole('button', { name: 'Improve firewall for 300' }).waitFor();
      await setWealth(server, player.id, { xp: 400 });
      await page.getByRole('button', { name: 'Skills' }).click();
      await page.reload(); // the wealth came behind the server's back
      await page.getByRole('button', { name: 'Skills' }).click();
      await page.getByRole('button', { name: 'Learn Word list' }).click();
      await page.locator('.held', { hasText: 'Word list' }).waitFor();
      await page.getByRole('button', { name: 'Players' }).click();
      await page.getByRole('row', { name: /ann_archer \(you\) 3 400/ }).waitFor();
    });

    test('a campaign is built, and what another member changes is there at once', async () => {
      const { page } = ann;
      const ben = await server.register('Ben Baker');
      await page.getByRole('link', { name: 'Worlds' }).click();
      await page.getByRole('button', { name: 'New world' }).click();
      await page.getByLabel('Name', { exact: true }).fill('The long winter');
      await page.getByRole('button', { name: 'Begin it' }).click();
      await page.getByRole('button', { name: 'Add a kingdom to The long winter' }).click();
      await page.getByLabel('Name of the kingdom').fill('Northmark');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Add a settlement to Northmark' }).click();
      await page.getByLabel('Name of the settlement').fill('Harrow');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: /Harrow/ }).click();
      await page.getByLabel('New variable').fill('population');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByLabel('population', { exact: true }).fill('120');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.locator('.entity').getByText('version 2').waitFor();
      expect(await page.getByRole('alert').count()).toBe(0); // one's own save is no conflict

      await page.getByRole('button', { name: 'Members' }).click();
      await page.getByLabel('Add somebody, as an editor').fill('Ben');
      await page.getByRole('button', { name: 'Ben Baker' }).click();
      await page.getByRole('combobox', { name: 'Role of Ben Baker' }).waitFor();
      await page.keyboard.press('Escape');
      const settlementId = page.url().split('/').at(-1);
      await call(ben, 'PATCH', `/settlements/${settlementId}`, { version: 2, level: 7 });
      await page.getByRole('link', { name: 'Harrow level 7' }).waitFor();
      await page.locator('.entity').getByText('version 3').waitFor();
      expect(await page.getByLabel('Level').inputValue()).toBe('7');
    });

    test('who was slower sees what the other one did, and decides', async () => {
      const { page } = ann;
      const other = await visit(browser, server.url);
      await logIn(other, email);
      await other.page.goto(page.url());
      await page.getByLabel('Name', { exact: true }).fill('Old Harrow');
      await other.page.getByLabel('Level').fill('9');
      await other.page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('alert').getByText('level: 9').waitFor();
      await takePicture(ann, 'conflict');
      await page.getByRole('button', { name: 'Keep what I wrote' }).click();
      await page.getByRole('button', { name: 'Save' }).click();
      await other.page.getByRole('link', { name: 'Old Harrow level 9' }).waitFor();
      await page.getByRole('button', { name: '+ 1 day' }).click();
      const time = await page.locator('.world-time time').textContent();
      await other.page
        .locator('.world-time time')
        .getByText(time ?? '')
        .waitFor();
      await other.context.close();
    });

    test('what is gone, or not one’s own, says so', async () => {
      const { page } = ann;
      await page.getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('button', { name: /Really delete/ }).click();
      await page.getByText('This settlement is gone.').waitFor();
      const nowhere = '01a1fc21-22db-7278-9e50-2e027a1cdfb6';
      for (const [section, text] of [
        ['chats', 'This chat is not yours to see'],
        ['jobs', 'This job is not yours, or is gone'],
        ['campaigns', 'This world is not yours to see, or is gone'],
      ]) {
        await page.goto(`${server.url}/#/${section}/${nowhere}`);
        await page.getByText(text ?? '').waitFor();
      }
    });

    test('nothing was asked of any other origin, and nothing went wrong in the page', () => {
      const own = [`${server.url}/`, 'data:'];
      expect(ann.requested.filter((url) => !own.some((start) => url.startsWith(start)))).toEqual([]);
      expect(ann.complaints).toEqual([]);
    });
  });
});
