// Every page of the console, light and dark, on a desktop and on a phone: axe finds no serious fault, nothing is wider than the
// screen, and a keyboard is enough. What a first visit loads is counted.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { makePlayer, startOn } from '../modules/game/setup.ts';
import type { TestUser } from '../support/api.ts';
import { browserMissing, launchBrowser } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { onEmbeddedDatabase, type TestServer } from '../support/server.ts';
import { logIn, takePicture, type Visitor, visit } from './setup.ts';

setDefaultTimeout(60_000);

/** A page, and what has to be there before it is looked at. `open`: what is pressed once it is. */
interface View {
  readonly name: string;
  readonly route: string;
  readonly shows: string;
  readonly open?: (page: Page) => Promise<void>;
}

const modes = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: 'light-phone', colorScheme: 'light', viewport: { width: 390, height: 780 } },
  { name: 'dark-phone', colorScheme: 'dark', viewport: { width: 390, height: 780 } },
] as const;

describeWith('the console for everybody', browserMissing, () => {
  onEmbeddedDatabase('in light and dark, on a desktop and a phone', (open) => {
    let server: TestServer;
    let browser: Browser;
    let ann: Visitor;
    let places: Places;

    beforeAll(async () => {
      [server, browser] = await Promise.all([open(), launchBrowser()]);
      const user = await server.register('Ann Archer');
      places = await furnish(server, user);
      ann = await visit(browser, server.url);
    });
    afterAll(() => browser?.close());

    test('the way in has no serious fault', async () => {
      await look(ann, 'sign-up');
      await ann.page.getByRole('button', { name: 'Log in', exact: true }).click();
      await look(ann, 'log-in');
    });

    test('no page of the console has a serious fault, or is wider than its screen', async () => {
      await logIn(ann, places.email);
      const { page } = ann;
      await page.getByText('Book club').waitFor();
      for (const { name, route, shows, open } of listViews(places)) {
        await page.setViewportSize(modes[0].viewport);
        await page.goto(`${server.url}/#/${route}`);
        await page.getByText(shows).first().waitFor();
        await open?.(page);
        await look(ann, name);
        await page.keyboard.press('Escape');
      }
      await page.setViewportSize(modes[0].viewport);
      await page.getByRole('button', { name: 'Inspect', exact: true }).click();
      await page.locator('.envelope').first().getByRole('button').click();
      await look(ann, 'inspector');
      await page.getByRole('button', { name: 'Close the inspector' }).click();
      expect(ann.complaints).toEqual([]);
    }, 120_000);

    test('the colours that are chosen win over those of the system, and stay', async () => {
      const { page } = ann;
      await page.emulateMedia({ colorScheme: 'light' });
      const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const light = await ground();
      const choose = page.getByRole('button', { name: 'Colours' });
      await choose.click(); // from the system's to light
      await choose.click(); // to dark
      const dark = await ground();
      expect(dark).not.toBe(light);
      await page.reload();
      await choose.getByText('Dark').waitFor();
      expect(await ground()).toBe(dark);
      await choose.click(); // to the system's
      expect(await ground()).toBe(light);
    });

    test('a keyboard is enough: from the skip link to a chat, a message, a dialog and back', async () => {
      const { page } = ann;
      await page.goto(`${server.url}/#/chats`);
      await page.reload();
      await page.getByText('Book club').waitFor();
      await page.keyboard.press('Tab');
      expect(await focused(page)).toBe('Skip to the content');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      expect(await focused(page)).toBe('New chat');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await focused(page)).toBe('New chat'); // the focus comes back
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.getByRole('textbox', { name: 'Message', exact: true }).focus();
      await page.keyboard.type('By keyboard');
      await page.keyboard.press('Enter');
      await page.locator('.message:not(.pending)', { hasText: 'By keyboard' }).waitFor();
    });

    test('a new message of somebody else is read out, once', async () => {
      const { page } = ann;
      await page.goto(`${server.url}/#/chats/${places.chatId}`);
      await page.getByText('Lights and lock included.').waitFor();
      await server.request('POST', `/v1/chats/${places.chatId}/messages`, {
        token: places.ben.accessToken,
        body: { content: 'Listen' },
      });
      await page
        .locator('[aria-live=polite]', { hasText: 'Ben Baker: Listen' })
        .waitFor({ state: 'attached' });
    });

    test('what is pressed on a phone is 44 pixels high and wide', async () => {
      const { page } = ann;
      for (const { route, shows } of listViews(places)) {
        await page.setViewportSize(modes[0].viewport); // where both panes are seen
        await page.goto(`${server.url}/#/${route}`);
        await page.getByText(shows).first().waitFor();
        await page.setViewportSize(modes[2].viewport);
        const small = await page
          .locator(':is(button, a.item, a.leaf, a.button, input, select):visible')
          .evaluateAll((elements) =>
            elements
              .filter((element) => !element.matches('.skip, [type=radio], [type=checkbox]'))
              .map((element) => [element.outerHTML.slice(0, 90), element.getBoundingClientRect()] as const)
              .filter(([, { width, height }]) => height < 43.5 || width < 43.5)
              .map(([html, { width, height }]) => `${html} ${width} x ${height}`),
          );
        expect([route, small]).toEqual([route, []]);
      }
    });

    test('a first visit loads little, from here alone; a second one the page alone', async () => {
      const context = await browser.newContext();
      const load = async (): Promise<string[]> => {
        const page = await context.newPage();
        const loaded: Promise<string>[] = [];
        let bytes = 0;
        page.on('requestfinished', (request) =>
          loaded.push(
            request.sizes().then(({ responseBodySize, responseHeadersSize }) => {
              bytes += responseBodySize + responseHeadersSize;
              return new URL(request.url()).pathname.replace(/-\w+\./, '.');
            }),
          ),
        );
        await page.goto(server.url);
        await page.getByRole('heading', { name: 'Carillon' }).waitFor();
        const paths = await Promise.all(loaded);
        await page.close();
        console.info(`the console: ${bytes} bytes for ${paths.length} requests`);
        expect(bytes).toBeLessThan(130_000);
        return paths.sort();
      };
      const first = await load();
      expect(first).toEqual(expect.arrayContaining(['/', '/console/index.css', '/console/index.js']));
      expect(first.length).toBeLessThanOrEqual(4);
      await load();
      await context.close();
    });
  });
});

