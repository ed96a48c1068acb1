// Cleans up after a test process, however it ends. A small shell outlives it: when its standard input closes, also
// because of kill -9, it ends the processes and removes the folders that it was last told of.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Shell = Bun.Subprocess<'pipe', 'ignore', 'ignore'>;

const script = `
trap "" HUP INT TERM
while IFS= read -r line; do last=$line; done
IFS="\t"; set -f
for entry in $last; do
  case $entry in "rm "*) ;; *) kill -s "\${entry%% *}" "\${entry#* }" && pids="$pids\${entry#* }\t" ;; esac
done
for pid in $pids; do
  tries=0
  while kill -0 "$pid" && [ $((tries += 1)) -lt 50 ]; do sleep 0.1; done
done
for entry in $last; do
  case $entry in "rm "*) rm -rf "\${entry#rm }" ;; esac
done`;

// One for this process, and started with its first duty: tests of pure functions need none.
let shell: Shell | undefined;
const duties = new Set<string>();

/** Ends the process with `signal` when this one ends; call the answer once it has ended by itself. */
export function endLater(pid: number, signal: 'KILL' | 'QUIT'): () => void {
  return addDuty(`${signal} ${pid}`);
}

/** A new folder under the system's temporary one. It is removed at the end, or earlier by `removeFolder`. */
export function makeFolder(purpose: string): string {
  const folder = mkdtempSync(join(tmpdir(), `carillon-${purpose}-`));
  addDuty(`rm ${folder}`);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  dropDuty(`rm ${folder}`);
}

function addDuty(duty: string): () => void {
  duties.add(duty);
  tellShell();
  return () => dropDuty(duty);
}

function dropDuty(duty: string): void {
  if (duties.delete(duty)) tellShell();
}

function tellShell(): void {
  shell ??= startShell();
  shell.stdin.write(`${[...duties].join('\t')}\n`);
  shell.stdin.flush();
}

function startShell(): Shell {
  const started = Bun.spawn(['sh', '-c', script], { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' });
  started.unref();
  // A test that times out takes every child process with it, this one too.
  started.exited.then(() => {
    shell = undefined;
    tellShell();
  });
  return started;
}
