// The other end of a connection that is a stream of server-sent events: frames go out as messages, in the order in which they
// were sent or published. What is not read yet waits here, up to a bound; a reader that is further behind is cut off. [V3]

import type { Socket } from '../socket/connection.ts';
import type { Listeners } from './listeners.ts';

export interface EventStreamOptions {
  readonly listeners: Listeners;
  /** What had waited was taken: the reader is there, and reads. */
  readonly onTaken: () => void;
  /** Called once, when nothing is taken in any more. What waits may still be on its way. */
  readonly onGone: () => void;
}

/** As many bytes may wait for a reader as behind a WebSocket, and then one more message. */
export const maxWaitingBytes = 1_048_576;

export class EventStream implements Socket {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #options: EventStreamOptions;
  readonly #topics = new Set<string>();
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  /** The reader waits for more. */
  #wanted: PromiseWithResolvers<void> | undefined;
  #isEnded = false;
  /** Nobody reads any more. */
  #isCancelled = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull: (controller) => this.#give(controller),
        cancel: () => {
          this.#isCancelled = true;
          this.terminate();
        },
      },
      { highWaterMark: 0 }, // nothing is taken but what the network takes
    );
  }

  /** The message that comes before all others, also before those that were sent already. */
  begin(message: Uint8Array<ArrayBuffer>): void {
    if (this.#isEnded) return;
    this.#waiting.unshift(message);
    this.#waitingBytes += message.length;
    this.#wanted?.resolve();
  }

  send(frame: string): number {
    return this.push(encodeMessage(frame)) ? frame.length : 0;
  }

  /** Adds an encoded message; false: there was no room for it, and the reader is cut off. */
  push(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.#isEnded) return false;
    if (this.#waitingBytes > maxWaitingBytes) {
      this.terminate();
      return false;
    }
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    this.#wanted?.resolve();
    return true;
  }

  getBufferedAmount(): number {
    return this.#waitingBytes;
  }

  subscribe(topic: string): void {
    if (this.#isEnded) return;
    this.#topics.add(topic);
    this.#options.listeners.add(topic, this);
  }

  unsubscribe(topic: string): void {
    this.#topics.delete(topic);
    this.#options.listeners.remove(topic, this);
  }

  /** A comment: proxies keep the connection for it, and readers pass over it. */
  ping(): void {
    if (this.#waitingBytes === 0) this.push(comment(''));
  }

  cork(send: () => void): void {
    send(); // what is sent in one turn of the event loop is taken together
  }

  /** The reason is for whoever looks at the stream: a program sees what to do by the answer to its next request. [V4] */
  close(_code: number, reason: string): void {
    this.push(comment(` ${reason}`));
    this.#end();
  }

  /** The end comes behind what the network has taken already: whole messages. */
  terminate(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#end();
  }

  async #give(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    if (this.#waiting.length === 0 && !this.#isEnded) {
      this.#wanted = Promise.withResolvers();
      await this.#wanted.promise;
      this.#wanted = undefined;
    }
    if (this.#isCancelled) return;
    const [first, ...others] = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (first !== undefined)
      controller.enqueue(others.length === 0 ? first : new Uint8Array(Buffer.concat([first, ...others])));
    if (this.#isEnded) controller.close();
    else this.#options.onTaken();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const topic of this.#topics) this.#options.listeners.remove(topic, this);
    this.#wanted?.resolve();
    queueMicrotask(this.#options.onGone); // as with a WebSocket, not in the middle of what ended it
  }
}

/** A frame as a message. That of a durable event has its seq as its id, from which a reader goes on. [V2] */
export const encodeMessage = (frame: string): Uint8Array<ArrayBuffer> =>
  encodeMessageAt(durableSeq.exec(frame)?.[1], frame);

export const encodeMessageAt = (
  seq: string | number | undefined,
  frame: string,
  retryMs?: number,
): Uint8Array<ArrayBuffer> =>
  encoder.encode(
    `${retryMs === undefined ? '' : `retry: ${retryMs}\n`}${seq === undefined ? '' : `id: ${seq}\n`}data: ${frame}\n\n`,
  );

/** What every durable event begins with: taking it apart would cost more than sending it. JSON has no line breaks of its own. */
const durableSeq = /^\{"type":"[^"]*","topic":"[^"]*","seq":(\d+),/;

const comment = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(`:${text}\n\n`);

const encoder = new TextEncoder();