interface Places {
  readonly email: string;
  readonly ben: TestUser;
  readonly chatId: string;
  readonly jobId: string;
  readonly campaignId: string;
  readonly settlementId: string;
}

/** Something of everything. */
async function furnish(server: TestServer, user: TestUser): Promise<Places> {
  const as =
    ({ accessToken: token }: TestUser) =>
    async (path: string, body: object) =>
      (await server.request('POST', `/v1${path}`, { token, body })).body;
  const ben = await server.register('Ben Baker');
  const [ann, other] = [as(user), as(ben)];
  const chat = await ann('/chats', { type: 'group', name: 'Book club', participantIds: [ben.id] });
  await ann(`/chats/${chat.id}/messages`, { content: 'Hello @Ben Baker', mentions: [ben.id] });
  const message = await other(`/chats/${chat.id}/messages`, { content: 'Hello @Ann Archer' });
  await server.request('PUT', `/v1/chats/${chat.id}/messages/${message.id}/reactions/👍`, {
    token: user.accessToken,
  });
  const terms = {
    title: 'A bicycle, blue, with a lock and a bell, hardly ever used',
    amount: '60',
    currency: 'EUR',
    note: 'Lights and lock included.',
  };
  await other(`/chats/${chat.id}/offers`, { recipientId: user.id, ...terms });
  const job = await ann('/jobs', { type: 'count', payload: { to: 20 } });
  const player = await ann('/players', { handle: 'ann_archer' });
  const target = await makePlayer(server);
  await startOn(
    server,
    { user, id: player.player.id, handle: 'ann_archer', computerId: '' },
    target.computerId,
  );
  const campaign = await ann('/campaigns', { name: 'The long winter', description: 'A land under snow.' });
  const kingdom = await ann(`/campaigns/${campaign.id}/kingdoms`, { name: 'Northmark' });
  const settlement = await ann(`/kingdoms/${kingdom.id}/settlements`, {
    name: 'Harrow',
    variables: { population: 120 },
    variableSchemas: [{ name: 'population', type: 'number' }],
  });
  await ann(`/settlements/${settlement.id}/structures`, { name: 'Bell tower', type: 'tower' });
  return {
    email: user.email,
    ben,
    chatId: chat.id,
    jobId: job.id,
    campaignId: campaign.id,
    settlementId: settlement.id,
  };
}

