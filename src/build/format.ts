// TypeScript as the repository has it: by Biome, with its rules.

import { join } from 'node:path';

export async function format(source: string): Promise<string> {
  const root = join(import.meta.dir, '../..');
  const formatter = Bun.spawn(
    ['bun', 'x', 'biome', 'format', '--stdin-file-path=src/client/declarations.ts'],
    {
      cwd: root,
      stdin: new Blob([source]),
      stderr: 'inherit',
    },
  );
  const formatted = await new Response(formatter.stdout).text();
  if ((await formatter.exited) !== 0) throw new Error('Biome could not format what was written.');
  return formatted;
}
