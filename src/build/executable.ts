// `bun run build`: one executable, `dist/carillon`, that needs nothing beside it: the server, its page, its documents, its
// migrations and the embedded database. `bun run build bun-linux-arm64` makes one for another machine.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findFile, findPackageFile } from '../files.ts';
import { buildConsole, builtConsole } from '../http/console-build.ts';

const project = join(import.meta.dir, '../..');
const outfile = join(project, 'dist/carillon');

/** What code asks for at run time: by its path in there, as `src/files.ts` finds it. */
const files: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['drizzle', 'src/http/asyncapi/page.css'].map((path) => [path, findFile(path)])),
  ...packageFiles('swagger-ui-dist', ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']),
  // Looked for beside its code, which is at the top.
  ...Object.fromEntries(
    ['pglite.data', 'pglite.wasm', 'initdb.wasm'].map((name) => [
      name,
      join(dirname(findPackageFile('@electric-sql/pglite')), name),
    ]),
  ),
};

mkdirSync(join(project, 'dist'), { recursive: true });
// Files are found in an executable by their paths below the folder that it was built in.
const folder = mkdtempSync(join(project, 'dist/files-'));
try {
  for (const [path, source] of Object.entries(files)) cpSync(source, join(folder, path), { recursive: true });
  await Bun.write(join(folder, builtConsole), JSON.stringify(await buildConsole()));
  const [target] = process.argv.slice(2);
  const child = Bun.spawnSync(
    [
      process.execPath,
      'build',
      '--compile',
      '--minify',
      ...(target === undefined ? [] : [`--target=${target}`]),
      ...readdirSync(folder).flatMap((name) => ['--asset', name]),
      `--outfile=${outfile}`,
      join(project, 'src/main.ts'),
    ],
    { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  process.exitCode = child.exitCode;
} finally {
  rmSync(folder, { recursive: true });
}

function packageFiles(name: string, paths: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    paths.map((path) => [`${name}/${path}`, findPackageFile(`${name}/${path}`)] as const),
  );
}
