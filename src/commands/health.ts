// `health`: whether the instance on this machine is alive, or ready, for a container that has no other program to ask with.

import { readConfig } from '../config.ts';

const patienceMs = 3_000;

export async function checkHealth(what: 'live' | 'ready'): Promise<void> {
  const { host, port } = readConfig(process.env);
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  const url = `http://${name.includes(':') ? `[${name}]` : name}:${port}/health/${what}`;
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
  if (!ok) throw new Error(`${url} answered ${status}.`);
}
