// The places of a batch's events: each gets the next seq of its topics, when it is emitted. Nothing is asked for that: the topics
// are locked, and their heads known.

import { isForgettable } from '../../protocol/topics.ts';
import { type Actor, metaOf } from '../actor.ts';
import type { Topic } from '../topic-kind.ts';
import { checkPlace, type EmitOptions, type EmitPlain, type Topics, toCausedEvent } from './commit.ts';
import { type Heads, type PlainEvent, spread } from './event-log.ts';

/** As `emit` of a command, on topics that `find` locked. */
export interface BatchEmit extends EmitPlain {
  /** The seq that the next event on the topic gets, for rows that carry the seq of their own event. */
  seqOf(on: Pick<Topic, 'name'>): number;
  /** A topic that begins with this item: its name is new in the world, so there is nobody to lock it against. */
  begin(on: Pick<Topic, 'name'>): void;
}

/** Above the heads of topics that are locked. */
export function createPlaces(heads: Heads) {
  const reached = new Map(heads);
  const placed: PlainEvent[] = [];
  const ended = new Set<string>();
  let meta = metaOf(undefined);
  const nextOn = (topic: string): number => {
    const head = reached.get(topic);
    if (head === undefined) throw new Error(`The topic ${topic} is not locked.`);
    return head + 1;
  };
  const emit = (on: Topics, type: string, payload: unknown, options?: EmitOptions): void => {
    if ('name' in on && options === undefined) {
      // The hot path, in one step: what is below costs a message 1 µs more.
      checkPlace(ended, on, type);
      const seq = nextOn(on.name);
      reached.set(on.name, seq);
      placed.push({ topic: on.name, seq, event: { type, payload }, meta, id: Bun.randomUUIDv7() });
      return;
    }
    for (const one of spread(toCausedEvent(meta, ended, on, type, payload, options))) {
      const seq = nextOn(one.topic);
      reached.set(one.topic, seq);
      placed.push({ ...one, seq });
    }
  };
  return {
    placed,
    /** From now on this one causes the events. */
    actFor(actor: Actor) {
      meta = metaOf(actor);
    },
    emit: Object.assign(emit, {
      seqOf: ({ name }: Pick<Topic, 'name'>) => nextOn(name),
      begin({ name }: Pick<Topic, 'name'>) {
        if (isForgettable(name)) throw new Error(`The topic ${name} may have been there before. Lock it.`); // [T4]
        reached.set(name, 0);
      },
    }) satisfies BatchEmit,
    /** Of the topics that got events, their heads. */
    reached: (): Heads => new Map([...reached].filter(([topic, seq]) => seq > (heads.get(topic) ?? 0))),
  };
}
