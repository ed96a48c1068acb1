// The client's programs as processes of their own, with a pipe for what is typed.

import { join } from 'node:path';
import { endLater } from '../support/janitor.ts';

const project = join(import.meta.dir, '../..');
const waitMs = 10_000;

const ownEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('CARILLON_')),
);

export interface Program {
  /** Standard output and error together, so far. */
  readonly output: string;
  /** The exit code. */
  readonly exited: Promise<number>;
  type(line: string): void;
  /** The end of what is typed. */
  endInput(): void;
  /** Waits until the output says this for the given time, and answers the line in which it does. */
  shows(text: string, times?: number): Promise<string>;
}

/** `env`: beside this process's own, but for what the programs read of it. */
export function runProgram(file: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const child = Bun.spawn([process.execPath, `src/client/${file}`, ...args], {
    cwd: project,
    env: { ...ownEnv, ...env },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const forget = endLater(child.pid, 'KILL');
  const seen = createOutput();
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      seen.add(decoder.decode(bytes, { stream: true }));
    }
  };
  const drained = Promise.all([read(child.stdout), read(child.stderr)]);
  return {
    get output() {
      return seen.text;
    },
    exited: drained.then(() => child.exited).finally(forget),
    type(line) {
      child.stdin.write(`${line}\n`);
      child.stdin.flush();
    },
    endInput: () => void child.stdin.end(),
    shows: seen.shows,
  };
}

export interface OnTerminal extends Pick<Program, 'output' | 'exited' | 'shows'> {
  /** Keys, as a keyboard sends them. */
  write(keys: string): void;
}

/** The terminal client on a terminal of its own, which echoes what is typed unless told not to. */
export function runOnTerminal(args: readonly string[]): OnTerminal {
  const decoder = new TextDecoder();
  const seen = createOutput();
  const child = Bun.spawn([process.execPath, 'src/client/terminal.ts', ...args], {
    cwd: project,
    env: ownEnv,
    terminal: { data: (_, bytes) => seen.add(decoder.decode(bytes, { stream: true })) },
  });
  const forget = endLater(child.pid, 'KILL');
  return {
    get output() {
      return seen.text;
    },
    exited: child.exited.finally(() => {
      forget();
      child.terminal?.close();
    }),
    write: (keys) => void child.terminal?.write(keys),
    shows: seen.shows,
  };
}

/** What a program said so far, and a way to wait for more. */
function createOutput() {
  let text = '';
  const listeners = new Set<() => void>();
  return {
    get text() {
      return text;
    },
    add(more: string): void {
      text += more;
      for (const listener of listeners) listener();
    },
    async shows(wanted: string, times = 1): Promise<string> {
      const found = Promise.withResolvers<string>();
      const look = (): void => {
        const line = text.split('\n').filter((candidate) => candidate.includes(wanted))[times - 1];
        if (line !== undefined) found.resolve(line);
      };
      listeners.add(look);
      look();
      const timer = setTimeout(
        () => found.reject(new Error(`"${wanted}" did not show in time. The output:\n${text}`)),
        waitMs,
      );
      return await found.promise.finally(() => {
        clearTimeout(timer);
        listeners.delete(look);
      });
    },
  };
}
