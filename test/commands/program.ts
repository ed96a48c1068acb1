// The program's commands as a shell runs them, with nothing in the environment but what is given.

import { join } from 'node:path';
import { serverCommand } from '../support/process.ts';
import type { Env } from '../support/server.ts';

export async function runProgram(args: readonly string[], env: Env = {}) {
  const child = Bun.spawn([...serverCommand, 'src/main.ts', ...args], {
    cwd: join(import.meta.dir, '../..'),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [output, complaints] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, output, complaints };
}
