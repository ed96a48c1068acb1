// Follows topics, comes back wherever it was lost, resumes there, and keeps a ledger of everything it got.

import type { Frame } from '../support/client.ts';
import { createLedger, type Ledger } from '../support/ledger.ts';
import { RoamingClient, type RoamingOptions } from './roaming-client.ts';

export interface SubscriberOptions extends Omit<RoamingOptions, 'onFrame'> {
  readonly topics: readonly string[];
}

const comeBackMs = 50;

export class Subscriber {
  readonly ledger: Ledger = createLedger();
  readonly client: RoamingClient;
  readonly topics: readonly string[];
  /** The longest time between the making of an event and its arrival here. */
  slowestMs = 0;
  /** Resolves when every topic is followed for the first time. */
  readonly following: Promise<void>;
  readonly #name: string;
  readonly #ended: Promise<void>;
  readonly #heads = new Map<string, number>();
  readonly #stopped = Promise.withResolvers<void>();
  #isStopping = false;
  #arrival = Promise.withResolvers<void>();
  /** Why the last connection ended or failed. */
  #trouble: unknown;

  constructor(options: SubscriberOptions) {
    const { topics, user } = options;
    this.topics = topics;
    this.#name = user.name;
    this.client = new RoamingClient({ ...options, onFrame: (frame) => this.#record(frame) });
    const following = Promise.withResolvers<void>();
    this.following = following.promise;
    this.#ended = this.#run(following.resolve);
  }

  /** Resolves when the event has come; fails when it does not come in time. */
  async reach(topic: string, seq: number, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const reached = this.#heads.get(topic) ?? 0;
      if (reached >= seq) return;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        throw new Error(`${this.#name} is at ${reached} of ${seq} on ${topic}. ${this.#trouble ?? ''}`);
      }
      await Promise.race([this.#arrival.promise, Bun.sleep(leftMs)]);
    }
  }

  /** Resolves when the server has nothing more to say than what it said before. */
  async flush(): Promise<void> {
    const client = await this.client.connect();
    await client.request('ping');
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.client.leave();
    this.#stopped.resolve();
    await this.#ended;
  }

  async #run(onFollowing: () => void): Promise<void> {
    while (!this.#isStopping) {
      try {
        const client = await this.client.connect();
        for (const topic of this.topics) this.#advance(topic, (await this.ledger.follow(client, topic)).seq);
        onFollowing();
        const { code, reason } = await client.closed;
        this.#trouble = `Its last connection ended with ${code} ${reason}.`;
      } catch (error) {
        this.#trouble = error;
        this.client.leave();
      }
      await Promise.race([Bun.sleep(comeBackMs), this.#stopped.promise]);
    }
  }

  #record(frame: Frame): void {
    const { topic, seq, at } = frame;
    if (topic === undefined || seq === undefined) return;
    this.ledger.record(frame);
    this.slowestMs = Math.max(this.slowestMs, Date.now() - Date.parse(at ?? ''));
    this.#advance(topic, seq);
  }

  #advance(topic: string, seq: number): void {
    this.#heads.set(topic, Math.max(seq, this.#heads.get(topic) ?? 0));
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }
}
