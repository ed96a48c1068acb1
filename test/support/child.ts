// A program that tests start: ready when it says so on its output, ended together with the test process at the latest.

import { endLater } from './janitor.ts';

export interface Child {
  readonly pid: number;
  /** What it wrote so far, standard output and error together. */
  readonly output: string;
  /** The exit code; 128 + n after signal n. */
  readonly exited: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end with its own stop signal, and waits until it has. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  command: string[];
  env?: Record<string, string | undefined>;
  cwd?: string;
  stopSignal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT';
  /** Whether this line of its output says that it is ready. */
  isReady(line: string): boolean;
}

const readyTimeoutMs = 30_000;

/** Starts the program and waits until it is ready. Rejects with its output if it ends before, or takes 30 s. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = Bun.spawn(options.command, {
    env: options.env ?? process.env,
    cwd: options.cwd,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const forget = endLater(child.pid, options.stopSignal === 'SIGQUIT' ? 'QUIT' : 'KILL');
  const exited = child.exited.finally(forget);
  let output = '';
  const ready = Promise.withResolvers<void>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const bytes of stream) {
      const text = decoder.decode(bytes, { stream: true });
      output += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (lines.some(options.isReady)) ready.resolve();
    }
  };
  const drained = Promise.all([read(child.stdout), read(child.stderr)]);
  const timer = setTimeout(() => ready.reject(new Error('was not ready in time')), readyTimeoutMs);
  exited.then(async (code) => {
    await drained;
    ready.reject(new Error(`ended with code ${code}`));
  });
  try {
    await ready.promise;
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${options.command.join(' ')}: it ${String(error)}. Its output:\n${output}`);
  } finally {
    clearTimeout(timer);
  }
  return {
    pid: child.pid,
    get output() {
      return output;
    },
    exited,
    kill: (signal) => child.kill(signal),
    async stop() {
      child.kill(options.stopSignal);
      await exited;
    },
  };
}

/** Below what Linux and macOS hand out by themselves, so that no connection and no listener on port 0 takes one. */
const ports = { first: 20_000, count: 10_000 };
/** Counted up from a random one, so that no two callers get the same, and two test processes hardly ever. */
let nextPort = Math.floor(Math.random() * ports.count);

/** A port that nobody listens on, for a program that keeps it across restarts. */
export function findFreePort(): number {
  for (let tries = 0; tries < ports.count; tries += 1) {
    const port = ports.first + (nextPort % ports.count);
    nextPort += 1;
    if (isFree(port)) return port;
  }
  throw new Error(`Every port from ${ports.first} to ${ports.first + ports.count - 1} is taken.`);
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
