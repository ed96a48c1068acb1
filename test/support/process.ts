// Instances as processes of their own, for what only a process can show: kill -9, signals, exit codes, memory.

import { join } from 'node:path';
import { type Api, createApi } from './api.ts';
import { type Child, startChild } from './child.ts';
import { type Env, quietEnv } from './server.ts';

const project = join(import.meta.dir, '../..');

/** Without the .env of whoever works here: it may name a real database. */
export const serverCommand = [process.execPath, '--no-env-file'];

export interface ServerProcess extends Api, Child {
  readonly port: number;
}

export interface ProcessOptions {
  /** In the place of `src/main.ts`: a program that starts an instance and says so as that one does. */
  program?: string;
  /** A file that Bun loads before it. */
  preload?: string;
  /** How many files and sockets it may have open. */
  descriptors?: number;
}

/** Runs `bun src/main.ts`, or another program, on the database that `env` names, and waits for its ready line. */
export async function spawnServer(
  env: Env,
  { program = 'src/main.ts', preload, descriptors }: ProcessOptions = {},
): Promise<ServerProcess> {
  const limited = descriptors === undefined ? [] : ['sh', '-c', `ulimit -n ${descriptors} && exec "$0" "$@"`];
  const child = await startChild({
    command: [...limited, ...serverCommand, ...(preload ? ['--preload', preload] : []), program],
    cwd: project,
    // Nothing of the tests' own environment but what a program needs to run at all.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...quietEnv, LOG_LEVEL: 'info', ...env },
    stopSignal: 'SIGTERM',
    isReady: (line) => readReadyLine(line) !== undefined,
  });
  const port =
    child.output
      .split('\n')
      .map(readReadyLine)
      .find((found) => found !== undefined) ?? 0;
  const api = createApi(`http://127.0.0.1:${port}`);
  return {
    ...api,
    port,
    pid: child.pid,
    get output() {
      return child.output;
    },
    exited: child.exited,
    kill: child.kill,
    stop: child.stop,
  };
}

/** The port that the log line names, if it is the one that says ready. */
function readReadyLine(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined;
  const { msg, port } = JSON.parse(line);
  return msg === 'ready' ? port : undefined;
}
