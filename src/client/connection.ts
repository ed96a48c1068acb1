// One WebSocket, spoken in frames, from its opening to its end. It knows no command: what is sent goes out as it is, and
// every frame that comes is handed on, once and in order. Nothing is handed on once it is closed from this side.

import type { EventFrame, EventMeta } from '../protocol/frames.ts';
import type { WireError } from './declarations.ts';

/** Any frame of the server. */
export interface ServerFrame {
  type: string;
  id?: string;
  topic?: string;
  seq?: number;
  at?: string;
  payload?: unknown;
  error?: WireError;
  meta?: EventMeta;
}

export const isEvent = (frame: ServerFrame): frame is EventFrame =>
  frame.topic !== undefined && frame.meta !== undefined;

/** As much of a WebSocket as is used here: the one of a browser, of Bun, of Node, or a test's own. */
export interface Socket {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** An end without a goodbye: programs can, pages cannot. */
  terminate?(): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: Closing) => void): void;
}

/** How a connection ended. Where it could not even be opened, or was cut, the code is 1006 or 1002. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

export interface ConnectionEvents {
  onOpen?(): void;
  onFrame(frame: ServerFrame): void;
  onClose(closing: Closing): void;
}

export class Connection<Wire extends Socket = Socket> {
  protected readonly socket: Wire;
  #isLeft = false;

  constructor(socket: Wire, { onOpen, onFrame, onClose }: ConnectionEvents) {
    this.socket = socket;
    socket.addEventListener('open', () => onOpen?.());
    socket.addEventListener('message', ({ data }) => {
      if (!this.#isLeft) onFrame(parseFrame(String(data)));
    });
    socket.addEventListener('close', ({ code, reason }) => onClose({ code, reason }));
  }

  /** The text goes out as it is. */
  sendText(text: string): void {
    this.socket.send(text);
  }

  /** Says goodbye. */
  close(code = 1000): void {
    this.socket.close(code);
  }

  /** Ends without a goodbye, where the platform can: nobody waits for a peer that may be gone. Nothing more is heard. */
  abandon(): void {
    this.#isLeft = true;
    if (this.socket.terminate === undefined) this.socket.close();
    else this.socket.terminate();
  }
}

function parseFrame(text: string): ServerFrame {
  const frame: unknown = JSON.parse(text);
  if (typeof frame === 'object' && frame !== null && 'type' in frame) return frame as ServerFrame; // the contract
  throw new Error(`The server sent no envelope: ${text}`);
}
