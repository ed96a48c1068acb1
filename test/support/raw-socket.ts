// A WebSocket spoken by hand over TCP, for what a well-behaved client cannot do: refuse to read, split a frame, send
// bytes that are no text, or be refused with the upgrade.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Frame } from './client.ts';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawSocketOptions {
  token?: string;
  headers?: Record<string, string>;
}

/** Connects and asks for the upgrade; resolves with the answer to it, whatever that is. */
export async function openRawSocket(port: number, options: RawSocketOptions = {}): Promise<RawSocket> {
  const socket = connect(port, '127.0.0.1');
  const raw = new RawSocket(socket);
  await once(socket, 'connect');
  const headers: Record<string, string> = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...(options.token !== undefined && { Authorization: `Bearer ${options.token}` }),
    ...options.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /ws HTTP/1.1\r\n${lines.join('')}\r\n`);
  await raw.answered;
  return raw;
}

/** One frame, masked as RFC 6455 wants it of clients (with zeros, which leave the payload as it is). */
export function encodeFrame(
  payload: string | Uint8Array,
  opcode: number = opcodes.text,
  isFinal = true,
  isCompressed = false,
): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(bytes.length < 126 ? 6 : bytes.length < 65_536 ? 8 : 14);
  head[0] = (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode;
  if (bytes.length < 126) {
    head[1] = 0x80 | bytes.length;
  } else if (bytes.length < 65_536) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(bytes.length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(bytes.length), 2);
  }
  return Buffer.concat([head, bytes]);
}

export class RawSocket {
  /** The first line and the headers of the answer to the upgrade; empty where there was none. */
  head = '';
  /** Bytes of whole frames that came. */
  receivedBytes = 0;
  /** Text frames that nobody has asked for yet. */
  readonly frames: Frame[] = [];
  readonly answered: Promise<void>;
  /** The code of the close frame; undefined: the connection ended without one. */
  readonly closed: Promise<number | undefined>;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #closeCode: number | undefined;
  #ponged = Promise.withResolvers<void>();
  #arrival = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    const answered = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<number | undefined>();
    this.answered = answered.promise;
    this.closed = closed.promise;
    socket.on('data', (bytes: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, bytes]);
      if (this.head === '') this.#readHead();
      if (this.head === '') return;
      answered.resolve();
      if (this.status === 101) while (this.#readFrame());
    });
    socket.on('error', () => {}); // a close follows
    socket.on('close', () => {
      answered.resolve();
      closed.resolve(this.#closeCode);
      this.#arrive();
    });
  }

  get status(): number {
    return Number(this.head.split(' ')[1]);
  }

  /** What follows the head of an answer that was no upgrade, as far as it came. */
  get body(): string {
    return this.#rest.toString();
  }

  /** One frame. */
  send(payload: string | Uint8Array, opcode: number = opcodes.text, isFinal = true): void {
    this.#socket.write(encodeFrame(payload, opcode, isFinal));
  }

  /** Bytes of any number of frames, or parts of them; resolves when they have left. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** The next text frame for which the function holds; frames before it are skipped. */
  async next(matches: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      for (let frame = this.frames.shift(); frame !== undefined; frame = this.frames.shift()) {
        if (matches(frame)) return frame;
      }
      if (this.#socket.closed) throw new Error('The connection ended while waiting for a frame.');
      await this.#arrival.promise;
    }
  }

  /** Resolves when the server has read everything that was sent before: it answers control frames as it meets them. */
  async ping(): Promise<void> {
    this.#ponged = Promise.withResolvers();
    this.send('', opcodes.ping);
    await Promise.race([this.#ponged.promise, this.closed]);
  }

  /** From now on nothing is taken from the kernel: its buffers fill up, then the server's. */
  stopReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #readHead(): void {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.head = this.#rest.subarray(0, end).toString();
    this.#rest = this.#rest.subarray(end + 4);
  }

  #readFrame(): boolean {
    const [first, second] = this.#rest;
    if (first === undefined || second === undefined) return false;
    const headBytes = second < 126 ? 2 : second === 126 ? 4 : 10;
    if (this.#rest.length < headBytes) return false;
    const length =
      second < 126
        ? second
        : second === 126
          ? this.#rest.readUInt16BE(2)
          : Number(this.#rest.readBigUInt64BE(2));
    if (this.#rest.length < headBytes + length) return false;
    const payload = this.#rest.subarray(headBytes, headBytes + length);
    this.#rest = this.#rest.subarray(headBytes + length);
    this.receivedBytes += headBytes + length;
    const opcode = first & 0x0f;
    if (opcode === opcodes.text) this.frames.push(JSON.parse(payload.toString()));
    if (opcode === opcodes.ping) this.send(payload, opcodes.pong);
    if (opcode === opcodes.pong) this.#ponged.resolve();
    if (opcode === opcodes.close) this.#closeCode = length < 2 ? undefined : payload.readUInt16BE(0);
    this.#arrive();
    return true;
  }

  #arrive(): void {
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }
}
