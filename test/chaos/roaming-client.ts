// A client that asks another instance whenever the one before is gone or says nothing; and what it lost on its way.

import { Client, type ClientOptions } from '../../src/client/client.ts';
import type { TestUser } from '../support/api.ts';

export interface RoamingOptions extends Pick<ClientOptions, 'onFrame' | 'onSend' | 'commandTimeoutMs'> {
  readonly user: TestUser;
  /** Of instances, or of proxies before them. */
  readonly urls: readonly string[];
  /** Which of them comes first. */
  readonly first: number;
}

/** A connection that ended without being asked to. */
export interface Ending {
  readonly code: number;
  readonly atMs: number;
}

const connectPatienceMs = 3_000;
const comeBackMs = 50;

export class RoamingClient extends Client {
  /** Every connection that was lost, in order. */
  readonly endings: Ending[] = [];
  /** Why the last connection, or the last attempt at one, ended. */
  trouble = 'It was never lost.';

  constructor({ user, urls, first, ...options }: RoamingOptions) {
    let next = first;
    super({
      ...options,
      url() {
        next += 1;
        return urls[(next - 1) % urls.length] ?? '';
      },
      getToken: () => user.accessToken,
      connectTimeoutMs: connectPatienceMs,
      backoff: { firstMs: comeBackMs, longestMs: comeBackMs },
      onLost: ({ code, reason, wasLive, isGivenUp }) => {
        this.trouble = `Its last connection ended with ${code} ${reason}.`;
        if (wasLive && !isGivenUp) this.endings.push({ code, atMs: performance.now() });
      },
    });
    this.connect();
  }
}

/** Fails when the promise takes longer. */
export async function within<Value>(timeoutMs: number, promise: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${timeoutMs} ms passed.`)), timeoutMs);
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}
