// The streams of this instance that are live on a topic. Bun's own publish reaches WebSockets alone; what the hub publishes
// comes here right behind it, in the same order. Where no stream follows a topic, that is one look into a map.

import { type EventStream, encodeMessage } from './event-stream.ts';

export class Listeners {
  readonly #byTopic = new Map<string, Set<EventStream>>();

  add(topic: string, stream: EventStream): void {
    const own = this.#byTopic.get(topic);
    if (own === undefined) this.#byTopic.set(topic, new Set([stream]));
    else own.add(stream);
  }

  remove(topic: string, stream: EventStream): void {
    const own = this.#byTopic.get(topic);
    if (own?.delete(stream) && own.size === 0) this.#byTopic.delete(topic);
  }

  count(topic: string): number {
    return this.#byTopic.get(topic)?.size ?? 0;
  }

  /** Encoded once for all of them. A stream that is cut off for it leaves the set meanwhile. */
  publish(topic: string, frame: string): void {
    const own = this.#byTopic.get(topic);
    if (own === undefined) return;
    const message = encodeMessage(frame);
    for (const stream of own) stream.push(message);
  }
}
