// Suites that need a program which not every machine has. Never a silent skip: the name says which and why, and with
// CI=true it is a failure.

import { describe, test } from 'bun:test';

/** Describes the suite; where something is `missing` (a sentence), a skipped test that says so. */
export function describeWith(name: string, missing: string | undefined, define: () => void): void {
  if (missing === undefined) {
    describe(name, define);
    return;
  }
  const title = `${name} (${missing})`;
  if (process.env.CI === 'true') {
    test(title, () => {
      throw new Error(`CI runs every suite, but ${missing}.`);
    });
    return;
  }
  console.warn(`skipped: ${title}`);
  test.skip(title, () => {});
}
