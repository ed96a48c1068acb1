// Reads the body of a request: JSON and nothing else, up to a limit, whether or not its length was announced.

import { AppError } from '../protocol/errors.ts';

/** Larger bodies are refused with `too_large`. */
export const maxBodyBytes = 1_048_576;

/** Far deeper than anything that a route takes. */
const maxDepth = 100;

const hint = 'Send JSON with "Content-Type: application/json".';

/** An Elysia parser; null where there is no body. It insists on the type: a form on another site cannot send that one. */
export async function readJson({ request }: { request: Request }): Promise<unknown> {
  if (request.body === null) return null; // undefined would hand over to Elysia's own parsers
  const contentType = request.headers.get('content-type') ?? '';
  if (!/^application\/json *(?:;|$)/i.test(contentType)) {
    throw new AppError('invalid', `The body must be JSON, but its content type is "${contentType}". ${hint}`);
  }
  const text = await readText(request, request.body);
  const body = parse(text);
  checkShape(body);
  return body;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid', `The body is not valid JSON. ${hint}`, { cause });
  }
}

/**
 * Refuses what is JSON, but breaks Elysia: where a value does not fit its schema, Elysia makes a text of it, which fails
 * for an object with a `toString` of its own, and takes seconds and then the stack for brackets some 10,000 deep.
 */
function checkShape(body: unknown): void {
  let level = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) throw new AppError('invalid', `The body is nested deeper than ${maxDepth} levels.`);
    level = level.flatMap((value) => {
      if (value === null || typeof value !== 'object') return [];
      if (Object.hasOwn(value, 'toString'))
        throw new AppError('invalid', 'No field may be called "toString".');
      return Object.values(value);
    });
  }
}

async function readText(request: Request, body: ReadableStream<Uint8Array>): Promise<string> {
  const announcedBytes = request.headers.get('content-length');
  if (announcedBytes !== null) {
    if (Number(announcedBytes) > maxBodyBytes) throw tooLarge();
    return await request.text();
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw tooLarge();
    chunks.push(new Uint8Array(chunk));
  }
  return await new Blob(chunks).text();
}

function tooLarge(): AppError {
  return new AppError('too_large', `The body is larger than ${maxBodyBytes} bytes.`);
}
