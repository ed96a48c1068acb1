// What became of recent durable events on this instance, for whoever asks after one: a ring of notes, the oldest of which are
// forgotten. Writing a note allocates nothing; finding those of an event looks through all of them.

const marks = ['committed', 'bridged', 'received', 'delivered', 'healed'] as const;

/**
 * `committed` here; `bridged`: handed to Redis for other instances; `received` from one of them; `delivered` to followers here;
 * `healed`: the same, but it had to be read from the log.
 */
export type Mark = (typeof marks)[number];

export interface Note {
  readonly mark: Mark;
  /** By this instance's clock, in ms since 1970. */
  readonly at: number;
  /** Connections that it was delivered to. */
  readonly followers: number;
}

const defaultLength = 16_384;

export class Trail {
  readonly #topics: string[];
  readonly #seqs: Float64Array;
  readonly #times: Float64Array;
  readonly #followers: Uint32Array;
  readonly #marks: Uint8Array;
  #next = 0;

  constructor(length = defaultLength) {
    this.#topics = new Array<string>(length).fill('');
    this.#seqs = new Float64Array(length);
    this.#times = new Float64Array(length);
    this.#followers = new Uint32Array(length);
    this.#marks = new Uint8Array(length);
  }

  note(mark: Mark, topic: string, seq: number, at: number, followers = 0): void {
    const index = this.#next;
    this.#next = index + 1 === this.#topics.length ? 0 : index + 1;
    this.#topics[index] = topic;
    this.#seqs[index] = seq;
    this.#times[index] = at;
    this.#followers[index] = followers;
    this.#marks[index] = marks.indexOf(mark);
  }

  /** What is remembered of the event, in the order in which it happened; none: nothing is, any more. */
  find(topic: string, seq: number): Note[] {
    const length = this.#topics.length;
    const found: Note[] = [];
    for (let step = 0; step < length; step += 1) {
      const index = (this.#next + step) % length;
      if (this.#seqs[index] !== seq || this.#topics[index] !== topic) continue;
      const mark = marks[this.#marks[index] ?? 0] ?? 'committed';
      found.push({ mark, at: this.#times[index] ?? 0, followers: this.#followers[index] ?? 0 });
    }
    return found;
  }
}
