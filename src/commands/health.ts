// `health`: whether the instance on this machine is alive, for a container that has no other program to ask with.

import { readConfig } from '../config.ts';

const patienceMs = 3_000;

export async function checkHealth(): Promise<void> {
  const { host, port } = readConfig(process.env);
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  const url = `http://${name.includes(':') ? `[${name}]` : name}:${port}/health/live`;
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
  if (!ok) throw new Error(`${url} answered ${status}.`);
}
