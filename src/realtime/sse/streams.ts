// Streams of server-sent events: one topic each, followed from a position on. A stream is a connection like a WebSocket, with
// another other end: who may open it, where it enters the topic, what it hears and what ends it is decided where that is
// decided for WebSockets. [V]

import { AppError } from '../../protocol/errors.ts';
import type { Actor } from '../actor.ts';
import type { Connection } from '../socket/connection.ts';
import type { Connections } from '../socket/connections.ts';
import type { TopicRequest } from '../socket/entry.ts';
import type { Hello } from '../socket/hello.ts';
import type { Subscriber } from '../socket/subscribe.ts';
import { EventStream, encodeMessageAt } from './event-stream.ts';
import type { Listeners } from './listeners.ts';

export interface StreamsDeps {
  readonly hello: Hello;
  readonly subscriber: Subscriber;
  readonly connections: Connections;
  readonly listeners: Listeners;
  /** A connection that holds a place; what there is no room for is an error instead. [H7] */
  readonly arrive: (
    request: Request,
    options: {
      readonly upgradeToken?: string | undefined;
      readonly onTopicLost?: (connection: Connection) => void;
    },
  ) => Connection | AppError;
  /** Called once it is there. Throws `rate_limited` where all instances together have as many from the address as there may be. */
  readonly enter: (connection: Connection) => Promise<void>;
  /** The connection is gone: gives back all that it held. */
  readonly end: (connection: Connection) => void;
}

export interface Streams {
  /** What an `open` would refuse for who asks and what for, and no stream. */
  check(actor: Actor, asked: TopicRequest): Promise<Response>;
  /**
   * Answers the stream, which begins with `subscribed`. Throws what a subscribe refuses with, and `unauthorized`,
   * `rate_limited` and `unavailable`. It ends when the request is aborted.
   */
  open(request: Request, token: string, asked: TopicRequest): Promise<Response>;
}

/** A reader that lost the stream comes back after a random time of this much, and up to twice it: not all at once. [V4] */
const minRetryMs = 500;

export function createStreams(deps: StreamsDeps): Streams {
  const { hello, subscriber, connections, listeners } = deps;

  const start = (
    request: Request,
  ): { connection: Connection; stream: EventStream; entered: Promise<void> } => {
    const connection = deps.arrive(request, { onTopicLost: (own) => own.close(1000, 'The right is gone.') });
    if (connection instanceof AppError) throw connection;
    const stream = new EventStream({
      listeners,
      onTaken() {
        connection.heardAtMs = performance.now();
        connection.onDrain();
      },
      onGone: () => deps.end(connection),
    });
    connections.add(connection);
    connection.open(stream, undefined);
    const entered = deps.enter(connection);
    entered.catch(() => {}); // heard below
    request.signal.addEventListener('abort', () => connection.cutOff(), { once: true });
    if (request.signal.aborted) connection.cutOff();
    return { connection, stream, entered };
  };

  return {
    async check(actor, { topic }) {
      await subscriber.authorize(actor, topic);
      return new Response(null, { headers });
    },
    async open(request, token, asked) {
      const { connection, stream, entered } = start(request);
      try {
        await entered;
        await hello.admit(connection, token);
        const { payload, afterReply } = await subscriber.subscribe(connection, asked);
        const frame = JSON.stringify({ type: 'subscribed', topic: asked.topic, payload });
        const retryMs = Math.round(minRetryMs * (1 + Math.random()));
        stream.begin(encodeMessageAt(payload.seq, frame, retryMs));
        afterReply();
      } catch (error) {
        connection.cutOff();
        throw error;
      }
      return new Response(stream.body, { headers });
    },
  };
}

const headers = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'X-Accel-Buffering': 'no', // nginx would keep messages back until there are more
};
