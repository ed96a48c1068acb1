// Follows topics, comes back wherever it was lost, resumes there, and keeps a ledger of everything it got.

import type { Topic } from '../../src/client/topic.ts';
import type { Frame } from '../support/client.ts';
import { createLedger, type Ledger } from '../support/ledger.ts';
import { RoamingClient, type RoamingOptions, within } from './roaming-client.ts';

export interface SubscriberOptions extends Omit<RoamingOptions, 'onFrame'> {
  readonly topics: readonly string[];
}

export class Subscriber {
  /** Of every frame that came, before the client made anything of it: what it leaves out counts here. */
  readonly ledger: Ledger = createLedger();
  readonly client: RoamingClient;
  readonly topics: readonly string[];
  /** The longest time between the making of an event and its arrival here. */
  slowestMs = 0;
  /** Resolves when every topic is followed for the first time. */
  readonly following: Promise<unknown>;
  readonly #name: string;
  readonly #followed: ReadonlyMap<string, Topic>;

  constructor({ topics, ...options }: SubscriberOptions) {
    this.topics = topics;
    this.#name = options.user.name;
    this.client = new RoamingClient({ ...options, onFrame: (frame) => this.#record(frame) });
    this.#followed = new Map(topics.map((topic) => [topic, this.client.topic(topic)]));
    for (const topic of this.#followed.values()) topic.onJoined((joined) => this.ledger.join(joined));
    this.following = Promise.all([...this.#followed.values()].map(({ joined }) => joined));
  }

  /** Resolves when the event has come; fails when it does not come in time. */
  async reach(topic: string, seq: number, timeoutMs: number): Promise<void> {
    const reached = this.#followed.get(topic)?.reach(seq) ?? Promise.resolve();
    await within(timeoutMs, reached).catch((error) => {
      const at = this.client.positions.get(topic)?.seq;
      const message = `${this.#name} is at ${at} of ${seq} on ${topic}. ${this.client.trouble}`;
      throw new Error(message, { cause: error });
    });
  }

  /** Resolves when the server has nothing more to say than what it said before. */
  async flush(): Promise<void> {
    await this.client.send('ping');
  }

  stop(): void {
    this.client.abandon();
  }

  #record(frame: Frame): void {
    const { topic, seq, at } = frame;
    if (topic === undefined || seq === undefined) return;
    this.ledger.record(frame);
    this.slowestMs = Math.max(this.slowestMs, Date.now() - Date.parse(at ?? ''));
  }
}
