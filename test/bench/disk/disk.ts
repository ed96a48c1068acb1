// What PostgreSQL writes to: this machine's own disk, or the same with a millisecond more for each sync. On a disk that
// syncs in a tenth of that, a COMMIT for each message costs next to nothing, and so does one that is saved.

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, removeFolder } from '../../support/janitor.ts';

export type DiskName = 'own' | 'slow';

/** Why there can be no slow disk on this machine, or undefined when there can. */
export const slowDiskMissing: string | undefined =
  Bun.which('cc') === null ? 'no cc is on the PATH (a C compiler: syncs are slowed down in C)' : undefined;

/** The library to preload into whoever writes to the disk; undefined: none. */
export function findPreload(disk: DiskName): string | undefined {
  if (disk === 'own') return undefined;
  const folder = makeFolder('disk');
  chmodSync(folder, 0o755); // PostgreSQL may run as another user
  const library = join(folder, 'slow-sync.so');
  run(['cc', '-O2', '-shared', '-fPIC', '-o', library, join(import.meta.dir, 'slow-sync.c')]);
  return library;
}

/** The median of a hundred syncs. */
export function measureSyncMs(preload: string | undefined): number {
  const folder = makeFolder('sync');
  const env: Record<string, string> = preload === undefined ? {} : { LD_PRELOAD: preload };
  const printed = run(['node', join(import.meta.dir, 'sync-time.mjs')], { cwd: folder, env });
  removeFolder(folder);
  return Number(printed);
}

function run(
  command: string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): string {
  const { success, stdout, stderr } = Bun.spawnSync(command, {
    cwd,
    env: { ...process.env, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  if (!success) throw new Error(`${command[0]} failed: ${stderr}`);
  return stdout.toString();
}
