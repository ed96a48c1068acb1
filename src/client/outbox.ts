// Commands and their answers. What is sent while there is no connection waits for one. A command with a key is sent again
// until it is answered: the key makes of all its attempts one [K1]. So is one that changes nothing. Any other is sent once.

import type { Alarms } from './clock.ts';
import type { ServerFrame } from './connection.ts';
import type { ClientFrame } from './declarations.ts';
import { Disconnected, Refused } from './refused.ts';

export type Command = Omit<ClientFrame, 'id'>;

/** A connection that takes frames. */
export interface Line {
  readonly frameBytes: number;
  transmit(text: string, frame: ClientFrame): void;
}

export interface OutboxOptions {
  /** Of the connection: cleared when it is lost. */
  readonly alarms: Alarms;
  /** How long an answer may take. */
  readonly timeoutMs: number;
  /** How many commands may wait for a connection. */
  readonly maxWaiting: number;
  /** A command was not answered in time, and nothing else came either: the connection may be dead. */
  readonly onSilence: () => void;
}

interface Entry {
  readonly frame: ClientFrame;
  readonly text: string;
  /** Sent twice, it has the effect that it has once. */
  readonly isRepeatable: boolean;
  attempts: number;
  /** Sent over the connection that is there now. */
  isSent: boolean;
  cancelTimeout: () => void;
  resolve(payload: unknown): void;
  reject(error: Error): void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  /** In the order of their sending. */
  readonly #entries = new Map<string, Entry>();
  #line: Line | undefined;
  #commands = 0;
  /** Frames that came. */
  #heard = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Answers the payload of the reply. Throws Refused, or Disconnected. */
  send(command: Command, isRepeatable = command.key !== undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#line === undefined && this.#entries.size >= this.#options.maxWaiting) {
        throw new Disconnected(`${this.#entries.size} commands wait for a connection already.`);
      }
      this.#commands += 1;
      const id = `c${this.#commands}`;
      const frame = { id, ...command };
      const text = JSON.stringify(frame);
      const entry = {
        frame,
        text,
        isRepeatable,
        attempts: 0,
        isSent: false,
        cancelTimeout() {},
        resolve,
        reject,
      };
      this.#entries.set(id, entry);
      this.#transmit(id, entry);
    });
  }

  /** From here on commands go out at once. */
  open(line: Line): void {
    this.#line = line;
  }

  /** Sends what waits, and again what may be repeated and has no answer. */
  flush(): void {
    for (const [id, entry] of [...this.#entries]) if (!entry.isSent) this.#transmit(id, entry);
  }

  /** Any frame of the server; the reply to a command settles it. */
  receive({ type, id, payload, error }: ServerFrame): void {
    this.#heard += 1;
    const entry = id !== undefined && isReply(type) ? this.#entries.get(id) : undefined;
    if (id === undefined || entry === undefined) return;
    if (error === undefined) {
      this.#take(id, entry).resolve(payload);
    } else if (entry.attempts > 1 && error.retryAfterMs !== undefined) {
      // Refused for now: that says nothing about the attempts before it, which may have taken effect.
      entry.cancelTimeout();
      entry.cancelTimeout = this.#options.alarms.set(error.retryAfterMs, () => this.#transmit(id, entry));
    } else {
      this.#take(id, entry).reject(new Refused(error));
    }
  }

  /** The connection is gone, and its alarms with it. */
  suspend(): void {
    this.#line = undefined;
    for (const [id, entry] of [...this.#entries]) {
      if (entry.isSent && !entry.isRepeatable) {
        this.#take(id, entry).reject(new Disconnected('The connection ended before an answer came.'));
      }
      entry.isSent = false;
    }
  }

  /** Nothing is going to be sent or answered any more. */
  fail(error: Error): void {
    for (const [id, entry] of [...this.#entries]) this.#take(id, entry).reject(error);
  }

  #transmit(id: string, entry: Entry): void {
    if (this.#line === undefined) return;
    const { frameBytes } = this.#line;
    if (frameBytes > 0 && new TextEncoder().encode(entry.text).length > frameBytes) {
      // Sent, it would end the connection with 1009, again and again.
      const message = `Expected a frame of at most ${frameBytes} bytes. Send less at once.`;
      this.#take(id, entry).reject(new Refused({ code: 'too_large', message }));
      return;
    }
    entry.attempts += 1;
    entry.isSent = true;
    const heardBefore = this.#heard;
    entry.cancelTimeout = this.#options.alarms.set(this.#options.timeoutMs, () => {
      if (!entry.isRepeatable) {
        this.#take(id, entry).reject(new Disconnected('No answer came in time.'));
      } else if (this.#heard > heardBefore) {
        this.#transmit(id, entry);
      }
      if (this.#heard === heardBefore) this.#options.onSilence();
    });
    this.#line.transmit(entry.text, entry.frame);
  }

  #take(id: string, entry: Entry): Entry {
    entry.cancelTimeout();
    this.#entries.delete(id);
    return entry;
  }
}

/** Events have an `id` too. */
const isReply = (type: string): boolean => type === 'ok' || type === 'error' || type === 'pong';
