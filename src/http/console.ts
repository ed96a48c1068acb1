// The console: the page at `/`, and its files below `/console`. Built at the first request, so that an instance does not start
// later for it; requests that come meanwhile wait for the same build. No other origin is asked for anything.

import { Elysia } from 'elysia';
import { AppError } from '../protocol/errors.ts';
import { type ConsoleFile, consolePage, consolePrefix } from './console-build.ts';

/** A file as it is answered, whole and compressed. */
interface Served {
  readonly headers: Readonly<Record<string, string>>;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
}

type Files = ReadonlyMap<string, Served>;

const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function createConsole(build: () => Promise<ConsoleFile[]>) {
  let files: Promise<Files> | undefined;
  const serve = async (name: string, request: Request): Promise<Response> => {
    files ??= build()
      .then(prepare)
      .catch((error: unknown) => {
        files = undefined; // the next request tries again
        throw error;
      });
    const found = (await files).get(name);
    if (found === undefined) {
      throw new AppError('not_found', `There is no ${consolePrefix}/${name}. Load the page at / again.`);
    }
    return answer(found, request);
  };
  return new Elysia({ normalize: false })
    .get('/', ({ request }) => serve(consolePage, request))
    .get(`${consolePrefix}/:file`, ({ params, request }) => serve(params.file, request));
}

function prepare(files: readonly ConsoleFile[]): Files {
  return new Map(
    files.map(({ name, type, text }) => {
      const plain = new TextEncoder().encode(text);
      const headers = { 'content-type': type, vary: 'Accept-Encoding', ...headersOf(name, plain) };
      return [name, { headers, plain, gzipped: Bun.gzipSync(plain, { level: 9 }) }];
    }),
  );
}

/** The page is asked for anew each time, and names the files that belong to it. */
function headersOf(name: string, bytes: Uint8Array): Record<string, string> {
  if (name !== consolePage) return { 'cache-control': 'public, max-age=31536000, immutable' };
  return {
    'cache-control': 'no-cache',
    etag: `"${Bun.hash(bytes).toString(16)}"`,
    'content-security-policy': pagePolicy,
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  };
}

function answer({ headers, plain, gzipped }: Served, request: Request): Response {
  if (headers.etag !== undefined && request.headers.get('if-none-match')?.includes(headers.etag)) {
    return new Response(null, { status: 304, headers });
  }
  const takesGzip = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/.test(
    request.headers.get('accept-encoding') ?? '',
  );
  return takesGzip
    ? new Response(gzipped, { headers: { ...headers, 'content-encoding': 'gzip' } })
    : new Response(plain, { headers });
}
