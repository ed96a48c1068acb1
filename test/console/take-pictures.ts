// Takes the pictures of the console for the README, from the real page of a real server: `bun test/console/take-pictures.ts`.

import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { startServer } from '../../src/server.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createApi, type TestUser } from '../support/api.ts';
import { launchBrowser } from '../support/browser.ts';
import { createDataFolder } from '../support/embedded.ts';
import { quietEnv } from '../support/server.ts';
import { reduceColors } from './palette.ts';
import { logIn, openTab, say, type Visitor, visit } from './setup.ts';

const folder = join(import.meta.dir, '../../src/console/pictures');
const maxBytes = 60_000;

const config = readConfig({
  ...quietEnv,
  DATA_DIR: await createDataFolder(),
  ADMIN_EMAILS: 'root@example.com',
});
const instance = await startServer(config, createLogger(config));
const api = createApi(instance.url);
const browser = await launchBrowser();

const ann = await api.register('Ann Archer');
const ben = await api.register('Ben Baker');
const cat = await api.register('Cat Cooper');

const call = async (user: TestUser, path: string, body: object, method = 'POST') => {
  const answer = await api.request(method, `/v1${path}`, { token: user.accessToken, body });
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
};

const save = async ({ page }: Visitor, name: string): Promise<void> => {
  const png = reduceColors(await page.screenshot());
  if (png.length > maxBytes) throw new Error(`${name} has ${png.length} bytes, more than ${maxBytes}.`);
  await Bun.write(join(folder, `${name}.png`), png);
  console.info(`${name}.png: ${png.length} bytes`);
};

const chat = await call(ann, '/chats', {
  type: 'group',
  name: 'Book club',
  participantIds: [ben.id, cat.id],
});
const visitor = await visit(browser, instance.url);
await logIn(visitor, ann.email);
const { page } = visitor;
await page.setViewportSize({ width: 1200, height: 720 });
await page.goto(`${instance.url}/#/chats/${chat.id}`);
const other = await visit(browser, instance.url);
await logIn(other, ben.email);
await other.page.goto(`${instance.url}/#/chats/${chat.id}`);
await page.getByText('Ben Baker is here').waitFor();
await call(cat, `/chats/${chat.id}/messages`, { content: 'Has everybody finished the third chapter?' });
await say(other, 'Nearly. The scene in the lighthouse is wonderful.');
await say(visitor, 'Saturday at six, then? @Ben Baker');
await page.getByText('Saturday at six').first().waitFor();
await call(ben, `/chats/${chat.id}/offers`, {
  recipientId: ann.id,
  title: 'The fourth volume, as new',
  amount: '12.50',
  currency: 'EUR',
});
await page.locator('.offer').waitFor();
await other.page.getByRole('textbox', { name: 'Message', exact: true }).pressSequentially('I wi');
await page.getByText('Ben Baker is typing').waitFor();
await page.locator('[data-state=connected]').waitFor({ state: 'hidden' });
await page.getByRole('button', { name: 'Inspect', exact: true }).click();
await page.locator('.envelope', { hasText: 'offer.created' }).waitFor();
await save(visitor, 'chat');

await other.page.setViewportSize({ width: 390, height: 720 });
await other.page.emulateMedia({ colorScheme: 'dark' });
await other.page.locator('[data-state=connected]').waitFor({ state: 'hidden' });
await other.page.locator('.offer').waitFor();
await save(other, 'phone');

await page.getByRole('button', { name: 'Close the inspector' }).click();
const campaign = await call(ann, '/campaigns', {
  name: 'The long winter',
  description: 'A land under snow.',
  worldTime: '1203-04-05T06:00:00.000Z',
});
for (const [kingdomName, ...settlements] of [
  ['Northmark', 'Harrow', 'Fenwick'],
  ['Southmark', 'Amberley'],
]) {
  const kingdom = await call(ann, `/campaigns/${campaign.id}/kingdoms`, { name: kingdomName });
  for (const name of settlements) {
    const settlement = await call(ann, `/kingdoms/${kingdom.id}/settlements`, {
      name,
      level: 3,
      variables: { population: 120, isWalled: true },
      variableSchemas: [
        { name: 'population', type: 'number', min: 0 },
        { name: 'isWalled', type: 'boolean' },
      ],
    });
    await call(ann, `/settlements/${settlement.id}/structures`, { name: 'Bell tower', type: 'tower' });
  }
}
await page.emulateMedia({ colorScheme: 'dark' });
await page.goto(`${instance.url}/#/campaigns/${campaign.id}`);
await page.getByRole('link', { name: /Harrow/ }).click();
await page.getByLabel('population', { exact: true }).waitFor();
await save(visitor, 'campaign');

const root = await api.register('Root', { email: 'root@example.com' });
await call(root, `/admin/users/${cat.id}`, { role: 'worker' }, 'PATCH');
const worker = await api.login(cat);
const job = await call(ann, '/jobs', { type: 'video.encode', payload: { file: 'holiday.mov', width: 1920 } });
const wanted = { types: ['video.encode'], workerId: 'encoder-1', max: 1, waitSeconds: 1 };
const { items } = await call(worker, '/jobs/claim', wanted);
const [{ leaseId }] = items;
const jobs = await openTab(visitor.context, `${instance.url}/#/jobs/${job.id}`);
await jobs.page.setViewportSize({ width: 1000, height: 480 });
await jobs.page.emulateMedia({ colorScheme: 'light' });
const report = { leaseId, current: 768, total: 1200, message: 'Encoding' };
await call(worker, `/jobs/${job.id}/progress`, report);
await jobs.page.getByText('64 % (768 of 1200) Encoding').waitFor();
await jobs.page.locator('[data-state=connected]').waitFor({ state: 'hidden' });
await save(jobs, 'job');

await browser.close();
await instance.stop();
