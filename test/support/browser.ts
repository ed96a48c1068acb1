// A real browser, for pages. It speaks over a pipe and ends when the pipe breaks, so it cannot outlive the tests.

import { type Browser, chromium } from 'playwright-core';

const program = ['chromium', 'chromium-browser', 'google-chrome']
  .map((name) => Bun.which(name))
  .find(Boolean);

/** Why there can be no browser on this machine, or undefined when there can. */
export const browserMissing: string | undefined = program
  ? undefined
  : 'no chromium is on the PATH, and no google-chrome';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: program ?? '',
    args: [
      '--no-sandbox', // as root, and in containers, there is none to have
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
