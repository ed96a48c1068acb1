// One topic as a client follows it: each event once and in order, over however many connections, and the state that they
// add up to, where the topic's module says how.

import type { EventFrame } from '../protocol/frames.ts';
import type { Subscribed, SubscribeRequest } from './declarations.ts';
import { type AnyEvents, type EventOf, Listeners } from './listeners.ts';

/** The state behind an event; pure. */
export type Apply<State = unknown> = (state: State, event: EventFrame) => State;

export interface TopicOptions<State> {
  /** With it the topic begins with a snapshot, and `state` is kept. [S3] */
  readonly apply?: Apply<State> | undefined;
  /** Without `apply`: begin behind this event of that epoch, not with what happens from now on. [S2] */
  readonly since?: number | undefined;
  readonly epoch?: string | undefined;
}

/**
 * `joining`: it was not followed yet. `live`: followed over the connection that is there. `paused`: the connection is away,
 * and it is resumed with the next one. `ended`: followed no more.
 */
export type TopicStatus = 'joining' | 'live' | 'paused' | 'ended';

/** A topic at one moment: the same object until something changes. */
export interface TopicView<State = unknown> {
  /** As of the newest event that came; undefined before the first snapshot, and where there is none. */
  readonly state: State | undefined;
  readonly status: TopicStatus;
  /** Why it ended. */
  readonly error: Error | undefined;
}

type OnJoined = (subscribed: Subscribed) => void;

interface Waiter {
  readonly seq: number;
  resolve(): void;
  reject(error: Error): void;
}

export class Topic<State = unknown, Events extends AnyEvents = AnyEvents> {
  /** What to ask for where it was never joined. */
  readonly request: SubscribeRequest;
  /** Resolves when it is followed for the first time; fails when that is refused. */
  readonly joined: Promise<Subscribed>;
  /** Resolves with the reason when it is followed no more: closed, refused, or the right to it was lost. [S7] */
  readonly ended: Promise<Error>;
  /** Of its own state: so that a topic with a known state is a topic. */
  readonly #apply: Apply | undefined;
  readonly #leave: () => void;
  readonly #listeners = new Listeners<Events>();
  readonly #onChange = new Set<() => void>();
  readonly #onJoined = new Set<OnJoined>();
  readonly #waiters = new Set<Waiter>();
  #view: TopicView<State> = { state: undefined, status: 'joining', error: undefined };
  #seq = 0;
  #holds = 0;
  #onFirstJoined: OnJoined = () => {};
  #onEnded: (error: Error) => void = () => {};

  constructor(
    readonly name: string,
    { apply, since, epoch }: TopicOptions<State>,
    leave: () => void,
  ) {
    this.request = apply === undefined ? { since, epoch } : { snapshot: true };
    this.#apply = apply as Apply | undefined; // it sees no other state
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
    return this.#view.state;
  }

  get status(): TopicStatus {
    return this.#view.status;
  }

  /** With `getSnapshot` a store as frameworks want one. Hears that the view is another one; answers how to stop it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#onChange.add(listener);
    return () => void this.#onChange.delete(listener);
  };

  readonly getSnapshot = (): TopicView<State> => this.#view;

  /** Hears events of this type, or of all: '*'. Answers how to stop it. */
  on<Type extends (keyof Events & string) | '*'>(
    type: Type,
    listener: (event: EventOf<Events, Type>) => void,
  ): () => void {
    return this.#listeners.on(type, listener);
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
    if (this.status !== 'ended') this.#leave(); // else there may be another one of this name
  }

  /** For who shares it: answers how to let go. It is closed behind the last one who does. */
  hold(): () => void {
    let isHeld = true;
    this.#holds += 1;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      // Not at once: another one may hold it in the same breath, as components do that are mounted anew.
      queueMicrotask(() => {
        if (this.#holds === 0) this.close();
      });
    };
  }

  /** For the client alone: it is followed (again). */
  join(subscribed: Subscribed): void {
    const { snapshot, reset, seq } = subscribed;
    const kept = reset ? undefined : this.#view.state;
    const state = snapshot === undefined ? kept : (snapshot as State); // the server's contract for this topic
    this.#show({ state, status: 'live', error: undefined });
    this.#onFirstJoined(subscribed);
    for (const listener of [...this.#onJoined]) listener(subscribed);
    this.#moveTo(seq);
  }

  /** For the client alone: an event, each once and in order. */
  receive(event: EventFrame): void {
    const { state } = this.#view;
    if (this.#apply !== undefined && state !== undefined) {
      this.#show({ ...this.#view, state: this.#apply(state, event) as State });
    }
    this.#listeners.tell(event);
    if (event.seq !== undefined) this.#moveTo(event.seq);
  }

  /** For the client alone: the connection is away. */
  pause(): void {
    if (this.#view.status === 'live') this.#show({ ...this.#view, status: 'paused' });
  }

  /** For the client alone: it is followed no more. */
  end(error: Error): void {
    this.#show({ ...this.#view, status: 'ended', error });
    this.#onEnded(error);
    for (const { reject } of this.#waiters) reject(error);
    this.#waiters.clear();
  }

  #show(view: TopicView<State>): void {
    const { state, status } = this.#view;
    if (view.state === state && view.status === status) return;
    this.#view = view;
    for (const listener of [...this.#onChange]) listener();
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
