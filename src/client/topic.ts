// One topic as a client follows it: each event once and in order, over however many connections, and the state that they
// add up to, where the topic's module says how.

import type { EventFrame, Subscribed, SubscribeRequest } from '../protocol/envelope.ts';

export interface TopicOptions<State> {
  /** The state behind an event; pure. With it the topic begins with a snapshot, and `state` is kept. [S3] */
  readonly apply?: ((state: State, event: EventFrame) => State) | undefined;
  /** Without `apply`: begin behind this event of that epoch, not with what happens from now on. [S2] */
  readonly since?: number | undefined;
  readonly epoch?: string | undefined;
}

type OnEvent = (event: EventFrame) => void;
type OnJoined = (subscribed: Subscribed) => void;

interface Waiter {
  readonly seq: number;
  resolve(): void;
  reject(error: Error): void;
}

export class Topic<State = unknown> {
  /** What to ask for where it was never joined. */
  readonly request: SubscribeRequest;
  /** Resolves when it is followed for the first time; fails when that is refused. */
  readonly joined: Promise<Subscribed>;
  /** Resolves with the reason when it is followed no more: closed, refused, or the right to it was lost. [S7] */
  readonly ended: Promise<Error>;
  readonly #apply: TopicOptions<State>['apply'];
  readonly #leave: () => void;
  readonly #onEvent = new Map<string, Set<OnEvent>>();
  readonly #onJoined = new Set<OnJoined>();
  readonly #waiters = new Set<Waiter>();
  #state: State | undefined;
  #seq = 0;
  #onFirstJoined: OnJoined = () => {};
  #onEnded: (error: Error) => void = () => {};

  constructor(
    readonly name: string,
    { apply, since, epoch }: TopicOptions<State>,
    leave: () => void,
  ) {
    this.request = apply === undefined ? { since, epoch } : { snapshot: true };
    this.#apply = apply;
    this.#leave = leave;
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    this.joined = new Promise((resolve, reject) => {
      this.#onFirstJoined = resolve;
      this.ended.then(reject);
    });
    this.joined.catch(() => {}); // not everyone asks
  }

  /** As of the newest event that came; undefined before the first snapshot, and where there is none. */
  get state(): State | undefined {
    return this.#state;
  }

  /** Hears events of this type, or of all: '*'. Answers how to stop it. */
  on(type: string, listener: OnEvent): () => void {
    const listeners = this.#onEvent.get(type) ?? new Set();
    this.#onEvent.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Hears each answer to a subscribe, after every reconnect too. With `reset`, events were missed for good. [S4] */
  onJoined(listener: OnJoined): () => void {
    this.#onJoined.add(listener);
    return () => void this.#onJoined.delete(listener);
  }

  /** Resolves when the event with this seq has come, such as one's own [O3]; fails when the topic ends before. */
  reach(seq: number): Promise<void> {
    if (this.#seq >= seq) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.add({ seq, resolve, reject }));
  }

  /** Follows it no more. */
  close(): void {
    this.#leave();
  }

  /** For the client alone: it is followed (again). */
  join(subscribed: Subscribed): void {
    const { snapshot, reset, seq } = subscribed;
    if (snapshot !== undefined)
      this.#state = snapshot as State; // the server's contract for this topic
    else if (reset) this.#state = undefined;
    this.#onFirstJoined(subscribed);
    for (const listener of this.#onJoined) listener(subscribed);
    this.#moveTo(seq);
  }

  /** For the client alone: an event, each once and in order. */
  receive(event: EventFrame): void {
    if (this.#apply !== undefined && this.#state !== undefined) this.#state = this.#apply(this.#state, event);
    for (const type of [event.type, '*']) {
      for (const listener of this.#onEvent.get(type) ?? []) listener(event);
    }
    if (event.seq !== undefined) this.#moveTo(event.seq);
  }

  /** For the client alone: it is followed no more. */
  end(error: Error): void {
    this.#onEnded(error);
    for (const { reject } of this.#waiters) reject(error);
    this.#waiters.clear();
  }

  #moveTo(seq: number): void {
    this.#seq = seq;
    for (const waiter of this.#waiters) {
      if (waiter.seq > seq) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}
