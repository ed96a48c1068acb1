// `bun run build:client`: the client as ES modules with their types, in `dist/`, for browsers, Bun and Node. What it needs at
// run time is in it; of the types, none needs the server or a package but React's.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface ClientBuild {
  /** Of what a page loads for `carillon/client`, and for `carillon/client/react` beyond it, as gzip. */
  readonly coreBytes: number;
  readonly reactBytes: number;
}

const source = join(import.meta.dir, '..');

/** Replaces what is in the folder. */
export async function buildClient(folder: string): Promise<ClientBuild> {
  await rm(folder, { recursive: true, force: true });
  const built = await Bun.build({
    entrypoints: ['client/index.ts', 'client/react/index.ts'].map((path) => join(source, path)),
    root: source,
    outdir: folder,
    // What both have is in a file of its own: an error of one is then an error of the other's class.
    splitting: true,
    naming: { entry: '[dir]/[name].js', chunk: 'client/[name]-[hash].js' },
    target: 'browser',
    format: 'esm',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' }, // JSX without what helps to debug it
    external: ['react', 'react/jsx-runtime'],
  });
  await writeTypes(folder);
  const sizes = await Promise.all(
    built.outputs.map(async ({ path, kind }) => {
      const isReact = kind === 'entry-point' && path.includes('react');
      return { isReact, bytes: Bun.gzipSync(await Bun.file(path).bytes(), { level: 9 }).length };
    }),
  );
  const sum = (isReact: boolean) =>
    sizes.reduce((total, size) => total + (size.isReact === isReact ? size.bytes : 0), 0);
  return { coreBytes: sum(false), reactBytes: sum(true) };
}

/** Of what the compiler writes, that which the two entries lead to. */
async function writeTypes(folder: string): Promise<void> {
  const all = await mkdtemp(join(tmpdir(), 'carillon-types-'));
  try {
    const compiler = Bun.spawn(['bun', 'x', 'tsc', '-p', import.meta.dir, '--outDir', all], {
      cwd: join(source, '..'),
      stdout: 'pipe',
    });
    const output = await new Response(compiler.stdout).text();
    if ((await compiler.exited) !== 0) throw new Error(`The types of the client do not compile.\n${output}`);
    const copied = new Set<string>();
    for (const entry of ['client/index.d.ts', 'client/react/index.d.ts']) {
      await copyTypes(all, entry, folder, copied);
    }
  } finally {
    await rm(all, { recursive: true });
  }
}

async function copyTypes(from: string, path: string, to: string, copied: Set<string>): Promise<void> {
  if (copied.has(path)) return;
  copied.add(path);
  if (!/^client\/|^protocol\/frames\.d\.ts$/.test(path)) {
    throw new Error(`The client's types lead to ${path}, which needs schemas or the server.`);
  }
  const text = await Bun.file(join(from, path)).text();
  const imported = [...text.matchAll(/\bfrom '(\.[^']+)\.tsx?'/g)].map(([, name = '']) => name);
  for (const name of imported) await copyTypes(from, `${join(dirname(path), name)}.d.ts`, to, copied);
  await Bun.write(join(to, path), text.replace(/(\bfrom '\.[^']+)\.tsx?'/g, "$1.js'"));
}

if (import.meta.main) {
  const folder = join(source, '../dist');
  const { coreBytes, reactBytes } = await buildClient(folder);
  await cp(join(source, '../LICENSE'), join(folder, 'LICENSE'));
  console.log(`dist/client: ${coreBytes} bytes gzipped; dist/client/react: ${reactBytes} more`);
}
