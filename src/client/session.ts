// What the terminal client and the demo share: the HTTP door, one raw WebSocket, where each topic stands, and how an
// envelope is printed. It keeps no connection alive: that is its callers' business.

import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { SignedIn } from '../auth/contract.ts';
import { subprotocol } from '../protocol/envelope.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { ErrorBody } from '../protocol/http.ts';

export interface Account {
  email: string;
  password: string;
  /** Given: the account is registered first. */
  name?: string | undefined;
}

const ServerFrame = Type.Object({
  type: Type.String(),
  id: Type.Optional(Type.String()),
  topic: Type.Optional(Type.String()),
  seq: Type.Optional(Type.Integer()),
  payload: Type.Optional(Type.Unknown()),
});
/** Any frame of the server, as far as these programs look into it. */
export type ServerFrame = Static<typeof ServerFrame>;

/** The server understood the request and said no. */
export class Refused extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'Refused';
  }
}

/** Where nothing names another one. */
export const defaultServer = 'http://localhost:3000';

/** The server's origin, from its HTTP or its WebSocket address. */
export function parseServerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(http|ws)s?:$/.test(url.protocol) || !['/', '/ws'].includes(url.pathname)) {
    throw new Error(`Expected a URL like http://localhost:3000 or ws://localhost:3000, not "${text}".`);
  }
  return new URL(url.origin.replace(/^ws/, 'http'));
}

/** Answers the body. Throws Refused, or an Error that says that there is no such server. */
export async function post(server: URL, path: string, body: object, token?: string): Promise<unknown> {
  const headers = new Headers({ 'Content-Type': 'application/json' });
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
  const response = await fetch(new URL(path, server), {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  }).catch((cause: unknown) => {
    throw new Error(`Nothing answers at ${server.origin}. Is the server running? (bun start)`, { cause });
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  if (!Value.Check(ErrorBody, answer)) {
    throw new Error(`POST ${path} answered ${response.status}. Is ${server.origin} a Carillon server?`);
  }
  const { code, message } = answer.error;
  throw new Refused(code, `POST ${path} was refused: ${code}. ${message}`);
}

/** Registers where the account has a name, else logs in. */
export async function signIn(server: URL, { email, password, name }: Account): Promise<SignedIn> {
  const answer =
    name === undefined
      ? await post(server, '/v1/auth/login', { email, password })
      : await post(server, '/v1/auth/register', { email, password, name });
  return readSignedIn(answer);
}

/** Spends the refresh token; the session stays the same. */
export async function refresh(server: URL, refreshToken: string): Promise<SignedIn> {
  return readSignedIn(await post(server, '/v1/auth/refresh', { refreshToken }));
}

export interface SocketEvents {
  onFrame(frame: ServerFrame): void;
  /** The connection is over, or could not be opened: then the code is 1006 or 1002. */
  onClose(code: number, reason: string): void;
}

/** Opens a raw WebSocket. The token travels as a subprotocol: browsers can do it, and no access log shows it. [H1] */
export function openSocket(server: URL, token: string, events: SocketEvents): WebSocket {
  const address = new URL('/ws', server);
  address.protocol = server.protocol.replace('http', 'ws');
  const socket = new WebSocket(address, [subprotocol, `bearer.${token}`]);
  socket.addEventListener('message', ({ data }) => {
    const frame: unknown = JSON.parse(String(data));
    if (!Value.Check(ServerFrame, frame)) throw new Error(`The server sent no envelope: ${String(data)}`);
    events.onFrame(frame);
  });
  socket.addEventListener('close', ({ code, reason }) => events.onClose(code, reason));
  return socket;
}

/** The answer to a subscribe, as far as these programs look into it. [S2] */
export const Joined = Type.Object({
  topic: Type.String(),
  seq: Type.Integer(),
  head: Type.Integer(),
  epoch: Type.String(),
  replay: Type.Integer(),
});
export type Joined = Static<typeof Joined>;
const ManyJoined = Type.Object({ results: Type.Array(Type.Unknown()) });

/** Where a connection stands on each topic it follows. Show it every frame of the server. */
export class Positions {
  readonly #joined = new Map<string, Joined>();

  note({ type, topic, seq, payload }: ServerFrame): void {
    if (type === 'ok') {
      for (const result of Value.Check(ManyJoined, payload) ? payload.results : [payload]) {
        if (Value.Check(Joined, result)) this.#joined.set(result.topic, { ...result });
      }
    } else if (type === 'unsubscribed' && topic !== undefined) {
      this.#joined.delete(topic);
    } else if (topic !== undefined && seq !== undefined) {
      const joined = this.#joined.get(topic);
      if (joined !== undefined) joined.seq = seq;
    }
  }

  forget(topic: string): void {
    this.#joined.delete(topic);
  }

  /** Everything missed before the subscriptions has come. */
  get areCaughtUp(): boolean {
    return [...this.#joined.values()].every(({ seq, head }) => seq >= head);
  }

  /** What to ask for after a reconnect: a subscribe frame for each topic, without its `id`. [S1] */
  resume(): { type: 'subscribe'; topic: string; payload: { since: number; epoch: string } }[] {
    return [...this.#joined.values()].map(({ topic, seq, epoch }) => ({
      type: 'subscribe',
      topic,
      payload: { since: seq, epoch },
    }));
  }
}

export interface Printer {
  /** A frame to the server. Access tokens are left out. */
  sent(frame: string): void;
  received(frame: ServerFrame): void;
  note(text: string): void;
}

const colours = { cyan: 36, green: 32, grey: 90 };

/** Prints a line an envelope: time (UTC), who, direction, compact JSON. Coloured on a terminal only. */
export function createPrinter(who = ''): Printer {
  const paint = (colour: keyof typeof colours, text: string): string =>
    process.stdout.isTTY ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
  const print = (colour: keyof typeof colours, mark: string, text: string): void => {
    const time = new Date().toISOString().slice(11, 23);
    const start = [paint('grey', time), who, paint(colour, mark)].filter(Boolean).join(' ');
    process.stdout.write(`${start} ${text}\n`);
  };
  return {
    sent: (frame) => print('cyan', '→', frame.replace(/("token":\s*")[^"]*/g, '$1…')),
    received: (frame) => print('green', '←', JSON.stringify(frame)),
    note: (text) => print('grey', '·', text),
  };
}

function readSignedIn(answer: unknown): SignedIn {
  if (Value.Check(SignedIn, answer)) return answer;
  throw new Error('The server answered something else than tokens. Is it a Carillon server?');
}
