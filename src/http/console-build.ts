// The console as files for a browser, bundled from `src/console` by Bun. Inside of a compiled executable there is no source:
// `embedConsole` puts the finished files in the place of this file's `buildConsole`.

import { join } from 'node:path';
import type { BunPlugin } from 'bun';

export interface ConsoleFile {
  /** As in `index-ct4tqc8k.js`: all but the page have the hash of their content in it. */
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

export const consolePage = 'index.html';
/** Where the page looks for the other files. */
export const consolePrefix = '/console';

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

/** For `Bun.build({ compile, plugins: [await embedConsole()] })`: the executable then has the files, and builds nothing. */
export async function embedConsole(): Promise<BunPlugin> {
  const files = await buildConsole();
  const contents = `export const consolePage = ${JSON.stringify(consolePage)};
export const consolePrefix = ${JSON.stringify(consolePrefix)};
export const buildConsole = async () => (${JSON.stringify(files)});
`;
  return {
    name: 'console',
    setup(build) {
      build.onLoad({ filter: /[/\\]http[/\\]console-build\.ts$/ }, () => ({ contents, loader: 'ts' }));
    },
  };
}
