// What a route takes, its body and its query: checked as strictly as the payload of a frame, and refused in the same
// words. [X] The schemas check by themselves: Elysia's own check does not say which number in a query it refuses, and
// writes out whatever does not fit, which fails for an object with a `toString` of its own and takes long for deep ones.

import { type Static, type TObject, type TSchema, Type } from '@sinclair/typebox';
import { compileCheck } from '../protocol/check.ts';
import { AppError } from '../protocol/errors.ts';
import { misfit } from '../protocol/field-errors.ts';
import { isTooDeep, maxLevels } from '../protocol/json.ts';

/** Larger bodies are refused with `too_large`. */
export const maxBodyBytes = 1_048_576;

/** For routes that everyone may ask, or that take little: ten times what fits their schemas. */
export const maxSmallBodyBytes = 16_384;

const hint = 'Send JSON with "Content-Type: application/json".';

interface Context {
  readonly request: Request;
}

/** An Elysia parser. It hands the body over unread: `bodyOf` reads it, behind the guard. */
export const leaveBody = ({ request }: Context): Request => request;

/** An Elysia derive. It hands the query over as it came, for `queryOf`. */
export const leaveQuery = ({ request }: Context) => ({ query: request.url });

/** A route's `body`: JSON and nothing else, announced length or not. As in a frame, none counts as `{}`. */
export function bodyOf<Schema extends TSchema>(schema: Schema, maxBytes = maxBodyBytes): Schema {
  const check = checkOf(schema, '/body');
  return readBy(schema, async (request: Request) => ({ value: check(await readJson(request, maxBytes)) }));
}

export const smallBodyOf = <Schema extends TSchema>(schema: Schema): Schema =>
  bodyOf(schema, maxSmallBodyBytes);

/** The `body` of a route that takes none. */
export const noBody = smallBodyOf(Type.Object({}, { additionalProperties: false }));

/** A route's `query`: text, but for what the schema says is an integer. */
export function queryOf<Schema extends TObject>(schema: Schema): Schema {
  const check = checkOf(schema, '/query');
  const isNumber = (name: string, text: string) =>
    schema.properties[name]?.type === 'integer' && text.trim() !== '';
  return readBy(schema, (url: string) => {
    const fields = new Map<string, string | number>();
    for (const [name, text] of new URL(url).searchParams) {
      if (fields.has(name)) throw misfit([{ path: `/query/${name}`, message: 'Expected it once' }]);
      fields.set(name, isNumber(name, text) ? Number(text) : text);
    }
    return { value: check(Object.fromEntries(fields)) };
  });
}

/** Passes a route's answer on. One that does not fit is our own fault, and says where but not what: it may hold tokens. */
export function checkAnswer<Answer>(schema: TSchema): (answer: Answer) => Answer {
  const check = compileCheck(schema);
  return (answer) => {
    if (check.fits(answer)) return answer;
    const problems = JSON.stringify(check.listErrors(answer, '/response'));
    throw new Error(`The answer does not fit its schema: ${problems}`);
  };
}

/** The same as a route's `response`. */
export function answerOf<Schema extends TSchema>(schema: Schema): Schema {
  const check = checkAnswer<unknown>(schema);
  return readBy(schema, (answer: unknown) => ({ value: check(answer) }));
}

/** Elysia leaves the check to a schema with `~standard` (standardschema.dev). The OpenAPI document does not show it. */
function readBy<Schema extends TSchema, Input>(
  schema: Schema,
  validate: (input: Input) => { value: unknown } | Promise<{ value: unknown }>,
): Schema {
  return Object.defineProperty({ ...schema }, '~standard', {
    value: { version: 1, vendor: 'carillon', validate },
  });
}

function checkOf<Schema extends TSchema>(schema: Schema, root: string): (value: unknown) => Static<Schema> {
  const { fits, listErrors } = compileCheck(schema);
  return (value) => {
    if (fits(value)) return value;
    throw misfit(listErrors(value, root));
  };
}

/** It insists on the content type: a form on another site cannot send that one. */
async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  if (request.body === null) return {};
  const contentType = request.headers.get('content-type') ?? '';
  if (!/^application\/json *(?:;|$)/i.test(contentType)) {
    throw new AppError('invalid', `The body must be JSON, but its content type is "${contentType}". ${hint}`);
  }
  const text = await readText(request, request.body, maxBytes).catch((cause: unknown) => {
    // The client is gone: nobody hears the refusal, and nothing is wrong with us.
    throw cause instanceof DOMException && cause.name === 'AbortError'
      ? new AppError('invalid', 'The body ended too soon.', { cause })
      : cause;
  });
  if (isTooDeep(text)) throw misfit([{ path: '/body', message: `Expected at most ${maxLevels} levels` }]);
  return parse(text);
}

async function readText(
  request: Request,
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<string> {
  const announcedBytes = request.headers.get('content-length');
  if (announcedBytes !== null) {
    if (Number(announcedBytes) > maxBytes) throw tooLarge(maxBytes);
    return await request.text();
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(new Uint8Array(chunk));
  }
  return await new Blob(chunks).text();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid', `The body is not valid JSON. ${hint}`, { cause });
  }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('too_large', `The body is larger than ${maxBytes} bytes.`);
}
