// What was measured, on what.

import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { benchFolder } from './servers.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Before anything of ours ran: how busy the machine was with other things. */
  readonly loadBefore: number;
}

export type Versions = Readonly<Record<string, string>>;

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

export function describeVersions(): Versions {
  return {
    Carillon: firstLine('git', 'describe', '--always', '--dirty'),
    Bun: Bun.version,
    Node: versionOf('node'),
    PostgreSQL: versionOf('psql'),
    Redis: versionOf('redis-server'),
    ...JSON.parse(readFileSync(join(benchFolder, 'package.json'), 'utf8')).dependencies,
  };
}

/** The number in what the program says of itself. */
function versionOf(program: string): string {
  return /\d+\.\d[\w.]*/.exec(firstLine(program, '--version'))?.[0] ?? 'unknown';
}

function firstLine(...command: string[]): string {
  try {
    const { stdout } = Bun.spawnSync(command, { cwd: benchFolder, stdout: 'pipe', stderr: 'ignore' });
    return stdout.toString().split('\n')[0]?.trim() || 'unknown';
  } catch {
    return 'unknown'; // the program is not on the PATH
  }
}
