// The metrics over HTTP, on the main port or on one of their own: for whoever has the token, where there is one.

import { timingSafeEqual } from 'node:crypto';
import type { Server } from 'bun';
import { Elysia } from 'elysia';
import { AppError } from '../protocol/errors.ts';
import type { Exposition } from '../telemetry/prometheus.ts';
import { answer } from './errors.ts';
import { listenAt } from './listen.ts';

/** Answers a scrape. Throws `unauthorized`. */
export type Scrape = (request: Request) => Promise<Response>;

export function createScrape(exposition: Exposition, token: string | undefined): Scrape {
  return async (request) => {
    if (token !== undefined && !isSame(request.headers.get('authorization') ?? '', `Bearer ${token}`)) {
      throw new AppError('unauthorized', 'Send METRICS_TOKEN as "Authorization: Bearer <token>".');
    }
    return new Response(await exposition.render(), { headers: { 'content-type': exposition.contentType } });
  };
}

export const createMetricsRoute = (scrape: Scrape) =>
  new Elysia({ normalize: false }).get('/metrics', ({ request }) => scrape(request), {
    detail: { hide: true },
  });

/** `/metrics` alone, on a port that need not be open to the world. */
export const serveMetrics = (
  place: { readonly host: string; readonly port: number },
  scrape: Scrape,
): Promise<Server<undefined>> =>
  listenAt(place, () =>
    Bun.serve({
      port: place.port,
      hostname: place.host,
      reusePort: false,
      development: false,
      async fetch(request) {
        if (new URL(request.url).pathname !== '/metrics') {
          return answer(new AppError('not_found', 'There is nothing here but /metrics.'));
        }
        return await scrape(request);
      },
      error: (error) =>
        answer(
          error instanceof AppError ? error : new AppError('internal', 'The metrics could not be read.'),
        ),
    }),
  );

/** In the same time, wherever they differ: of hashes, as these are of one length. */
function isSame(given: string, expected: string): boolean {
  const hash = (text: string) => new Bun.CryptoHasher('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}
