// The ordered stream alone: whatever the order of arrival, each event leaves once, in order.

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { ringEvents, Stream } from '../../../src/realtime/hub/stream.ts';
import type { LoggedEvent } from '../../../src/realtime/log/event-log.ts';

const topic = 'app:test';

function makeEvent(seq: number, frame = `frame ${seq}`, rewrites?: number[]): LoggedEvent {
  return { topic, seq, type: 'thing.happened', frame, revokes: undefined, withheldFrom: undefined, rewrites };
}

function openStream(head = 0): { stream: Stream; delivered: number[] } {
  const delivered: number[] = [];
  const stream = new Stream(topic, ({ seq }) => delivered.push(seq));
  stream.open(head);
  return { stream, delivered };
}

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

const makeEvents = (first: number, last: number, frame?: string) =>
  range(first, last).map((seq) => makeEvent(seq, frame));

/** Removes one of them, if there is any. */
const take = <Item>(items: Item[], n: number): Item[] => items.splice(n % (items.length || 1), 1);

describe('stream', () => {
  test('[O1] delivers events once and in order, however they arrive', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }).chain((count) =>
          fc.record({
            count: fc.constant(count),
            head: fc.integer({ min: 0, max: count }),
            openAfter: fc.nat({ max: count }),
            arrivals: fc
              .array(fc.integer({ min: 1, max: count }), { maxLength: count })
              .chain((repeats) =>
                fc.shuffledSubarray([...range(1, count), ...repeats], { minLength: count + repeats.length }),
              ),
          }),
        ),
        ({ count, head, openAfter, arrivals }) => {
          const delivered: number[] = [];
          const stream = new Stream(topic, ({ seq }) => delivered.push(seq));
          arrivals.forEach((seq, index) => {
            if (index === openAfter) stream.open(head);
            stream.accept(makeEvent(seq));
          });
          if (!stream.isOpen) stream.open(head);
          expect(delivered).toEqual(range(head + 1, count));
          expect(stream.position).toBe(count);
          expect(stream.hasHole).toBe(false);
        },
      ),
    );
  });

  test('waits at a hole, and goes on when it is filled', () => {
    const { stream, delivered } = openStream();
    stream.accept(makeEvent(1));
    stream.accept(makeEvent(3));
    expect(delivered).toEqual([1]);
    expect(stream.hasHole).toBe(true);
    stream.accept(makeEvent(2));
    expect(delivered).toEqual([1, 2, 3]);
    expect(stream.hasHole).toBe(false);
  });

  test('keeps the newest events in memory, and says when it does not reach back far enough', () => {
    const { stream } = openStream();
    const last = 5 * ringEvents;
    for (const seq of range(1, last)) stream.accept(makeEvent(seq));
    expect(stream.since(last)).toEqual([]);
    expect(stream.since(last - ringEvents)?.map(({ seq }) => seq)).toEqual(
      range(last - ringEvents + 1, last),
    );
    expect(stream.since(1)).toBeUndefined();
  });

  test('keeps few of very long events', () => {
    const { stream } = openStream();
    const long = 'x'.repeat(300_000);
    for (const seq of range(1, 20)) stream.accept(makeEvent(seq, long));
    expect(stream.since(19)?.length).toBe(1);
    expect(stream.since(10)).toBeUndefined();
  });

  test('takes older events from the log in front, if they join without a gap', () => {
    const { stream } = openStream(10);
    stream.accept(makeEvent(11));
    stream.extendRing(makeEvents(3, 8), 11);
    expect(stream.since(9)).toBeUndefined();
    stream.extendRing(makeEvents(5, 11), 11);
    expect(stream.since(4)?.map(({ seq }) => seq)).toEqual(range(5, 11));
  });

  test('remembers no more than some 512 events, and fewer where they are large', () => {
    const { stream } = openStream(1_000);
    expect(stream.canRemember(1_000 - ringEvents)).toBe(true);
    expect(stream.canRemember(999 - ringEvents)).toBe(false);
    const frame = 'x'.repeat(100_000);
    stream.extendRing(makeEvents(900, 1_000, frame), 1_000);
    expect(stream.since(994)?.map(({ seq }) => seq)).toEqual(range(995, 1_000));
    expect(stream.since(993)).toBeUndefined();
    expect(stream.canRemember(993)).toBe(false); // it is full: nobody asks the log again
  });

  test('keeps a bounded number of early arrivals, and takes the others from the log later', () => {
    const { stream, delivered } = openStream();
    const last = 10_000;
    for (const seq of range(2, last)) stream.accept(makeEvent(seq));
    stream.accept(makeEvent(1));
    expect(delivered).toEqual(range(1, delivered.length));
    expect(delivered.length).toBeLessThan(2_000);
    for (const seq of range(1, last)) stream.accept(makeEvent(seq));
    expect(delivered).toEqual(range(1, last));
    expect(stream.hasHole).toBe(false);
  });

  test('[O5] forgets what was rewritten, with all that is older, when it delivers the event that did it', () => {
    const { stream } = openStream();
    for (const event of makeEvents(1, 9)) stream.accept(event);
    stream.accept(makeEvent(10, 'the rewriting', [2, 6, 4]));
    expect(stream.since(6)?.map(({ seq }) => seq)).toEqual([7, 8, 9, 10]);
    expect(stream.since(5)).toBeUndefined();
    stream.accept(makeEvent(11, 'another', [5])); // no longer in memory
    expect(stream.since(6)?.length).toBe(5);
    stream.accept(makeEvent(12, 'the last', [11]));
    expect(stream.since(11)?.map(({ frame }) => frame)).toEqual(['the last']);
    expect(stream.since(10)).toBeUndefined();
  });

  test('[O5] keeps nothing rewritten that was early, before it was open or behind a hole', () => {
    const { stream, delivered } = openStream(1);
    for (const event of [makeEvent(3), makeEvent(5, 'the rewriting', [3, 4]), makeEvent(4)])
      stream.accept(event);
    stream.accept(makeEvent(2));
    expect(delivered).toEqual([2, 3, 4, 5]);
    expect(stream.since(4)?.length).toBe(1);
    expect(stream.since(3)).toBeUndefined();

    const late = new Stream(topic, () => {});
    for (const event of [...makeEvents(1, 2), makeEvent(3, 'the rewriting', [1, 2])]) late.accept(event);
    late.open(2);
    expect(late.since(2)?.length).toBe(1);
    expect(late.since(1)).toBeUndefined();
  });

  test('[O5] takes nothing from the log that was read before a rewriting, be it in the log by then or not', () => {
    const { stream } = openStream(10);
    stream.accept(makeEvent(11, 'the rewriting', [4]));
    stream.extendRing(makeEvents(1, 10), 10);
    expect(stream.since(10)?.length).toBe(1);
    expect(stream.since(9)).toBeUndefined();
    stream.extendRing(makeEvents(1, 10), 11);
    expect(stream.since(0)?.length).toBe(11);
  });

  test('[O5] has nothing that was rewritten up to its position, whatever comes from where and when', () => {
    const step = fc.record({
      what: fc.constantFrom('commit', 'rewrite', 'arrive', 'read', 'answer', 'warm', 'fill'),
      on: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
        /** As the log has them now. The frame of an event says how often it was rewritten. */
        const log: LoggedEvent[] = [];
        /** As they were committed, on their way over the bridge, and as they were read from the log. */
        const sent: LoggedEvent[] = [];
        const pages: LoggedEvent[][] = [];
        const older: { events: LoggedEvent[]; readAt: number }[] = [];
        const { stream } = openStream();
        const write = (rewrites?: number[]) => {
          const event = makeEvent(log.length + 1, '0', rewrites);
          log.push(event);
          sent.push(event);
        };
        const rewrite = (on: number) => {
          const event = log[on % log.length];
          if (event === undefined) return;
          log[event.seq - 1] = { ...event, frame: `${Number(event.frame) + 1}` };
          write([event.seq]);
        };
        for (const { what, on } of steps) {
          if (what === 'commit') write();
          else if (what === 'rewrite') rewrite(on);
          else if (what === 'arrive') for (const event of take(sent, on)) stream.accept(event);
          else if (what === 'read') pages.push(log.slice(stream.position));
          else if (what === 'answer') for (const event of take(pages, on).flat()) stream.accept(event);
          else if (what === 'warm')
            older.push({ events: log.slice(0, stream.position), readAt: stream.position });
          else for (const { events, readAt } of take(older, on)) stream.extendRing(events, readAt);

          const { position } = stream;
          let after = position;
          while (after > 0 && stream.since(after - 1) !== undefined) after -= 1;
          for (const { seq, frame } of stream.since(after) ?? []) {
            const times = log.slice(0, position).filter(({ rewrites }) => rewrites?.includes(seq)).length;
            expect(Number(frame)).toBeGreaterThanOrEqual(times);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('[O5] has room again for what it forgot', () => {
    const { stream } = openStream();
    const frame = 'x'.repeat(100_000);
    for (const event of makeEvents(1, 6, frame)) stream.accept(event);
    expect(stream.canRemember(0)).toBe(false);
    stream.accept(makeEvent(7, 'the rewriting', [6]));
    expect(stream.canRemember(0)).toBe(true);
    stream.extendRing(makeEvents(2, 6, frame), 7);
    expect(stream.since(1)?.length).toBe(6);
  });

  test('forgets the size of what it forgets: after many events it remembers as many as ever', () => {
    const { stream } = openStream();
    const frame = 'x'.repeat(300);
    // Several MiB have passed through; what is kept was never near the limit of one.
    for (const seq of range(1, 20_000)) {
      stream.accept(makeEvent(seq, frame));
      if (seq > ringEvents) expect(stream.since(seq - ringEvents)?.length).toBe(ringEvents);
    }
    expect(stream.canRemember(20_000 - ringEvents)).toBe(true);
  });
});
