// A clock and a network that a test moves by hand, for what the real ones do too rarely or too slowly.

import { Client, type ClientOptions } from '../../src/client/client.ts';
import type { Clock } from '../../src/client/clock.ts';
import type { Closing, ServerFrame, Socket } from '../../src/client/connection.ts';

export class HandClock implements Clock {
  readonly #timers = new Set<{ atMs: number; run: () => void }>();
  #nowMs = 0;

  /** Waits are as long as they may be. */
  random(): number {
    return 1;
  }

  /** Of timers that have not run. */
  get count(): number {
    return this.#timers.size;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Runs what is due until then, one after another, and what follows from it. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await Bun.sleep(0); // what was started before comes first
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

type Listener = (event: { data: unknown } & Closing) => void;

export class HandSocket implements Socket {
  /** Frames of the client. */
  // biome-ignore lint/suspicious/noExplicitAny: the expectations of a test are what types them
  readonly sent: any[] = [];
  isClosed = false;
  readonly #listeners: [type: string, listener: Listener][] = [];

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push([type, listener]);
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {
    this.isClosed = true;
  }

  says(frame: ServerFrame): void {
    this.#emit('message', { data: JSON.stringify(frame) });
  }

  ends(code: number, reason = ''): void {
    this.#emit('close', { code, reason });
  }

  welcomes(): void {
    const limits = { frameBytes: 1_000, subscriptions: 0, commandsPerSecond: 0 };
    this.says({ type: 'welcome', payload: { connectionId: 'c', heartbeatMs: 30_000, limits } });
  }

  /** Answers the newest frame of that type. */
  answers(type: string, payload: unknown = {}): void {
    this.says({ type: 'ok', id: this.sent.findLast((frame) => frame.type === type).id, payload });
  }

  #emit(type: string, event: object): void {
    for (const [listened, listener] of this.#listeners) if (listened === type) listener(event as never);
  }
}

/** A client on both, and every socket that it made. `create`: another one than the untyped. */
export function createByHand<Made extends Pick<Client, 'connect'> = Client>(
  options: Partial<ClientOptions> = {},
  create: (options: ClientOptions) => Made = (given) => new Client(given) as unknown as Made, // where none is given, it is a Client
) {
  const clock = new HandClock();
  const sockets: HandSocket[] = [];
  class OwnSocket extends HandSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const client = create({
    url: 'https://carillon.test',
    getToken: () => 'a.b.c',
    WebSocket: OwnSocket,
    clock,
    ...options,
  });
  const newest = (): HandSocket => {
    const socket = sockets.at(-1);
    if (socket === undefined) throw new Error('No socket was made.');
    return socket;
  };
  return {
    client,
    clock,
    sockets,
    newest,
    /** Begins to connect, and is welcome. */
    async enter(): Promise<HandSocket> {
      client.connect();
      await clock.advance(0);
      newest().welcomes();
      return newest();
    },
  };
}

export const event = (topic: string, seq: number): ServerFrame => ({
  type: 'thing.happened',
  topic,
  seq,
  id: crypto.randomUUID(),
  at: new Date().toISOString(),
  payload: { seq },
  meta: { source: 'system' },
});

export const joined = (topic: string, seq: number) => ({ topic, seq, head: seq, epoch: 'one', replay: 0 });
