// Who hears which events: listeners by type, of one topic or of all. What is on several topics is one event, and heard once.

import type { EventFrame } from '../protocol/frames.ts';

/** Types and their payloads. */
// biome-ignore lint/suspicious/noExplicitAny: a table with an index signature is one, and so is one without
export type AnyEvents = Record<string, any>;

/** The event of a type; '*': of any of them. */
export type EventOf<Events extends AnyEvents, Type extends string> = Type extends '*'
  ? { [Each in keyof Events & string]: EventFrame<Each, Events[Each]> }[keyof Events & string]
  : EventFrame<Type, Events[Type]>;

type Listener = (event: EventFrame) => void;

export class Listeners<Events extends AnyEvents = AnyEvents> {
  readonly #byType = new Map<string, Set<Listener>>();

  /** Answers how to stop it. */
  on<Type extends (keyof Events & string) | '*'>(
    type: Type,
    listener: (event: EventOf<Events, Type>) => void,
  ): () => void {
    // One function twice is two listeners: each ends by its own.
    const heard: Listener = (event) => listener(event as EventOf<Events, Type>); // of this type, as the server has it
    const listeners = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, listeners.add(heard));
    return () => {
      listeners.delete(heard);
      if (listeners.size === 0 && this.#byType.get(type) === listeners) this.#byType.delete(type);
    };
  }

  hears(type: string): boolean {
    return this.#byType.has(type) || this.#byType.has('*');
  }

  tell(event: EventFrame): void {
    for (const type of [event.type, '*']) {
      const listeners = this.#byType.get(type) ?? new Set();
      // A copy: who begins to listen meanwhile hears of the next one, and who is stopped meanwhile of none.
      for (const listener of [...listeners]) if (listeners.has(listener)) listener(event);
    }
  }
}

/** An event that several topics carry comes on each of them, and each may be replayed far behind the others. */
const maxRemembered = 10_000;

/** Of events by their ids: whether it is the first time that this one came, as far as is remembered. */
export class FirstTimes {
  readonly #ids = new Set<string>();

  take({ id }: EventFrame): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > maxRemembered) {
      for (const oldest of this.#ids) {
        this.#ids.delete(oldest);
        break;
      }
    }
    return true;
  }
}
