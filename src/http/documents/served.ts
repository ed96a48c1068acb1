// Both documents as a server answers them that has all modules and an empty database of its own: what this source says.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AsyncApiDocument } from '../asyncapi/parts.ts';
import type { OpenApiDocument } from '../openapi.ts';

export interface Documents {
  readonly openapi: OpenApiDocument;
  readonly asyncapi: AsyncApiDocument;
}

/** The names of the two, and of their copies in this folder. */
export const names = ['openapi', 'asyncapi'] as const;

export const copyOf = (name: keyof Documents): string => join(import.meta.dir, `${name}.json`);

const paths = { openapi: '/swagger/json', asyncapi: '/asyncapi.json' };
const program = join(import.meta.dir, '../../main.ts');

/** Takes the seconds in which an embedded database is created. Throws with what the server said where it did not start. */
export async function readServed(): Promise<Documents> {
  const folder = await mkdtemp(join(tmpdir(), 'carillon-documents-'));
  const server = Bun.spawn([process.execPath, '--no-env-file', program], {
    // Nothing of the environment: it may name a database, or leave modules out.
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      HOST: '127.0.0.1',
      DATA_DIR: folder,
      LOG_FORMAT: 'json',
      DRAIN_SECONDS: '0',
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  try {
    const url = await findUrl(server.stdout);
    const read = async (name: keyof Documents) => (await fetch(url + paths[name])).json();
    return { openapi: await read('openapi'), asyncapi: await read('asyncapi') };
  } finally {
    server.kill('SIGTERM');
    await server.exited;
    await rm(folder, { recursive: true, force: true });
  }
}

/** In the line that says that it is ready. */
async function findUrl(output: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of output) {
    text += decoder.decode(bytes, { stream: true });
    const ready = /"url":"([^"]+)".*"msg":"ready"/.exec(text);
    if (ready?.[1] !== undefined) return ready[1];
  }
  throw new Error(`The server did not start:\n${text}`);
}
