// The metrics of a server as its watcher reads them: from the text that Prometheus gets.

import type { TestServer } from '../support/server.ts';

export const metricsToken = 'token-of-the-tests-for-metrics';
export const metricsEnv = { METRICS_TOKEN: metricsToken };

/** The values by name and labels, as in `errors_total{door="http",code="invalid"}`; those of a name alone have no braces. */
export type Scraped = ReadonlyMap<string, number>;

export async function scrape(server: Pick<TestServer, 'request'>): Promise<Scraped> {
  const { status, body } = await server.request('GET', '/metrics', { token: metricsToken });
  if (status !== 200) throw new Error(`The metrics: ${status} ${JSON.stringify(body)}`);
  return readSamples(body);
}

export function readSamples(text: string): Scraped {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const end = line.lastIndexOf(' ');
    samples.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return samples;
}

/** By how much each of the names grew while `run` was at it. */
export async function growthOf(
  server: Pick<TestServer, 'request'>,
  names: readonly string[],
  run: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = await scrape(server);
  await run();
  const after = await scrape(server);
  return Object.fromEntries(names.map((name) => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)]));
}
