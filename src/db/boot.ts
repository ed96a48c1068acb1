// Whether the embedded database may have lost its last writes. It does not wait for the disk: a killed process loses
// nothing, for the system keeps what was written, but a machine that goes down may take it along, and leaves no trace. So a
// file beside the database says under which boot it is open, and how far it had come when it was closed in order.

import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface BootMark {
  /** Opened or closed under this boot of the machine. */
  readonly bootId: string;
  /** The position in the write-ahead log at which it was closed; absent while it is open. */
  readonly closedAt?: string;
}

const fileName = 'boot.json';

/** Undefined where there is none: the database is new, or older than this file. */
export function readBootMark(dataDir: string): BootMark | undefined {
  try {
    const mark: unknown = JSON.parse(readFileSync(join(dataDir, fileName), 'utf8'));
    return isBootMark(mark) ? mark : unreadable;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? undefined : unreadable;
  }
}

/** Returns when it is on the disk, unlike the database. */
export function writeBootMark(dataDir: string, mark: BootMark): void {
  const file = openSync(join(dataDir, fileName), 'w', 0o600);
  try {
    writeSync(file, JSON.stringify(mark));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  const folder = openSync(dataDir, 'r'); // the name of a new file is the folder's
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Of the running system: another one behind every start of the machine. Where there is none, every start counts as one. */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    if (process.platform !== 'darwin') return crypto.randomUUID();
    const { success, stdout } = Bun.spawnSync(['sysctl', '-n', 'kern.bootsessionuuid']);
    return success ? stdout.toString().trim() : crypto.randomUUID();
  }
}

/** Cut off while it was written: the machine went down then. */
const unreadable: BootMark = { bootId: '' };

function isBootMark(mark: unknown): mark is BootMark {
  if (typeof mark !== 'object' || mark === null || !('bootId' in mark)) return false;
  if ('closedAt' in mark && !/^[0-9A-F]+\/[0-9A-F]+$/.test(String(mark.closedAt))) return false;
  return typeof mark.bootId === 'string';
}
