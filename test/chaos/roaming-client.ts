// A client that always comes back: connected to one instance, and to another one when that is gone or says nothing.

import { createApi, type TestUser } from '../support/api.ts';
import type { Frame, TestClient } from '../support/client.ts';

export interface RoamingOptions {
  readonly user: TestUser;
  /** Of instances, or of proxies before them. */
  readonly urls: readonly string[];
  /** Which of them comes first. */
  readonly first: number;
  /** Sees the frames of the connection that counts, and none of one that was given up. */
  readonly onFrame?: (frame: Frame) => void;
}

/** A connection that ended without being asked to. */
export interface Ending {
  readonly code: number;
  readonly atMs: number;
}

const connectPatienceMs = 3_000;

export class RoamingClient {
  /** Every connection that was lost, in order. */
  readonly endings: Ending[] = [];
  readonly #options: RoamingOptions;
  #next: number;
  #current: TestClient | undefined;
  /** Of the attempt that counts. */
  #attempt = 0;

  constructor(options: RoamingOptions) {
    this.#options = options;
    this.#next = options.first;
  }

  get isConnected(): boolean {
    return this.#current !== undefined;
  }

  /** The connection, made anew where there is none. Fails when this instance does not answer; the next call asks another. */
  async connect(): Promise<TestClient> {
    if (this.#current !== undefined) return this.#current;
    const { user, urls, onFrame } = this.#options;
    const url = urls[this.#next % urls.length] ?? '';
    this.#next += 1;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const connecting = createApi(url).connect(user, {
      onFrame: (frame) => {
        if (attempt === this.#attempt) onFrame?.(frame);
      },
    });
    const client = await within(connectPatienceMs, connecting).catch((error) => {
      // A frozen instance may still answer, when nobody waits any more.
      connecting.then(
        (late) => late.terminate(),
        () => {},
      );
      throw error;
    });
    this.#current = client;
    client.closed.then(({ code }) => {
      if (this.#current !== client) return;
      this.#current = undefined;
      this.endings.push({ code, atMs: performance.now() });
    });
    return client;
  }

  /** Gives the connection up; what still comes over it is not heard. */
  leave(): void {
    this.#attempt += 1;
    this.#current?.terminate();
    this.#current = undefined;
  }
}

/** Fails when the promise takes longer. */
export async function within<Value>(timeoutMs: number, promise: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${timeoutMs} ms passed.`)), timeoutMs);
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}
