// `bun run docs:breaking [before] [after]`: names what changed for clients, and ends with 1 where something breaks them.
// Each is a git revision, whose copies of the documents are meant, or the file of a document. Left out, `before` is the copies
// as they lie here, and `after` what the source says now.

import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Change, compareDocuments, sayChange } from './changes.ts';
import { copyOf, names, readServed } from './served.ts';
import type { Document } from './surface.ts';

try {
  const [before, after, ...more] = process.argv.slice(2);
  if (more.length > 0) throw new Error('Expected at most two: what was before, and what is after.');
  const changes = await compare(before, after);
  for (const change of changes) process.stdout.write(`${sayChange(change)}\n`);
  const breaking = changes.filter(({ level }) => level === 'breaking').length;
  process.stdout.write(`${breaking === 0 ? 'Nothing breaks' : `${breaking} changes break`} clients.\n`);
  process.exitCode = breaking === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}

async function compare(before: string | undefined, after: string | undefined): Promise<Change[]> {
  if (before !== undefined && existsSync(before)) {
    if (after === undefined) throw new Error(`Name a second document, to compare ${before} with.`);
    return compareDocuments(await readFile(before), await readFile(after));
  }
  const served = after === undefined ? await readServed() : undefined;
  const changes: Change[] = [];
  for (const name of names) {
    const old = await readCopy(before, name);
    const now = served?.[name] ?? (await readCopy(after, name));
    changes.push(...compareDocuments(old, now));
  }
  return changes;
}

/** At the revision; without one, as it lies here. */
async function readCopy(revision: string | undefined, name: (typeof names)[number]): Promise<Document> {
  const path = copyOf(name);
  if (revision === undefined) return await readFile(path);
  // From this folder, so that the path is the same wherever the repository lies.
  const git = Bun.spawnSync(['git', 'show', `${revision}:./${basename(path)}`], { cwd: join(path, '..') });
  if (!git.success)
    throw new Error(`${revision} is no file, and no revision: ${git.stderr.toString().trim()}`);
  return JSON.parse(git.stdout.toString());
}

async function readFile(path: string): Promise<Document> {
  const document: unknown = await Bun.file(path).json();
  if (typeof document === 'object' && document !== null && ('openapi' in document || 'asyncapi' in document))
    return document as Document; // it says so itself
  throw new Error(`${path} is neither an OpenAPI nor an AsyncAPI document.`);
}
