// Sends messages one after another, each with its key, again and again until it is acknowledged; keeps a ledger of them.
// Beside that it reads what it wrote, and reacts to some of it, once: what is acknowledged of that counts too.

import { Refused } from '../../src/client/refused.ts';
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

interface Answered {
  readonly id: string;
  readonly seq: number;
}

/** What is done with a message beside sending it. */
const emoji = '👍';
const reactsToEvery = 3;

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
  /** The messages that it has reacted to, acknowledged. */
  readonly reactedTo: string[] = [];
  /** By chat: the highest position that was acknowledged. */
  readonly read = new Map<string, number>();
  /** Error codes that were answered, and how often. */
  readonly refusals = new Map<string, number>();
  readonly client: RoamingClient;
  /** The longest time from the first attempt at a message to its acknowledgement. */
  slowestMs = 0;
  readonly #options: SenderOptions;
  readonly #ended: Promise<void>;
  readonly #reading = new Set<Promise<void>>();
  #isStopping = false;
  #isAbandoned = false;
  /** Why the last message was refused. */
  #trouble: unknown;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.client = new RoamingClient({
      ...options,
      commandTimeoutMs: replyPatienceMs,
      onSend: ({ key }) => {
        const message = this.sent.at(-1);
        if (message !== undefined && message.key === key) message.attempts += 1;
      },
    });
    this.#ended = this.#run();
  }

  get userId(): string {
    return this.#options.user.id;
  }

  get trouble(): string {
    return `${this.#options.user.name} sends ${this.sent.at(-1)?.key}: ${this.#trouble}. ${this.client.trouble}`;
  }

  /** Resolves when the message under way, the last one, is acknowledged, and nothing else is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#ended;
    await Promise.all(this.#reading);
  }

  /** Ends it at once, whatever is under way. */
  abandon(): void {
    this.#isStopping = true;
    this.#isAbandoned = true;
    this.client.abandon();
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
      let answered: Answered | undefined;
      while (answered === undefined && !this.#isAbandoned) answered = await this.#attempt(message);
      message.seq = answered?.seq;
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt);
      onAcknowledged();
      if (answered !== undefined) {
        this.#read(chatId, answered.seq);
        // Waited for, so that the answer to the next message waits for nothing but that one.
        if (number % reactsToEvery === 0) await this.#react(answered.id);
      }
      await Bun.sleep(pauseMs);
    }
  }

  /** Nobody waits for it, and what is not answered is not tried again. */
  #read(chatId: string, seq: number): void {
    const reading: Promise<void> = this.client
      .send('message.read', { chatId, seq })
      .then(() => void this.read.set(chatId, Math.max(this.read.get(chatId) ?? 0, seq)))
      .catch(() => {})
      .finally(() => this.#reading.delete(reading));
    this.#reading.add(reading);
  }

  /** What is not answered is not tried again. */
  async #react(messageId: string): Promise<void> {
    await this.client.send('message.react', { messageId, emoji }).then(
      () => void this.reactedTo.push(messageId),
      () => {},
    );
  }

  /** The client sends it again by itself until it is answered; what is refused is sent again from here. */
  async #attempt({ chatId, content, key }: Sent): Promise<Answered | undefined> {
    try {
      const sent = await this.client.send('message.send', { chatId, content }, { key });
      return sent as Answered; // the contract of message.send
    } catch (error) {
      this.#trouble = error;
      if (!(error instanceof Refused)) return undefined; // too many wait, or it was abandoned
      this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1);
      await Bun.sleep(error.retryAfterMs ?? retryMs);
      return undefined;
    }
  }
}