function listViews({ chatId, jobId, campaignId, settlementId }: Places): View[] {
  const press = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name }).first().click();
  return [
    { name: 'chats', route: 'chats', shows: 'No chat is open' },
    { name: 'new-chat', route: 'chats', shows: 'No chat is open', open: press('New chat') },
    {
      name: 'chat',
      route: `chats/${chatId}`,
      shows: 'Lights and lock included.',
      open: press(/What to do with the message of Ben/),
    },
    { name: 'members', route: `chats/${chatId}`, shows: 'Lights', open: press('Members') },
    { name: 'offers', route: `chats/${chatId}`, shows: 'Lights', open: press('Offers') },
    { name: 'jobs', route: 'jobs', shows: 'No job is open' },
    { name: 'new-job', route: 'jobs', shows: 'No job is open', open: press('New job') },
    { name: 'job', route: `jobs/${jobId}`, shows: 'Nobody takes it yet' },
    { name: 'game', route: 'game', shows: 'Home Server' },
    { name: 'skills', route: 'game', shows: 'Home Server', open: press('Skills') },
    { name: 'players', route: 'game', shows: 'ann_archer', open: press('Players') },
    { name: 'worlds', route: 'campaigns', shows: 'No world is open' },
    { name: 'new-world', route: 'campaigns', shows: 'No world is open', open: press('New world') },
    {
      name: 'settlement',
      route: `campaigns/${campaignId}/settlement/${settlementId}`,
      shows: 'population',
    },
    {
      name: 'world-members',
      route: `campaigns/${campaignId}/campaign/${campaignId}`,
      shows: 'Northmark',
      open: press('Members'),
    },
    { name: 'account', route: 'account', shows: 'Where you are logged in' },
    { name: 'refusal', route: `chats/${jobId}`, shows: 'This chat is not yours to see' },
  ];
}

const axeSource = await Bun.file(Bun.fileURLToPath(import.meta.resolve('axe-core/axe.min.js'))).text();

/** What differs between light and dark is colours: the other rules are asked once for each width. */
async function look(visitor: Visitor, name: string): Promise<void> {
  const { page } = visitor;
  await page.evaluate(axeSource); // by the debugger: the page's policy would not let it in
  for (const { name: mode, colorScheme, viewport } of modes) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    const options: RunOptions = {
      resultTypes: ['violations'],
      ...(colorScheme === 'dark' && { runOnly: ['color-contrast'] }),
    };
    const faults = await page.evaluate(async (options) => {
      // axe puts itself there
      const { axe } = window as unknown as { axe: { run: (options: RunOptions) => Promise<AxeResults> } };
      const { violations } = await axe.run(options);
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    }, options);
    if (mode === 'light' || mode === 'dark-phone') await takePicture(visitor, `${name}-${mode}`);
    expect([name, mode, faults]).toEqual([name, mode, []]);
    const overhang = await page.evaluate(() => {
      const scrollers = document.querySelectorAll('html, .pane-body, .messages, .envelopes, .dialog-body');
      return Math.max(...[...scrollers].map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth));
    });
    expect([name, mode, overhang]).toEqual([name, mode, 0]);
  }
}

const focused = (page: Page): Promise<string | undefined> =>
  page.evaluate(() => document.activeElement?.textContent?.trim());
