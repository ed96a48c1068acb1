// The metrics over HTTP, on the main port or on one of their own: for whoever has the token, where there is one.

import { timingSafeEqual } from 'node:crypto';
import type { Server } from 'bun';
import { Elysia } from 'elysia';
import type { Config } from '../config.ts';
import { AppError } from '../protocol/errors.ts';
import type { Reading } from '../telemetry/metrics.ts';
import type { Telemetry } from '../telemetry/tracing.ts';
import { answer } from './errors.ts';
import { listenAt } from './listen.ts';

/** Answers a scrape. Throws `unauthorized`. */
export type Scrape = (request: Request) => Promise<Response>;

/** Undefined where nobody is to have them; what makes their text is loaded only where somebody is. */
export async function createScrape(
  { metricsPort, metricsToken }: Pick<Config, 'metricsPort' | 'metricsToken'>,
  { metrics }: Telemetry,
  listReadings: () => readonly Reading[],
): Promise<Scrape | undefined> {
  if (metricsPort === undefined && metricsToken === undefined) return undefined;
  const { createExposition } = await import('../telemetry/prometheus.ts');
  const { render, contentType } = createExposition(metrics, listReadings());
  return async (request) => {
    const given = request.headers.get('authorization') ?? '';
    if (metricsToken !== undefined && !isSame(given, `Bearer ${metricsToken}`)) {
      throw new AppError('unauthorized', 'Send METRICS_TOKEN as "Authorization: Bearer <token>".');
    }
    return new Response(await render(), { headers: { 'content-type': contentType } });
  };
}

export const createMetricsRoute = (scrape: Scrape) =>
  new Elysia({ normalize: false }).get('/metrics', ({ request }) => scrape(request), {
    detail: { hide: true },
  });

/** `/metrics` alone, on a port that need not be open to the world. */
export const serveMetrics = (host: string, port: number, scrape: Scrape): Promise<Server<undefined>> =>
  listenAt({ host, port, variable: 'METRICS_PORT' }, () =>
    Bun.serve({
      port,
      hostname: host,
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
