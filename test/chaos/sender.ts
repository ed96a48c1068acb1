// Sends messages one after another, each with its key, again and again until it is acknowledged; keeps a ledger of them.

import type { TestUser } from '../support/api.ts';
import { RoamingClient } from './roaming-client.ts';

export interface Sent {
  readonly chatId: string;
  readonly content: string;
  readonly key: string;
  attempts: number;
  /** Of its event, as the acknowledgement said. */
  seq: number | undefined;
}

export interface SenderOptions {
  readonly user: TestUser;
  readonly urls: readonly string[];
  readonly first: number;
  /** Written to in turn. */
  readonly chatIds: readonly string[];
  /** Between two messages. */
  readonly pauseMs: number;
  readonly contentChars: number;
  readonly onAcknowledged: () => void;
}

/** How long a sender waits for an answer before it asks another instance. */
const replyPatienceMs = 3_000;
const retryMs = 50;

export class Sender {
  readonly sent: Sent[] = [];
  /** Error codes that were answered, and how often. */
  readonly refusals = new Map<string, number>();
  readonly client: RoamingClient;
  /** The longest time from the first attempt at a message to its acknowledgement. */
  slowestMs = 0;
  readonly #options: SenderOptions;
  readonly #ended: Promise<void>;
  #isStopping = false;
  #isAbandoned = false;
  /** Why the last attempt failed. */
  #trouble: unknown;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.client = new RoamingClient(options);
    this.#ended = this.#run();
  }

  get trouble(): string {
    return `${this.#options.user.name} sends ${this.sent.at(-1)?.key}: ${this.#trouble}`;
  }

  /** Resolves when the message under way, the last one, is acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ended;
  }

  /** Ends it at once, whatever is under way. */
  abandon(): void {
    this.#isStopping = true;
    this.#isAbandoned = true;
    this.client.leave();
  }

  async #run(): Promise<void> {
    const { chatIds, user, contentChars, pauseMs, onAcknowledged } = this.#options;
    while (!this.#isStopping) {
      const number = this.sent.length;
      const content = `${user.name}, message ${number} `.padEnd(contentChars, '.');
      const chatId = chatIds[number % chatIds.length] ?? '';
      const message: Sent = { chatId, content, key: crypto.randomUUID(), attempts: 0, seq: undefined };
      this.sent.push(message);
      const startedAt = performance.now();
      while (message.seq === undefined && !this.#isAbandoned) await this.#attempt(message);
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
      onAcknowledged();
      await Bun.sleep(pauseMs);
    }
  }

  async #attempt(message: Sent): Promise<void> {
    const { chatId, content, key } = message;
    try {
      const client = await this.client.connect();
      message.attempts += 1;
      const id = `${key.slice(0, 8)}-${message.attempts}`;
      client.send({ type: 'message.send', id, key, payload: { chatId, content } });
      const reply = await client.next((frame) => frame.id === id, replyPatienceMs);
      if (reply.type === 'ok') {
        message.seq = reply.payload.seq;
        return;
      }
      this.#trouble = JSON.stringify(reply.error);
      this.refusals.set(reply.error.code, (this.refusals.get(reply.error.code) ?? 0) + 1);
      await Bun.sleep(reply.error.retryAfterMs ?? retryMs);
    } catch (error) {
      this.#trouble = error;
      this.client.leave();
      await Bun.sleep(retryMs);
    }
  }
}
