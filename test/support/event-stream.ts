// A reader of server-sent events that never comes back by itself: it keeps what came, message by message.

import type { Frame } from './client.ts';

export interface Message {
  /** The id that a reader would come back with: of this message, or of one before. */
  readonly lastId: string | undefined;
  /** Whether the id is its own. */
  readonly hasId: boolean;
  readonly frame: Frame;
}

export interface StreamOptions {
  readonly token?: string;
  /** With the `?`. */
  readonly query?: string;
  readonly lastId?: string | undefined;
}

type Match = string | ((frame: Frame) => boolean);

/** What is answered is a stream; throws the refusal as `<status> <code>` where it is none. */
export async function openStream(
  url: string,
  topic: string,
  { token, query = '', lastId }: StreamOptions,
): Promise<EventStreamReader> {
  const aborting = new AbortController();
  const response = await fetch(`${url}/v1/topics/${encodeURIComponent(topic)}/stream${query}`, {
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(lastId !== undefined && { 'Last-Event-ID': lastId }),
    },
    signal: aborting.signal,
  });
  if (response.status !== 200 || response.body === null) {
    const { error } = (await response.json()) as { error: { code: string } }; // every refusal has one
    throw new Error(`${response.status} ${error.code}`);
  }
  return new EventStreamReader(response, response.body, () => aborting.abort());
}

export class EventStreamReader {
  readonly headers: Headers;
  readonly messages: Message[] = [];
  readonly comments: string[] = [];
  retryMs: number | undefined;
  lastId: string | undefined;
  /** Resolves when nothing more will come: true where the server ended it in order. */
  readonly ended: Promise<boolean>;
  readonly #abort: () => void;
  #unread: Frame[] = [];
  #isOver = false;
  #look = Promise.withResolvers<void>();

  constructor(response: Response, body: ReadableStream<Uint8Array>, abort: () => void) {
    this.headers = response.headers;
    this.#abort = abort;
    this.ended = this.#read(body).finally(() => {
      this.#isOver = true;
      this.#look.resolve();
    });
  }

  get frames(): Frame[] {
    return this.messages.map(({ frame }) => frame);
  }

  /** Of the durable events. */
  get seqs(): number[] {
    return this.frames.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
  }

  /** The next message that was not answered yet and matches. Fails where the stream ends before. */
  async next(match: Match): Promise<Frame> {
    const matches = typeof match === 'string' ? (frame: Frame) => frame.type === match : match;
    for (;;) {
      const found = this.#unread.find(matches);
      if (found !== undefined) {
        this.#unread = this.#unread.filter((frame) => frame !== found);
        return found;
      }
      if (this.#isOver) throw new Error(`The stream ended before ${match} came.`);
      await this.#look.promise;
    }
  }

  close(): void {
    this.#abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<boolean> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of body) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) this.#take(block);
        this.#look.resolve();
        this.#look = Promise.withResolvers();
      }
      return text === '';
    } catch {
      return false; // aborted, or cut
    }
  }

  #take(block: string): void {
    let data: string | undefined;
    let hasId = false;
    for (const line of block.split('\n')) {
      const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (field === '') this.comments.push(value);
      else if (field === 'data') data = value;
      else if (field === 'retry') this.retryMs = Number(value);
      else if (field === 'id') {
        this.lastId = value;
        hasId = true;
      } else throw new Error(`Not a line that the server sends: ${line}`);
    }
    if (data === undefined) return;
    const frame: Frame = JSON.parse(data);
    this.messages.push({ lastId: this.lastId, hasId, frame });
    this.#unread.push(frame);
  }
}
