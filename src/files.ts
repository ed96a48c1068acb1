// The files that are read while running and are no code. They lie in this tree, or inside of the executable, where
// `build/executable.ts` puts them.

import { join } from 'node:path';

/** Bun's own file system, in an executable. */
export const isExecutable = /^(?:\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/.test(import.meta.dir);

/** By its path in this repository. */
export const findFile = (path: string): string =>
  isExecutable ? join(import.meta.dir, path) : join(import.meta.dir, '..', path);

/** By the name of its package and its path in there. */
export const findPackageFile = (path: string): string =>
  isExecutable ? join(import.meta.dir, path) : Bun.resolveSync(path, import.meta.dir);
