// Where a client stands on each topic, over all its connections: learnt from the server's frames alone. Pure.

import { isEvent, type ServerFrame } from './connection.ts';
import type { Subscribed } from './declarations.ts';

/** `repeat`: it came before. `gap`: one before it is missing. `other`: no durable event of a topic that is followed. */
export type Standing = 'next' | 'repeat' | 'gap' | 'other';

interface Position {
  seq: number;
  readonly head: number;
  readonly epoch: string;
  /** Joined over the connection that is there now. */
  isLive: boolean;
}

export class Positions {
  readonly #positions = new Map<string, Position>();

  get topics(): string[] {
    return [...this.#positions.keys()];
  }

  get(topic: string): Readonly<Position> | undefined {
    return this.#positions.get(topic);
  }

  /** From here the next event has `seq + 1`. [S2] */
  join({ topic, seq, head, epoch }: Subscribed): void {
    this.#positions.set(topic, { seq, head, epoch, isLive: true });
  }

  /** What the frame is to its topic; the next durable event moves it. [O1] */
  move(frame: ServerFrame): Standing {
    if (!isEvent(frame) || frame.seq === undefined) return 'other';
    const position = this.#positions.get(frame.topic);
    if (position === undefined) return 'other';
    if (frame.seq <= position.seq) return 'repeat';
    if (frame.seq > position.seq + 1) return 'gap';
    position.seq = frame.seq;
    return 'next';
  }

  forget(topic: string): void {
    this.#positions.delete(topic);
  }

  /** The connection is gone: each topic has to be joined again, where it stands. */
  suspend(): void {
    for (const position of this.#positions.values()) position.isLive = false;
  }

  /** Everything missed before the subscriptions has come. */
  get areCaughtUp(): boolean {
    return [...this.#positions.values()].every(({ isLive, seq, head }) => isLive && seq >= head);
  }
}

/** The answers to subscribes in an `ok`, one or many; refusals among many are left out. [S1] */
export function listSubscribed({ type, payload }: ServerFrame): Subscribed[] {
  if (type !== 'ok') return [];
  const { results } = (payload ?? {}) as { results?: unknown }; // looked at below
  return (Array.isArray(results) ? results : [payload]).filter(isSubscribed);
}

const isSubscribed = (value: unknown): value is Subscribed =>
  typeof value === 'object' && value !== null && 'epoch' in value && 'head' in value;
