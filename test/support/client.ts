// A connection of the client, without the client: it knows envelopes, and never comes back. Frames are kept in the order
// they came, each of them.

import { type Closing, Connection, type ServerFrame } from '../../src/client/connection.ts';
import type { Subscribed, SubscribeRequest, WelcomePayload } from '../../src/protocol/envelope.ts';

/** As loose as tests want it: their expectations are what types it. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Frame = Omit<ServerFrame, 'payload' | 'error'> & { payload?: any; error?: any };

type Match = string | ((frame: Frame) => boolean);

export interface ClientOptions {
  headers?: Record<string, string>;
  protocols?: string[];
  /** Sees every frame before anything else does. */
  onFrame?: (frame: Frame) => void;
}

/** Bun adds what a browser may not do. */
type BunWebSocket = WebSocket & { terminate(): void };

interface Waiter {
  matches(frame: Frame): boolean;
  resolve(frame: Frame): void;
}

/** Connects, and answers as soon as the socket is open, before the server has said anything. */
export async function openClient(url: string, options: ClientOptions = {}): Promise<TestClient> {
  const client = new TestClient(url, options);
  await client.opened;
  return client;
}

export class TestClient extends Connection<BunWebSocket> {
  /** Every frame that ever came. */
  readonly frames: Frame[] = [];
  readonly opened: Promise<void>;
  readonly closed: Promise<Closing>;
  readonly #unread: Frame[] = [];
  readonly #waiters = new Set<Waiter>();
  #requests = 0;

  constructor(url: string, { headers = {}, protocols = [], onFrame }: ClientOptions) {
    const opened = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<Closing>();
    // Bun's WebSocket takes headers beside protocols; the DOM's type knows only the latter.
    const init = { headers, protocols } as unknown as string[];
    // Under Bun it is one.
    super(new WebSocket(url, init) as BunWebSocket, {
      onOpen: opened.resolve,
      onFrame: (frame: Frame) => {
        this.frames.push(frame);
        onFrame?.(frame);
        const waiter = [...this.#waiters].find((candidate) => candidate.matches(frame));
        if (waiter === undefined) this.#unread.push(frame);
        else waiter.resolve(frame);
      },
      onClose: (closing) => {
        const { code, reason } = closing;
        opened.reject(new Error(`The socket closed with ${code} ${reason} before it was open.`));
        closed.resolve(closing);
      },
    });
    this.opened = opened.promise;
    this.closed = closed.promise;
  }

  /** The payload of the welcome, once it came. */
  get welcome(): WelcomePayload {
    const frame = this.frames.find(({ type }) => type === 'welcome');
    if (frame === undefined) throw new Error('No welcome came yet.');
    return frame.payload;
  }

  send(frame: object): void {
    this.sendText(JSON.stringify(frame));
  }

  /** Bytes or text as they are, for frames that are none. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** Sends a command and answers its reply: the ok or the error frame. */
  request(
    type: string,
    payload?: unknown,
    options: { topic?: string; key?: string; id?: string } = {},
  ): Promise<Frame> {
    this.#requests += 1;
    const id = options.id ?? `r${this.#requests}`;
    this.send({ ...options, id, type, payload });
    return this.next((frame) => frame.id === id && frame.seq === undefined);
  }

  /** Subscribes and answers the payload of the ok; throws on an error frame. */
  async subscribe(topic: string, position?: SubscribeRequest): Promise<Subscribed> {
    const reply = await this.request('subscribe', position, { topic });
    if (reply.type !== 'ok') throw new Error(`subscribe ${topic}: ${JSON.stringify(reply.error)}`);
    return reply.payload;
  }

  /** The oldest frame that nobody has asked for yet, of this type or for which the function holds. */
  next(match: Match, timeoutMs = 5_000): Promise<Frame> {
    const matches = typeof match === 'string' ? (frame: Frame) => frame.type === match : match;
    const index = this.#unread.findIndex(matches);
    const found = this.#unread[index];
    if (found !== undefined) {
      this.#unread.splice(index, 1);
      return Promise.resolve(found);
    }
    const waiting = Promise.withResolvers<Frame>();
    const waiter: Waiter = { matches, resolve: waiting.resolve };
    this.#waiters.add(waiter);
    const fail = (why: string) =>
      waiting.reject(new Error(`${why} while waiting for ${match}. Unread: ${this.#describeUnread()}`));
    const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
    this.closed.then(({ code, reason }) => fail(`The socket closed with ${code} ${reason}`));
    return waiting.promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    });
  }

  /** Frames that came and that nobody has asked for: what must not have arrived would be here. */
  get unread(): readonly Frame[] {
    return this.#unread;
  }

  /** Breaks the connection without a goodbye; what is on its way is still heard. */
  terminate(): void {
    this.socket.terminate();
  }

  #describeUnread(): string {
    const newest = this.#unread
      .slice(-20)
      .map(({ type, topic, seq }) => [type, topic, seq].filter(Boolean).join(' '));
    return newest.length === 0 ? 'nothing' : newest.join(', ');
  }
}
