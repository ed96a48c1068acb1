// The console as files for a browser, bundled from `src/console` by Bun. In an executable there is no source: the finished files
// are in it, where `build/executable.ts` puts them.

import { join } from 'node:path';
import { findFile, isExecutable } from '../files.ts';

export interface ConsoleFile {
  /** As in `index-ct4tqc8k.js`: all but the page have the hash of their content in it. */
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

export const consolePage = 'index.html';
/** Where the page looks for the other files. */
export const consolePrefix = '/console';

/** Where the files are in an executable, as JSON. */
export const builtConsole = 'console.json';

export async function loadConsole(): Promise<ConsoleFile[]> {
  return isExecutable ? await Bun.file(findFile(builtConsole)).json() : await buildConsole();
}

/** Takes some 50 ms. Fails with what Bun says of the source. */
export async function buildConsole(): Promise<ConsoleFile[]> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, '../console', consolePage)],
    target: 'browser',
    minify: true,
    publicPath: `${consolePrefix}/`,
    naming: { entry: '[name].[ext]', chunk: '[name]-[hash].[ext]', asset: '[name]-[hash].[ext]' },
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return await Promise.all(
    outputs.map(async (output) => ({
      name: output.path.replace(/^\.\//, ''),
      type: output.type,
      text: await output.text(),
    })),
  );
}
