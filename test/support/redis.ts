// A Redis server of the tests' own: any free port, nothing kept on disk.

import { type Child, findFreePort, startChild } from './child.ts';
import { makeFolder, removeFolder } from './janitor.ts';

export interface Redis extends Pick<Child, 'pid' | 'output' | 'exited' | 'kill'> {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
  /** No goodbye: its clients see the connection break. */
  kill9(): Promise<void>;
}

/** Why there can be no server on this machine, or undefined when there can. */
export const redisMissing: string | undefined =
  Bun.which('redis-server') === null ? 'no redis-server is on the PATH' : undefined;

/** With the port of one that was stopped or killed: the same server come back, empty. */
export async function startRedis(options: { port?: number } = {}): Promise<Redis> {
  const port = options.port ?? findFreePort();
  const home = makeFolder('redis');
  const child = await startChild({
    command: ['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    cwd: home,
    stopSignal: 'SIGTERM',
    isReady: (line) => line.includes('Ready to accept connections'),
  });
  child.exited.then(() => removeFolder(home));
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    get output() {
      return child.output;
    },
    exited: child.exited,
    kill: child.kill,
    stop: child.stop,
    async kill9() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}
