// A client that attacks, in a process of its own: what it costs itself is not measured as the server's. It sends what it is
// told over and over, through a socket or as requests, until the time is over or the server has had enough.
// Started by `startFlood`, it runs this very file.

import { join } from 'node:path';
import { endLater } from './janitor.ts';
import { openRawSocket } from './raw-socket.ts';

/** What is sent in each round: bytes into an open socket, or a request. */
export type Ammunition =
  | {
      readonly kind: 'frames';
      readonly token: string;
      /** Sent once, before the first round. */
      readonly opening?: Uint8Array;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'requests'; readonly path: string; readonly token?: string; readonly body: string };

export interface FloodPlan {
  readonly port: number;
  /** 0: the next round as soon as the last one has left. */
  readonly everyMs: number;
  readonly seconds: number;
}

export interface FloodResult {
  readonly rounds: number;
  /** The code of the close frame; null: there was none. */
  readonly closeCode: number | null;
  /** Statuses of the answers to requests, each once. */
  readonly statuses: readonly number[];
}

/** Begins at once; the answer comes when it is over. */
export async function startFlood(plan: FloodPlan, ammunition: Ammunition): Promise<FloodResult> {
  const encode = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('base64');
  const encoded =
    ammunition.kind === 'frames'
      ? { ...ammunition, opening: encode(ammunition.opening), bytes: encode(ammunition.bytes) }
      : ammunition;
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'flood.ts')], {
    stdin: new Blob([JSON.stringify({ plan, ammunition: encoded })]),
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const forget = endLater(child.pid, 'KILL');
  const output = await new Response(child.stdout).text();
  await child.exited;
  forget();
  return JSON.parse(output);
}

async function flood(plan: FloodPlan, ammunition: Ammunition): Promise<FloodResult> {
  const endsAtMs = performance.now() + plan.seconds * 1_000;
  let rounds = 0;
  const repeat = async (fire: () => Promise<void> | void, isOver: () => boolean) => {
    const startedAtMs = performance.now();
    while (performance.now() < endsAtMs && !isOver()) {
      await fire();
      rounds += 1;
      const waitMs = startedAtMs + rounds * plan.everyMs - performance.now();
      if (waitMs > 0) await Bun.sleep(waitMs);
    }
  };
  switch (ammunition.kind) {
    case 'frames': {
      const raw = await openRawSocket(plan.port, { token: ammunition.token });
      await raw.next(({ type }) => type === 'welcome');
      let isClosed = false;
      const closed = raw.closed.then((code) => {
        isClosed = true;
        return code ?? null;
      });
      if (ammunition.opening !== undefined) await raw.write(ammunition.opening);
      await repeat(
        () => Promise.race([raw.write(ammunition.bytes), closed.then(() => {})]),
        () => isClosed,
      );
      // What it has to say of the last ones.
      const closeCode = await Promise.race([closed, Bun.sleep(1_000).then(() => null)]);
      raw.destroy();
      return { rounds, closeCode, statuses: [] };
    }
    case 'requests': {
      const statuses = new Set<number>();
      const { path, token, body } = ammunition;
      await repeat(
        async () => {
          const response = await fetch(`http://127.0.0.1:${plan.port}${path}`, {
            method: 'POST',
            headers: {
              'Content-Type': 'application/json',
              ...(token && { Authorization: `Bearer ${token}` }),
            },
            body,
          });
          await response.arrayBuffer();
          statuses.add(response.status);
        },
        () => false,
      );
      return { rounds, closeCode: null, statuses: [...statuses] };
    }
  }
}

if (import.meta.main) {
  const { plan, ammunition } = await Bun.stdin.json();
  const decode = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text, 'base64'));
  const { opening, bytes } = ammunition;
  const decoded = { ...ammunition, opening: decode(opening), bytes: decode(bytes) };
  console.log(JSON.stringify(await flood(plan, decoded)));
  process.exit(0);
}
