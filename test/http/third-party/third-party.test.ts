// A client that knows nothing of us but the OpenAPI document: its types are generated, it compiles in strict mode, and what it
// does works against a server.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { cp, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '../../support/janitor.ts';
import { describeWith } from '../../support/needs.ts';
import { type Open, onEachDatabase, type TestServer } from '../../support/server.ts';

const root = join(import.meta.dir, '../../..');

const compilerOptions = {
  target: 'ESNext',
  module: 'Preserve',
  moduleResolution: 'bundler',
  lib: ['ESNext', 'DOM', 'DOM.Iterable'],
  types: ['bun-types'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true, // of bun-types
  noEmit: true,
};

const readText = (stream: ReadableStream<Uint8Array>) => new Response(stream).text();

/** What it printed; throws with all of it where it did not end well. */
async function run(folder: string, command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd: folder, stdout: 'pipe', stderr: 'pipe' });
  const [output, errors] = await Promise.all([readText(child.stdout), readText(child.stderr)]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')}:\n${output}${errors}`);
  return output;
}

/** TypeScript 7, which this repository has, is no library any more: the generator needs an older one. */
const generatorMissing = canResolve('@typescript/typescript6')
  ? undefined
  : '@typescript/typescript6 is not installed';

function canResolve(name: string): boolean {
  try {
    return Bun.resolveSync(name, import.meta.dir) !== '';
  } catch {
    return false;
  }
}

onEachDatabase('a third party', (open, { kind }) => {
  if (kind === 'postgres') return; // the documents and the answers are the same
  describeWith('with a generated client', generatorMissing, () => suite(open));
});

function suite(open: Open): void {
  let server: TestServer;
  let folder: string;

  beforeAll(async () => {
    server = await open();
    folder = await mkdtemp(join(tmpdir(), 'carillon-client-'));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    await cp(join(import.meta.dir, 'program.ts.txt'), join(folder, 'program.ts'));
    await Bun.write(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    await Bun.write(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const generator = join(root, 'node_modules/openapi-typescript/bin/cli.js');
    const preload = join(import.meta.dir, 'old-typescript.mjs');
    const document = `${server.url}/swagger/json`;
    await run(folder, [process.execPath, '--preload', preload, generator, document, '-o', 'api.d.ts']);
  });
  afterAll(() => removeFolder(folder));

  test('compiles in strict mode, and what the server would refuse does not', async () => {
    await run(folder, [join(root, 'node_modules/.bin/tsc'), '--project', folder]);
  });

  test('registers, logs in, creates, sends, pages, and knows each refusal by its code', async () => {
    const output = await run(folder, [process.execPath, 'program.ts', server.url]);
    expect(JSON.parse(output)).toEqual({
      user: 'Ann',
      wrongPassword: [401, 'unauthorized', false],
      withoutToken: 'unauthorized',
      members: 2,
      contents: ['The chat was created.', 'one', 'two', 'three', 'four', 'five', 'six'],
      isSame: true,
      position: 7,
      empty: [400, ['/body/content']],
      missing: [404, 'not_found'],
      preview: 'six',
    });
  });
}
