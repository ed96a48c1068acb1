// The folder of the embedded database and the generated secret: nobody else on the machine may look into it.

import { chmodSync, mkdirSync, statSync } from 'node:fs';

/**
 * Makes the folder, or takes away what others may do with one that is there; throws what to do where that is not ours to
 * decide. What this process writes from now on, in whatever folder, is its own as well: PGlite makes files all the time.
 */
export function claimDataFolder(folder: string): void {
  process.umask(0o077);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!isOpenToOthers(folder)) return;
  try {
    chmodSync(folder, 0o700);
  } catch (error) {
    throw new Error(
      `Others may read ${folder}, which holds password hashes and secrets, and it belongs to another user. Run ` +
        `"chmod 700 ${folder}" as that user, or set DATA_DIR to a folder in it: that one is made with the right mode.`,
      { cause: error },
    );
  }
}

/** Not on Windows, where these bits say nothing. */
function isOpenToOthers(folder: string): boolean {
  return process.platform !== 'win32' && (statSync(folder).mode & 0o077) !== 0;
}
