// The guide for whoever writes a module shows code that runs: it is the fixture of these tests, to the letter.

import { expect, test } from 'bun:test';
import { join } from 'node:path';

const guide = await Bun.file(join(import.meta.dir, '../../src/modules/README.md')).text();
const files = ['contract.ts', 'schema.ts', 'state.ts', 'operations.ts', 'index.ts'];

test.each(files)('the guide shows %s of the polls as it is', async (name) => {
  const source = await Bun.file(join(import.meta.dir, 'polls', name)).text();
  // There it is a module of the server, here a fixture.
  expect(guide).toContain(`\n\`\`\`ts\n${source.replaceAll('../../../src/', '../../')}\`\`\`\n`);
});
