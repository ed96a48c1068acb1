// Why an instance could not listen, in words: what Bun says names neither the address nor, for a wrong host, the fault.

import { lookup } from 'node:dns/promises';

interface Place {
  readonly host: string;
  readonly port: number;
  /** What the port is called in the configuration. */
  readonly variable?: string;
}

/** Runs `listen`. Where that fails, throws what is wrong with the place and what to do. */
export async function listenAt<Listening>(place: Place, listen: () => Listening): Promise<Listening> {
  try {
    return listen();
  } catch (error) {
    throw new Error(await explain(place, error), { cause: error });
  }
}

async function explain({ host, port, variable = 'PORT' }: Place, error: unknown): Promise<string> {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return `Port ${port} of ${host} is taken by another process. Stop that one, or set ${variable} to another one.`;
  }
  if (code === 'EACCES')
    return `This user may not listen on port ${port} of ${host}. Set ${variable} to 1024 or more.`;
  const isKnown = await lookup(host).then(
    () => true,
    () => false,
  );
  if (!isKnown)
    return `HOST is "${host}", which names no address. Set it to one of this machine, as in 0.0.0.0.`;
  if (code === 'EADDRNOTAVAIL') return `HOST is "${host}", which is no address of this machine.`;
  return `Could not listen on port ${port} of ${host}.`;
}
