// How one talks to each of the servers that are measured: the way in, publishing, and sending what is acknowledged.

import { createToken } from '../users.ts';
import { decodeText, LoadSocket, type Upgrade } from './socket.ts';

export const dialectNames = ['carillon', 'plain', 'socket.io'] as const;
export type DialectName = (typeof dialectNames)[number];

export interface Visitor {
  readonly port: number;
  /** The number of the user who connects. */
  readonly user: number;
  readonly topics: readonly string[];
  /** What `plain` servers are told at the door: they pass on whatever comes to this topic. */
  readonly publishesTo?: string;
}

export interface Dialect {
  upgrade(visitor: Visitor): Promise<Upgrade>;
  /** What to say to a frame of the handshake (undefined: to the open door), or that it is over. Throws on a refusal. */
  shake(frame: string | undefined, topics: readonly string[]): { say?: string; isDone?: boolean };
  publish(topic: string, data: string, isDurable: boolean): string;
  /** Asks for an answer that carries `slot`, one digit. */
  send(slot: number, topic: string, data: string): string;
  /** What a frame is, by its first `peekBytes`: the slot that it answers, `refusal`, `ping`, or another frame. */
  classify(bytes: Uint8Array, start: number, length: number): number | 'refusal' | 'ping' | 'other';
  readonly peekBytes: number;
  readonly pong?: string;
}

/** Connects, subscribes, and resolves when the server has said that both are done. */
export async function enter(dialect: Dialect, visitor: Visitor): Promise<LoadSocket> {
  const socket = new LoadSocket(await dialect.upgrade(visitor));
  const entered = Promise.withResolvers<void>();
  const answer = (frame: string | undefined) => {
    try {
      const { say, isDone } = dialect.shake(frame, visitor.topics);
      if (say !== undefined) socket.sendText(say);
      if (isDone) entered.resolve();
    } catch (error) {
      entered.reject(error);
    }
  };
  socket.onFrame = (bytes, start, length) => answer(decodeText(bytes, start, length));
  socket.onLost = (why) => entered.reject(new Error(why));
  await socket.open();
  answer(undefined);
  await entered.promise;
  return socket;
}

const code = (text: string): number => text.charCodeAt(0);

const carillon: Dialect = {
  async upgrade({ port, user }) {
    return { port, path: '/ws', headers: { Authorization: `Bearer ${await createToken(user)}` } };
  },
  shake(frame, topics) {
    if (frame === undefined) return {};
    if (frame.startsWith('{"type":"error"')) throw new Error(`Refused: ${frame}`);
    if (frame.startsWith('{"type":"welcome"')) {
      if (topics.length === 0) return { isDone: true };
      const payload = { topics: topics.map((topic) => ({ topic })) };
      return { say: JSON.stringify({ id: 'join', type: 'subscribe', payload }) };
    }
    if (!frame.startsWith('{"type":"ok"')) return {}; // events of the topics just joined
    if (frame.includes('"error"')) throw new Error(`Refused: ${frame}`);
    return { isDone: true };
  },
  publish: (topic, data, isDurable) =>
    JSON.stringify({ type: 'publish', topic, payload: { event: 'bench.ticked', data, durable: isDurable } }),
  send: (slot, topic, data) =>
    JSON.stringify({
      id: `${slot}`,
      type: 'message.send',
      payload: { chatId: topic.slice('chat:'.length), content: data },
    }),
  // {"type":"ok","id":"0" or {"type":"error" or {"type":"message.created"
  peekBytes: 20,
  classify(bytes, start) {
    const letter = bytes[start + 9];
    if (letter === code('o')) return (bytes[start + 19] ?? 0) - code('0');
    return letter === code('e') ? 'refusal' : 'other';
  },
};

/** Raw Bun and ws: topics are named at the door, and a message is passed on as it came. */
const plain: Dialect = {
  async upgrade({ port, topics, publishesTo = '' }) {
    return { port, path: `/?topics=${topics.join(',')}&publishesTo=${publishesTo}` };
  },
  shake: () => ({ isDone: true }),
  publish: (_topic, data) => data,
  send() {
    throw new Error('Plain servers acknowledge nothing.');
  },
  peekBytes: 0,
  classify: () => 'other',
};

/** Engine.IO 4 over WebSocket alone. */
const socketIo: Dialect = {
  async upgrade({ port }) {
    return { port, path: '/socket.io/?EIO=4&transport=websocket' };
  },
  shake(frame, topics) {
    if (frame?.startsWith('0')) return { say: '40' };
    if (frame?.startsWith('40')) return { say: `420${JSON.stringify(['join', { topics }])}` };
    if (frame?.startsWith('44')) throw new Error(`Refused: ${frame}`);
    return { isDone: frame?.startsWith('430') ?? false };
  },
  publish: (topic, data) => `42${JSON.stringify(['publish', { topic, data }])}`,
  send: (slot, topic, data) => `42${slot}${JSON.stringify(['send', { topic, data }])}`,
  // 430[…] answers, 42[…] is an event, 2 is a ping
  peekBytes: 3,
  classify(bytes, start, length) {
    if (length === 1) return 'ping';
    return bytes[start + 1] === code('3') ? (bytes[start + 2] ?? 0) - code('0') : 'other';
  },
  pong: '3',
};

export const dialects: Readonly<Record<DialectName, Dialect>> = { carillon, plain, 'socket.io': socketIo };
