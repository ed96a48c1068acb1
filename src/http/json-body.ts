// Reads the body of a request: JSON and nothing else, up to a limit, whether or not its length was announced.

import { AppError } from '../protocol/errors.ts';

/** Larger bodies are refused with `too_large`. */
export const maxBodyBytes = 1_048_576;

const hint = 'Send JSON with "Content-Type: application/json".';

/** An Elysia parser; null where there is no body. It insists on the type: a form on another site cannot send that one. */
export async function readJson({ request }: { request: Request }): Promise<unknown> {
  if (request.body === null) return null; // undefined would hand over to Elysia's own parsers
  const contentType = request.headers.get('content-type') ?? '';
  if (!/^application\/json *(?:;|$)/i.test(contentType)) {
    throw new AppError('invalid', `The body must be JSON, but its content type is "${contentType}". ${hint}`);
  }
  const text = await readText(request, request.body);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid', `The body is not valid JSON. ${hint}`, { cause });
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
