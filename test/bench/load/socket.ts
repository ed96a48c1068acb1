// One WebSocket spoken by hand over TCP, as cheap as can be: the server's frames are found by their headers, and of their
// payloads only as much is waited for as the job wants to see. What is sent is masked with zeros, which RFC 6455 allows.

import type { Socket } from 'bun';

/** The payload begins at `start`; at least `peekBytes` of it are there, or all of it. */
export type OnFrame = (bytes: Uint8Array, start: number, length: number) => void;

export interface Upgrade {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class LoadSocket {
  onFrame: OnFrame = () => {};
  /** How much of a payload `onFrame` needs to see. */
  peekBytes = Number.POSITIVE_INFINITY;
  /** Called once, when the connection is over and nobody asked for that. */
  onLost: (why: string) => void = () => {};
  readonly #upgrade: Upgrade;
  readonly #opened = Promise.withResolvers<void>();
  #socket: Socket<LoadSocket> | undefined;
  #isOpen = false;
  #isClosing = false;
  /** Bytes that came and are not understood yet. */
  #rest: Uint8Array | undefined;
  /** Bytes of the payload under way that are yet to come. */
  #skip = 0;
  /** Bytes that the kernel did not take yet. */
  #unsent: Uint8Array | undefined;

  constructor(upgrade: Upgrade) {
    this.#upgrade = upgrade;
  }

  /** Resolves when the upgrade was answered with 101. */
  async open(): Promise<void> {
    await Bun.connect({ hostname: '127.0.0.1', port: this.#upgrade.port, data: this, socket: handlers });
    await this.#opened.promise;
  }

  /** `frame`: made by `encodeFrame`, one or several behind each other. */
  write(frame: Uint8Array): void {
    if (this.#unsent !== undefined) {
      this.#unsent = concat(this.#unsent, frame);
      return;
    }
    const sent = Math.max(0, this.#socket?.write(frame) ?? 0);
    if (sent < frame.length) this.#unsent = frame.slice(sent);
  }

  sendText(text: string): void {
    this.write(encodeFrame(text));
  }

  /** Gone without a goodbye. */
  terminate(): void {
    this.#isClosing = true;
    this.#socket?.terminate();
  }

  // What the socket's handlers call.

  begin(socket: Socket<LoadSocket>): void {
    this.#socket = socket;
    const { port, path, headers = {} } = this.#upgrade;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.write(
      encoder.encode(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines.join('')}\r\n`,
      ),
    );
  }

  flush(): void {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent !== undefined) this.write(unsent);
  }

  lose(why: string): void {
    this.#opened.reject(new Error(why));
    if (!this.#isClosing) this.onLost(why);
    this.#isClosing = true;
  }

  read(chunk: Uint8Array): void {
    const bytes = this.#rest === undefined ? chunk : concat(this.#rest, chunk);
    this.#rest = undefined;
    let at = this.#isOpen ? 0 : this.#readHead(bytes);
    while (this.#isOpen) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      at += skipped;
      this.#skip -= skipped;
      const left = bytes.length - at;
      if (left < 2) break;
      const small = bytes[at + 1] ?? 0;
      const headBytes = small < 126 ? 2 : small === 126 ? 4 : 10;
      if (left < headBytes) break;
      const length = small < 126 ? small : readLength(bytes, at + 2, headBytes - 2);
      if (left < headBytes + Math.min(length, this.peekBytes)) break;
      const opcode = (bytes[at] ?? 0) & 0x0f;
      at += headBytes;
      this.#skip = length;
      if (opcode === opcodes.text) this.onFrame(bytes, at, length);
      else this.#control(opcode);
    }
    if (at < bytes.length) this.#rest = bytes.slice(at);
  }

  #readHead(bytes: Uint8Array): number {
    const head = decoder.decode(bytes.subarray(0, 4_096));
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return 0;
    if (!head.startsWith('HTTP/1.1 101')) {
      this.lose(`The upgrade was answered: ${head.slice(0, 200)}`);
      return bytes.length;
    }
    this.#isOpen = true;
    this.#opened.resolve();
    return end + 4;
  }

  #control(opcode: number): void {
    if (opcode === opcodes.ping) this.write(encodeFrame('', opcodes.pong));
    if (opcode === opcodes.close) this.lose('The server closed the connection.');
  }
}

const handlers = {
  open: (socket: Socket<LoadSocket>) => socket.data.begin(socket),
  data: (socket: Socket<LoadSocket>, bytes: Uint8Array) => socket.data.read(bytes),
  drain: (socket: Socket<LoadSocket>) => socket.data.flush(),
  close: (socket: Socket<LoadSocket>) => socket.data.lose('The connection broke.'),
  error: (socket: Socket<LoadSocket>, error: Error) => socket.data.lose(error.message),
};

/** A text frame as a client sends it. Made once and written often, it costs the sender next to nothing. */
export function encodeFrame(text: string, opcode: number = opcodes.text): Uint8Array {
  const payload = encoder.encode(text);
  if (payload.length > 65_535) throw new Error('The load generator sends no frames of more than 64 KiB.');
  const headBytes = payload.length < 126 ? 6 : 8;
  const frame = new Uint8Array(headBytes + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | Math.min(payload.length, 126);
  if (headBytes === 8) new DataView(frame.buffer).setUint16(2, payload.length);
  frame.set(payload, headBytes);
  return frame;
}

export function decodeText(bytes: Uint8Array, start: number, length: number): string {
  return decoder.decode(bytes.subarray(start, start + length));
}

export function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function readLength(bytes: Uint8Array, at: number, count: number): number {
  let length = 0;
  for (let index = at; index < at + count; index += 1) length = length * 256 + (bytes[index] ?? 0);
  return length;
}
