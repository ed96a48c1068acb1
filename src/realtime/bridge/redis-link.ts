// The connections to one Redis server: one that publishes, one that listens. Both come back by themselves, for ever.
// Once a second the instance says on a channel of all instances that it lives and how many of its frames were lost.
// Whoever hears nothing from another one, or hears of new losses, knows that frames may be missing, though its own
// connections never broke.

import { Redis, type RedisOptions } from 'ioredis';
import { reconnectDelayMs, redisPatienceMs } from '../../redis/servers.ts';

export interface LinkOptions {
  readonly server: RedisOptions;
  /** Redis Cluster: a channel lives on one node only. */
  readonly isSharded: boolean;
  readonly instanceId: string;
  /** Where instances hear of one another; carried by this server. */
  readonly beatChannel: string;
  /** What the server should be listened to for; asked whenever the connection is new. */
  readonly channels: () => string[];
  readonly onMessage: (channel: Buffer, message: Buffer) => void;
  /** Messages may have been missed, and new ones arrive again. */
  readonly onGap: () => void;
  /** A message that was sent did not arrive there. */
  readonly onLost: () => void;
  /** The server does not carry this channel (any more). */
  readonly onMoved: () => void;
  /** Both connections work, and every channel is listened to. */
  readonly onUp: () => void;
  /** That is over, or was tried in vain for the first time. */
  readonly onAway: (error: unknown) => void;
}

interface Peer {
  lost: string;
  heardAt: number;
}

export const beatMs = 1_000;
/** An instance that is silent for longer may have published what never arrived. */
const silenceMs = 2_500;
/** It will not come back: what it left behind was found by then. */
const forgetMs = 60_000;

/** What may be unanswered, in bytes; a server that is slower loses the rest. */
const maxInFlightBytes = 16_777_216;
/** What a message costs beyond its own length while it is in flight. */
const commandBytes = 1_024;

/** Channels in one go when the connection is new, so that each go is answered in time. */
const subscribeBatch = 500;

