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
export async function startRedis(options: { port?: number; password?: string } = {}): Promise<Redis> {
  const login = options.password === undefined ? [] : ['--requirepass', options.password];
  const port = options.port ?? findFreePort();
  const home = makeFolder('redis');
  const child = await startChild({
    command: [
      'redis-server',
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      ...login,
    ],
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

/** Runs redis-cli against the server on that port, and answers what it prints. */
export async function runRedisCli(port: number, ...args: string[]): Promise<string> {
  const cli = Bun.spawn(['redis-cli', '-p', `${port}`, ...args], { stderr: 'pipe' });
  const [output, error, code] = await Promise.all([
    new Response(cli.stdout).text(),
    new Response(cli.stderr).text(),
    cli.exited,
  ]);
  if (code !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${output}${error}`);
  return output.trim();
}
