// What the suites of the console do all the time: people with browsers of their own, who are watched for what they ask for
// and what they complain of.

import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';

export interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Every address that the page asked for. */
  readonly requested: readonly string[];
  /** What the browser's console said, and dialogs that were opened. */
  readonly complaints: readonly string[];
}

/** Ignored by git. */
const pictures = join(import.meta.dir, 'pictures');

export const password = 'correct horse battery';

/** A browser context of its own: another person, as it were. */
export async function visit(browser: Browser, url: string): Promise<Visitor> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
  });
  return await openTab(context, url);
}

export async function openTab(context: BrowserContext, url: string): Promise<Visitor> {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const requested: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', async (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  await page.goto(url);
  return { page, context, requested, complaints };
}

/** Answers the address of the new account. */
export async function signUp({ page }: Visitor, name: string): Promise<string> {
  const email = `${crypto.randomUUID()}@example.com`;
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create my account' }).click();
  await page.getByRole('navigation', { name: 'Sections' }).waitFor();
  return email;
}

export async function logIn({ page }: Visitor, email: string): Promise<void> {
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log me in' }).click();
  await page.getByRole('navigation', { name: 'Sections' }).waitFor();
}

export async function say({ page }: Visitor, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

/** The message with this text. */
export const messageOf = ({ page }: Visitor, text: string) =>
  page.locator('.message').filter({ has: page.locator('.content', { hasText: text }) });

/** The texts of all messages that are there, those of the system left out; what is on its way counts. */
export const textsOf = ({ page }: Visitor): Promise<string[]> => page.locator('.content').allInnerTexts();

export async function takePicture({ page }: Visitor, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}
