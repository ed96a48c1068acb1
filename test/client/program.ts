// The client's programs as processes of their own, with a pipe for what is typed.

import { join } from 'node:path';
import { endLater } from '../support/janitor.ts';

const project = join(import.meta.dir, '../..');
const waitMs = 10_000;

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

export function runProgram(file: string, args: readonly string[]): Program {
  const child = Bun.spawn([process.execPath, `src/client/${file}`, ...args], {
    cwd: project,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const forget = endLater(child.pid, 'KILL');
  let output = '';
  const listeners = new Set<() => void>();
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      output += decoder.decode(bytes, { stream: true });
      for (const listener of listeners) listener();
    }
  };
  const drained = Promise.all([read(child.stdout), read(child.stderr)]);
  return {
    get output() {
      return output;
    },
    exited: drained.then(() => child.exited).finally(forget),
    type(line) {
      child.stdin.write(`${line}\n`);
      child.stdin.flush();
    },
    endInput: () => void child.stdin.end(),
    async shows(text, times = 1) {
      const found = Promise.withResolvers<string>();
      const look = (): void => {
        const line = output.split('\n').filter((candidate) => candidate.includes(text))[times - 1];
        if (line !== undefined) found.resolve(line);
      };
      listeners.add(look);
      look();
      const timer = setTimeout(
        () => found.reject(new Error(`"${text}" did not show in time. The output:\n${output}`)),
        waitMs,
      );
      return await found.promise.finally(() => {
        clearTimeout(timer);
        listeners.delete(look);
      });
    },
  };
}