export class RedisLink {
  readonly #options: LinkOptions;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #beatChannel: Buffer;
  /** The other instances and this one, whose own beat shows that the way is open. */
  readonly #peers = new Map<string, Peer>();
  #isListening = false;
  #isBreaking = false;
  #isAway = false;
  #isStopped = false;
  #inFlightBytes = 0;
  #lost = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#beatChannel = Buffer.from(options.beatChannel);
    const shared: RedisOptions = {
      ...options.server,
      connectTimeout: redisPatienceMs,
      disconnectTimeout: 0,
      retryStrategy: reconnectDelayMs,
      // Nothing waits for a server that is away: the log has it all.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
    };
    // The socket's timeout costs a timer a connection, the command's one a command: too much for publishing.
    this.#publisher = new Redis({ ...shared, enableAutoPipelining: true, socketTimeout: redisPatienceMs });
    this.#subscriber = new Redis({ ...shared, commandTimeout: redisPatienceMs });
    for (const connection of [this.#publisher, this.#subscriber]) {
      let failure: unknown;
      connection.on('error', (error) => {
        failure = error;
      });
      connection.on('close', () => this.#onClose(failure));
    }
    this.#publisher.on('ready', () => this.#onProgress());
    this.#subscriber.on('ready', () => void this.#listen());
    this.#subscriber.on('close', () => {
      this.#isListening = false;
      this.#isBreaking = false;
    });
    this.#subscriber.on('moved', () => this.#onRefused(new Error('MOVED')));
    this.#subscriber.on(options.isSharded ? 'smessageBuffer' : 'messageBuffer', (channel, message) =>
      this.#onMessage(channel, message),
    );
  }

  get isUp(): boolean {
    return this.#isListening && this.#publisher.status === 'ready';
  }

  /** Nothing that other instances published is missing, as far as one can know. */
  get isComplete(): boolean {
    if (!this.isUp || !this.#peers.has(this.#options.instanceId)) return false;
    const now = performance.now();
    for (const { heardAt } of this.#peers.values()) if (now - heardAt > silenceMs) return false;
    return true;
  }

  /** Resolves when messages on the channel arrive, or when the server is away: it is then asked for later. */
  async subscribe(channel: string): Promise<void> {
    if (this.#subscriber.status !== 'ready') return;
    await this.#subscribe([channel]).catch((error: unknown) => this.#onRefused(error));
  }

  unsubscribe(channel: string): void {
    if (this.#subscriber.status !== 'ready') return;
    const ended = this.#options.isSharded
      ? this.#subscriber.sunsubscribe(channel)
      : this.#subscriber.unsubscribe(channel);
    ended.catch((error: unknown) => this.#onRefused(error));
  }

  /** False where it was not even sent. */
  publish(channel: string, message: string): boolean {
    if (this.#publisher.status !== 'ready' || this.#inFlightBytes >= maxInFlightBytes) {
      this.#lost += 1;
      return false;
    }
    const bytes = message.length + commandBytes;
    this.#inFlightBytes += bytes;
    this.#send(channel, message).then(
      () => {
        this.#inFlightBytes -= bytes;
      },
      (error: unknown) => {
        this.#inFlightBytes -= bytes;
        this.#lost += 1;
        this.#options.onLost();
        if (isMoved(error)) this.#options.onMoved();
      },
    );
    return true;
  }

  /** Call it every `beatMs`. */
  beat(): void {
    const { beatChannel, instanceId } = this.#options;
    const now = performance.now();
    for (const [id, { heardAt }] of this.#peers) if (now - heardAt > forgetMs) this.#peers.delete(id);
    if (this.#publisher.status === 'ready') this.publish(beatChannel, `${instanceId} ${this.#lost}`);
    if (this.#subscriber.status === 'ready') {
      // A connection that only listens would never notice that the server is frozen.
      this.#subscriber.ping().catch((error: unknown) => this.#onRefused(error));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#publisher.status === 'ready') {
      // Answered behind everything that was published before.
      await this.#send(this.#options.beatChannel, `${this.#options.instanceId} ${farewell}`).catch(() => {});
    }
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
  }

  async #listen(): Promise<void> {
    try {
      const channels = [this.#options.beatChannel, ...this.#options.channels()];
      for (let start = 0; start < channels.length; start += subscribeBatch) {
        await this.#subscribe(channels.slice(start, start + subscribeBatch));
      }
    } catch (error) {
      this.#onRefused(error);
      return;
    }
    this.#isListening = true;
    this.#onProgress();
    this.#options.onGap();
  }

  async #subscribe(channels: string[]): Promise<void> {
    // Sharded channels of one command would have to be of one slot.
    await (this.#options.isSharded
      ? Promise.all(channels.map((channel) => this.#subscriber.ssubscribe(channel)))
      : this.#subscriber.subscribe(...channels));
  }

  async #send(channel: string, message: string): Promise<void> {
    if (this.#options.isSharded) await this.#publisher.spublish(channel, message);
    else await this.#publisher.publish(channel, message);
  }

  #onMessage(channel: Buffer, message: Buffer): void {
    if (!channel.equals(this.#beatChannel)) {
      this.#options.onMessage(channel, message);
      return;
    }
    const [id = '', lost = ''] = message.toString().split(' ');
    if (lost === farewell) {
      this.#peers.delete(id);
      return;
    }
    const known = this.#peers.get(id);
    this.#peers.set(id, { lost, heardAt: performance.now() });
    if (known !== undefined && known.lost !== lost && id !== this.#options.instanceId) this.#options.onGap();
  }

  /** What is listened to is no longer known for certain: from the start, on a new connection. */
  #onRefused(error: unknown): void {
    if (isMoved(error)) this.#options.onMoved();
    this.#isListening = false;
    // Its status stays `ready` until the socket is closed: what is refused together breaks the connection once.
    if (this.#subscriber.status !== 'ready' || this.#isBreaking) return;
    this.#isBreaking = true;
    this.#subscriber.disconnect(true);
  }

  #onProgress(): void {
    this.beat();
    if (!this.isUp) return;
    this.#isAway = false;
    this.#options.onUp();
  }

  #onClose(error: unknown): void {
    if (this.#isAway || this.#isStopped) return;
    this.#isAway = true;
    this.#options.onAway(error);
  }
}

const farewell = 'bye';

const isMoved = (error: unknown): boolean => error instanceof Error && error.message.startsWith('MOVED');
