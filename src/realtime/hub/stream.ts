// The durable events of one topic, put in order. Events come from commits here, from the bridge and from the log, in any
// order and more than once; each leaves exactly once, n only after n - 1. Synchronous, and knows nothing of sockets.

import { idOf, type LoggedEvent } from '../log/event-log.ts';

/** The newest events stay in memory, so that a wave of reconnecting clients does not reach the log. */
export const ringEvents = 512;
const ringChars = 1_048_576;

/** Early arrivals beyond this are dropped: the log has them. */
const maxEarly = 1_024;

export class Stream {
  readonly topic: string;
  /** Frames that left for whoever follows it live, ephemeral ones too. */
  published = 0;
  readonly #deliver: (event: LoggedEvent) => void;
  #position: number | undefined;
  /** Of the event at the position, until one was delivered here. */
  #openedAt: string | null = null;
  /** The one at the position. */
  #newest: LoggedEvent | undefined;
  #early: Map<number, LoggedEvent> | undefined;
  /** Consecutive seqs, ending at the position. */
  #ring: LoggedEvent[] | undefined;
  #ringChars = 0;
  /** The seq of the newest event that rewrote others, 0 before there was one. [O5] */
  #rewrittenAt = 0;

  constructor(topic: string, deliver: (event: LoggedEvent) => void) {
    this.topic = topic;
    this.#deliver = deliver;
  }

  /** The seq of the newest event that was delivered. Throws before `open`. */
  get position(): number {
    if (this.#position === undefined) throw new Error(`The stream ${this.topic} is not open yet.`);
    return this.#position;
  }

  /** The id of the event at the position; null where the log had pruned it already, or nothing ever happened. */
  get newestId(): string | null {
    return this.#newest === undefined ? this.#openedAt : idOf(this.#newest);
  }

  get isOpen(): boolean {
    return this.#position !== undefined;
  }

  /** Something arrived that cannot be delivered yet, because an event before it is missing. */
  get hasHole(): boolean {
    return this.isOpen && (this.#early?.size ?? 0) > 0;
  }

  /** Starts behind `head`, which must have been read after events began to arrive here; `id` is that of its event. */
  open(head: number, id: string | null = null): void {
    this.#position = head;
    this.#openedAt = id;
    for (const seq of this.#early?.keys() ?? []) if (seq <= head) this.#early?.delete(seq);
    this.#deliverEarly();
  }

  accept(event: LoggedEvent): void {
    if (this.#position !== undefined && event.seq <= this.#position) return;
    if (event.seq - 1 === this.#position) {
      this.#advance(event);
      this.#deliverEarly();
      return;
    }
    this.#early ??= new Map();
    if (this.#early.size < maxEarly) this.#early.set(event.seq, event);
  }

  /** The events behind `seq` up to the position; undefined where memory does not reach back that far. */
  since(seq: number): readonly LoggedEvent[] | undefined {
    const missing = this.position - seq;
    if (missing < 0) throw new Error(`Position ${seq} is ahead of ${this.topic}.`);
    if (missing === 0) return noEvents;
    return missing > this.#ringLength ? undefined : this.#ring?.slice(-missing);
  }

  /** Whether the ring could reach back behind `seq`, were it filled from the log. */
  canRemember(seq: number): boolean {
    return this.position - seq <= ringEvents && this.#ringChars < ringChars / 2;
  }

  /**
   * Puts older events from the log in front of the ring, while there is room; ignored unless they join it without a gap.
   * `readAt`: where the stream stood when their reading began. If an event that rewrote others came since, they may be as
   * they were before it, and are ignored as well. [O5]
   */
  extendRing(older: readonly LoggedEvent[], readAt: number): void {
    if (readAt < this.#rewrittenAt) return;
    const oldest = this.position - this.#ringLength;
    const fitting = older.filter((event) => event.seq <= oldest);
    if (fitting.at(-1)?.seq !== oldest) return;
    let first = fitting.length;
    for (; first > 0 && this.#ringChars < ringChars / 2; first -= 1)
      this.#ringChars += fitting[first - 1]?.frame.length ?? 0;
    this.#ring = [...fitting.slice(first), ...(this.#ring ?? [])];
  }

  #advance(event: LoggedEvent): void {
    this.#position = event.seq;
    this.#newest = event;
    if (event.rewrites !== undefined) this.#forget(event.seq, event.rewrites);
    this.#ring ??= []; // most streams are a user's own, and quiet: they have none
    this.#ring.push(event);
    this.#ringChars += event.frame.length;
    // Cut in one go now and then: dropping one event a time would move the whole array each time.
    if (this.#ring.length > 2 * ringEvents || this.#ringChars > ringChars)
      this.#ring = this.#trim(this.#ring);
    this.#deliver(event);
  }

  /**
   * What was rewritten is nowhere else in memory: it stands before the event that does it, so it was delivered before.
   * Older events go along, as the ring has no gap; whoever wants them reads the log, where they are as they are now.
   */
  #forget(rewrittenAt: number, seqs: readonly number[]): void {
    this.#rewrittenAt = rewrittenAt;
    if (this.#ring === undefined) return;
    const newest = seqs.reduce((a, b) => Math.max(a, b), 0);
    this.#ring = this.#drop(this.#ring, this.#ring.filter(({ seq }) => seq <= newest).length);
  }

  #deliverEarly(): void {
    if (this.#early === undefined || this.#position === undefined) return;
    for (let next = this.#early.get(this.#position + 1); next; next = this.#early.get(this.#position + 1)) {
      this.#early.delete(next.seq);
      this.#advance(next);
    }
    if (this.#early.size === 0) this.#early = undefined;
  }

  #trim(ring: LoggedEvent[]): LoggedEvent[] {
    const kept = this.#drop(ring, Math.max(0, ring.length - ringEvents));
    let count = 0;
    for (let chars = this.#ringChars; chars > ringChars / 2 && count < kept.length; count += 1)
      chars -= kept[count]?.frame.length ?? 0;
    return this.#drop(kept, count);
  }

  /** The ring without its oldest events, so many of them. */
  #drop(ring: LoggedEvent[], count: number): LoggedEvent[] {
    for (let index = 0; index < count; index += 1) this.#ringChars -= ring[index]?.frame.length ?? 0;
    return ring.slice(count);
  }

  get #ringLength(): number {
    return this.#ring?.length ?? 0;
  }
}

const noEvents: readonly LoggedEvent[] = [];
