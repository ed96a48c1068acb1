// The topics that a client follows: joins each where it stands whenever there is a connection, asks again for what was
// refused for now, and hands every event to its topic, once and in order.

import type { EventFrame } from '../protocol/frames.ts';
import type { Alarms } from './clock.ts';
import { isEvent, type ServerFrame } from './connection.ts';
import type { Subscribed, WireError } from './declarations.ts';
import type { Command } from './outbox.ts';
import { listSubscribed, Positions } from './positions.ts';
import { Disconnected, Refused } from './refused.ts';
import { Topic, type TopicOptions } from './topic.ts';

export interface SubscriptionsOptions {
  readonly send: (command: Command) => Promise<unknown>;
  /** Of the connection: cleared when it is lost. */
  readonly alarms: Alarms;
  /** When to ask again, where the server does not say. */
  readonly retryMs: number;
  /** An event is missing. No server does that [O1], and what it is comes with a resume. */
  readonly onGap: (frame: ServerFrame) => void;
  /** An event on a topic that is followed, once and in its order, behind the topic's own listeners. */
  readonly onEvent: (event: EventFrame) => void;
}

/** A subscribe names at most so many topics. [S1] */
const topicsPerFrame = 100;

export class Subscriptions {
  readonly positions = new Positions();
  readonly #options: SubscriptionsOptions;
  readonly #topics = new Map<string, Topic>();
  /** Of the connection that is there; what was asked over another one is answered by its end. */
  #era = 0;
  #isConnected = false;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  topic<State>(name: string, options: TopicOptions<State>): Topic<State> {
    const existing = this.#topics.get(name);
    if (existing !== undefined) return existing as Topic<State>; // who asks again for a topic knows its state
    const topic = new Topic(name, options, () => this.#leave(name));
    this.#topics.set(name, topic as Topic); // whose state only its own `apply` ever sees
    if (this.#isConnected) void this.#join([name]);
    return topic;
  }

  /** There is a connection: all topics are joined. */
  resume(): void {
    this.#isConnected = true;
    const names = [...new Set([...this.positions.topics, ...this.#topics.keys()])];
    for (let first = 0; first < names.length; first += topicsPerFrame) {
      void this.#join(names.slice(first, first + topicsPerFrame));
    }
  }

  /** The connection is gone. */
  suspend(): void {
    this.#era += 1;
    this.#isConnected = false;
    this.positions.suspend();
    for (const topic of [...this.#topics.values()]) topic.pause();
  }

  /** Any frame of the server. */
  receive(frame: ServerFrame): void {
    for (const subscribed of listSubscribed(frame)) {
      this.positions.join(subscribed);
      this.#topics.get(subscribed.topic)?.join(subscribed);
    }
    if (frame.type === 'unsubscribed' && frame.topic !== undefined) {
      const message = `The right to follow ${frame.topic} is lost.`;
      this.#end(frame.topic, new Refused({ code: 'forbidden', message })); // [S7]
    } else if (isEvent(frame)) {
      const standing = this.positions.move(frame);
      if (standing === 'gap') this.#options.onGap(frame);
      else if (standing !== 'repeat') this.#hand(frame);
    }
  }

  #hand(event: EventFrame): void {
    const topic = this.#topics.get(event.topic);
    if (topic === undefined) return;
    topic.receive(event);
    this.#options.onEvent(event);
  }

  async #join(names: readonly string[]): Promise<void> {
    const era = this.#era;
    const topics = names.map((topic) => {
      const position = this.positions.get(topic);
      if (position === undefined) return { topic, ...this.#topics.get(topic)?.request };
      return { topic, since: position.seq, epoch: position.epoch };
    });
    try {
      const answer = await this.#options.send({ type: 'subscribe', payload: { topics } });
      const { results } = answer as { results: (Subscribed | { topic: string; error: WireError })[] }; // [S1]
      if (era !== this.#era) return;
      for (const result of results) if ('error' in result) this.#refuse(result.topic, result.error);
    } catch (error) {
      if (era !== this.#era) return;
      if (names.length > 1 && error instanceof Refused && error.code === 'too_large') {
        const half = Math.ceil(names.length / 2);
        for (const part of [names.slice(0, half), names.slice(half)]) void this.#join(part);
        return;
      }
      for (const name of names) {
        if (error instanceof Refused) this.#refuse(name, error);
        else this.#joinLater(name, this.#options.retryMs);
      }
    }
  }

  #refuse(name: string, error: WireError): void {
    const isForNow = error.retryAfterMs !== undefined || ['unavailable', 'internal'].includes(error.code);
    if (isForNow) this.#joinLater(name, error.retryAfterMs ?? this.#options.retryMs);
    else this.#end(name, new Refused({ ...error, message: `${name}: ${error.message}` }));
  }

  #joinLater(name: string, inMs: number): void {
    this.#options.alarms.set(inMs, () => {
      const position = this.positions.get(name);
      const isWanted = this.#topics.has(name) || position !== undefined;
      if (isWanted && !position?.isLive) void this.#join([name]);
    });
  }

  #leave(name: string): void {
    this.#end(name, new Disconnected(`${name} is followed no more.`));
    if (!this.#isConnected) return;
    const forget = (): void => {
      if (!this.#topics.has(name)) this.positions.forget(name);
    };
    // A subscribe that is under way is answered before this is [E6], and would leave a position behind.
    this.#options.send({ type: 'unsubscribe', topic: name }).then(forget, () => {});
  }

  #end(name: string, error: Error): void {
    this.positions.forget(name);
    const topic = this.#topics.get(name);
    this.#topics.delete(name); // first: who hears of the end may ask for it anew
    topic?.end(error);
  }
}
