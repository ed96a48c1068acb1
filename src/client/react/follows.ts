// Topics that components share: followed when the first one asks, left when the last one goes.

import type { TopicView } from '../topic.ts';
import type { Client, Topic } from '../typed.ts';

interface Follow {
  topic: Topic;
  stop: () => void;
  readonly listeners: Set<() => void>;
}

export class Follows {
  readonly #client: Client;
  readonly #follows = new Map<string, Follow>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** Follows the topic, and hears of every change of it. Answers how to stop both. */
  follow(name: string, listener: () => void): () => void {
    // One function twice is two followers: each ends by its own.
    const heard = (): void => listener();
    const follow = this.#take(name);
    follow.listeners.add(heard);
    return () => {
      follow.listeners.delete(heard);
      // Not at once: another component may ask in the same breath, as the same one does in StrictMode.
      if (follow.listeners.size === 0) queueMicrotask(() => this.#leave(name, follow));
    };
  }

  /** The topic as long as somebody follows it, even where it has ended. */
  find(name: string): Topic | undefined {
    return this.#follows.get(name)?.topic;
  }

  #take(name: string): Follow {
    const found = this.#follows.get(name);
    if (found === undefined) {
      const follow: Follow = { ...this.#begin(name, () => tell(follow)), listeners: new Set() };
      this.#follows.set(name, follow);
      return follow;
    }
    if (viewOf(found.topic).status === 'ended') {
      // Who comes now asks anew, for all.
      found.stop();
      Object.assign(
        found,
        this.#begin(name, () => tell(found)),
      );
      tell(found);
    }
    return found;
  }

  #begin(name: string, onChange: () => void): Pick<Follow, 'topic' | 'stop'> {
    const topic = this.#client.topic(name);
    return { topic, stop: topic.subscribe(onChange) };
  }

  #leave(name: string, follow: Follow): void {
    if (follow.listeners.size > 0 || this.#follows.get(name) !== follow) return;
    this.#follows.delete(name);
    follow.stop();
    if (viewOf(follow.topic).status !== 'ended') follow.topic.close();
  }
}

const viewOf = (topic: Topic): TopicView => topic.getSnapshot();

function tell({ listeners }: Follow): void {
  for (const listener of [...listeners]) listener();
}
