// The files of the embedded database. They are nobody else's to read, and it has descriptors for them whatever the rest
// of the process uses up: those that it has not opened yet are held open on the null device until it wants them. Both
// happen in this thread, as accepting connections does, so that none can take one in between.
//
// Without that, Emscripten takes a file that the system refused to make for one that is there, PostgreSQL fails at it
// until the process ends, and where it is a file of the write-ahead log the process ends with it.

import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** PostgreSQL closes files that it used least before it has more open. It began with 50, and went on to 300. */
const maxFiles = 96;
/** Files that PostgreSQL does not count, or opens for a moment. */
const heldDescriptors = maxFiles + 16;

/** For `PGlite.create`, behind its own. */
export const fileParams = ['-c', `max_files_per_process=${maxFiles}`];

/** Emscripten's, as far as it matters here. */
interface Nodefs {
  node_ops: {
    mknod(parent: unknown, name: string, mode: number, device: number): unknown;
    setattr(node: unknown, attributes: { mode?: number }): unknown;
    readdir(node: unknown): unknown;
  };
  stream_ops: {
    open(stream: Stream): void;
    close(stream: Stream): void;
  };
}

interface Stream {
  shared: { refcount: number };
}

export class EmbeddedFiles extends NodeFS {
  readonly #held: number[] = [];
  #open = 0;
  #isClosed = false;

  override async init(...given: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    this.#hold();
    const { emscriptenOpts } = await super.init(...given);
    const prepare: NonNullable<typeof emscriptenOpts.preRun>[number] = (module) =>
      // The package's type leaves it out.
      this.#prepare((module as unknown as { NODEFS: Nodefs }).NODEFS);
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [prepare, ...(emscriptenOpts.preRun ?? [])] } };
  }

  override async closeFs(): Promise<void> {
    this.#isClosed = true; // what is closed from now on is not to be held again
    for (const descriptor of this.#held.splice(0)) closeSync(descriptor);
    await super.closeFs();
  }

  #prepare({ node_ops, stream_ops }: Nodefs): void {
    const { mknod, setattr, readdir } = node_ops;
    const { open, close } = stream_ops;
    // Their mode is set by name as well, so that a umask would not do.
    node_ops.mknod = (parent, name, mode, device) =>
      this.#spare(() => mknod(parent, name, ours(mode), device));
    node_ops.setattr = (node, attributes) =>
      this.#spare(() =>
        setattr(node, attributes.mode == null ? attributes : { ...attributes, mode: ours(attributes.mode) }),
      );
    node_ops.readdir = (node) => this.#spare(() => readdir(node));
    stream_ops.open = (stream) =>
      this.#spare(() => {
        open(stream);
        this.#open += 1;
      });
    stream_ops.close = (stream) => {
      close(stream);
      if (stream.shared.refcount === 0) this.#open -= 1;
      this.#hold();
    };
  }

  /** One descriptor is free while `work` runs. */
  #spare<Result>(work: () => Result): Result {
    const descriptor = this.#held.pop();
    if (descriptor !== undefined) closeSync(descriptor);
    try {
      return work();
    } finally {
      this.#hold();
    }
  }

  #hold(): void {
    if (this.#isClosed) return;
    try {
      while (this.#held.length + this.#open < heldDescriptors) this.#held.push(openSync(devNull, 'r'));
    } catch (error) {
      // A process that may have no more than that: what there is, is held.
      if (!(error instanceof Error && 'code' in error && /^E[MN]FILE$/.test(String(error.code)))) throw error;
    }
  }
}

/** The mode without what others may do. */
const ours = (mode: number): number => mode & ~0o077;
