// What dispatch makes of a frame, and what the connection does with it: dispatch says what runs, in which lane, and what it
// replies; the connection alone says when it runs and when its reply leaves. [E6]

/** What a frame asks for. `isOverLimit`: to be refused; no more than its `id` and `type` are there. Must not throw. */
export type ReadFrame<C> = (connection: C, frame: string | Buffer, isOverLimit: boolean) => Turn;

/** What a frame does when its turn has come. */
export interface Turn {
  /** Neighbours of one lane take effect in order without waiting for each other's replies; undefined: it waits for all. */
  readonly lane: string | undefined;
  /** Nobody waits for it, and its reply leaves when it comes. */
  readonly isLate?: boolean;
  /** Called once. Neither promise may fail. */
  run(): {
    /** It has its place in the order of its lane: the next of the lane may follow. */
    readonly entered: Promise<unknown>;
    readonly reply: Promise<EncodedReply>;
  };
}

export interface EncodedReply {
  /** Undefined where none is wanted. */
  readonly text?: string | undefined;
  /** Runs right behind the reply. */
  readonly afterReply?: (() => void) | undefined;
}
