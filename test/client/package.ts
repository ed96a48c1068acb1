// The built client as a package among others: what resolves `carillon/client` there does so for whoever installs it.

import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildClient, type ClientBuild } from '../../src/build/client.ts';

const root = join(import.meta.dir, '../..');

export interface InstalledClient {
  /** Of a project that has it, and React, in its `node_modules`; the caller's to remove. */
  readonly folder: string;
  /** Below it: the file behind `carillon/client`. */
  readonly entry: string;
  readonly build: ClientBuild;
}

export async function installClient(): Promise<InstalledClient> {
  const folder = await mkdtemp(join(tmpdir(), 'carillon-client-'));
  const installed = join(folder, 'node_modules/carillon');
  const build = await buildClient(join(installed, 'dist'));
  await Bun.write(join(installed, 'package.json'), Bun.file(join(root, 'package.json')));
  // React with its types, and what those need; nothing of the server's.
  for (const name of ['react', 'react-dom', 'scheduler', '@types/react', '@types/react-dom', 'csstype']) {
    const path = join(folder, 'node_modules', name);
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(root, 'node_modules', name), path);
  }
  return { folder, entry: '/node_modules/carillon/dist/client/index.js', build };
}

/** What the compiler says of the file in the folder, as somebody else's project; nothing where all is well. */
export async function compile(folder: string, file: string, resolution: string): Promise<string> {
  const compilerOptions = {
    strict: true,
    noEmit: true,
    jsx: 'react-jsx',
    target: 'es2022',
    lib: ['es2023', 'dom'],
    types: [],
    module: resolution === 'bundler' ? 'esnext' : resolution,
    moduleResolution: resolution,
  };
  const config = join(folder, `tsconfig.${crypto.randomUUID()}.json`);
  await Bun.write(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  await Bun.write(config, JSON.stringify({ compilerOptions, files: [file] }));
  const compiler = Bun.spawn([join(root, 'node_modules/.bin/tsc'), '-p', config], { stdout: 'pipe' });
  const output = await new Response(compiler.stdout).text();
  return (await compiler.exited) === 0 ? output : output || 'It ended with an error.';
}
