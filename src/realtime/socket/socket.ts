// The WebSocket server: Bun's handlers, the upgrade, and draining. What a connection is made of comes together here, also that
// of a stream of server-sent events.

import type { Server, WebSocketHandler } from 'bun';
import { closeCodes, maxSnapshotBytes } from '../../protocol/envelope.ts';
import { AppError } from '../../protocol/errors.ts';
import { isAllowedOrigin } from '../../protocol/origins.ts';
import type { Actor, Device } from '../actor.ts';
import type { Core, NativeTopics } from '../core.ts';
import type { ConnectionCounts } from '../counts/counts.ts';
import { Listeners } from '../sse/listeners.ts';
import { createStreams, type Streams, type StreamsDeps } from '../sse/streams.ts';
import type { TopicKinds } from '../topic-kind.ts';
import { listCoreCommands } from './commands.ts';
import { Connection, type Subscription } from './connection.ts';
import { type Command, createDispatch, sendError } from './dispatch.ts';
import { type HeartbeatTimes, startHeartbeat } from './heartbeat.ts';
import {
  type Credentials,
  chooseProtocol,
  createHello,
  findToken,
  greetingMs,
  type RejectedLogin,
} from './hello.ts';
import { Places } from './places.ts';
import { watchRights } from './revocation.ts';
import { createSubscriber } from './subscribe.ts';
import { createUserAgents } from './user-agents.ts';

export interface SocketLimits {
  /** 0: 16 MiB. */
  readonly frameBytes: number;
  readonly subscriptions: number;
  readonly commandsPerSecond: number;
  readonly connectionsPerUser: number;
  /** On this instance; 0: none. [H7] */
  readonly connections: number;
  /** On all instances, as that for users. */
  readonly connectionsPerAddress: number;
}

export interface SocketDeps {
  readonly core: Core;
  readonly commands: readonly Command[];
  readonly topicKinds: TopicKinds;
  /** Checks a token alone; throws `unauthorized`. */
  readonly verify: (token: string) => Promise<Credentials>;
  /** Reads whether session and user are still good; throws `unauthorized`, answers the actor with its current role. */
  readonly confirm: (actor: Actor) => Promise<Actor>;
  readonly onRefused: (actor: Actor, topic: string) => void;
  readonly onRejected: (login: RejectedLogin) => void;
  readonly onLimited: (actor: Actor, limit: 'commands a second' | 'connections') => void;
  /** A user came or went; for "last seen". */
  readonly onSeen: (userId: string) => void;
  /** Where a request comes from, as far as that is known. */
  readonly deviceOf: (request: Request) => Device;
  /** A connection is over. */
  readonly onClosed?: (closing: Closing) => void;
  /** A connection was refused, as there are as many as there may be. Called for each. */
  readonly onFull: (limit: string) => void;
  /** The HTTP answer to an upgrade that is refused. [X] */
  readonly answerRefusal: (refusal: AppError) => Response;
  readonly instanceId: string;
  readonly limits: SocketLimits;
  readonly counts: ConnectionCounts;
  /** Exact origins; empty: any. [H6] */
  readonly allowedOrigins: readonly string[];
  /** Shortened by tests. */
  readonly heartbeat?: HeartbeatTimes;
}

export interface Closing {
  readonly connectionId: string;
  /** Undefined where nobody ever said who it was. */
  readonly userId: string | undefined;
  readonly code: number;
  readonly durationMs: number;
  readonly framesIn: number;
  readonly framesOut: number;
}

export interface SocketServer {
  readonly handlers: WebSocketHandler<Connection>;
  /** Answers an upgrade request; undefined when it became a socket. */
  upgrade(request: Request, server: Server<Connection>): Response | undefined;
  readonly streams: Streams;
  /** Where the hub publishes: to the WebSockets of the server, and to the streams. */
  publisher(server: NativeTopics): NativeTopics;
  /** Sends every connection away in its slot, after what it asked for has taken effect. [C1] */
  drain(drainMs: number): Promise<void>;
  stop(): void;
}

/** How often expiry and greeting deadlines are looked at. One timer for all: a timer a connection costs memory. */
const sweepMs = 250;

/** Unsent bytes at which a reader is cut off. Bun drops frames silently beyond it unless told to close. */
const backpressureBytes = 1_048_576;

/** For sockets that are closed here and never answer it; live ones have the heartbeat. */
const idleSeconds = 120;

const waitingFrames = 256;
const waitingBytes = 1_048_576;

/** How long behind the last slot of a drain the rest may take to be answered. */
const finishMs = 3_000;

/** Stands for "no limit": still bounded, as a frame is held in memory whole. */
const maxPayloadBytes = 16_777_216;

const goingAway = new AppError('unavailable', 'This instance is going away.', { retryAfterMs: 1_000 });

const tooMany = {
  all: new AppError('unavailable', 'This instance has as many connections as it takes. Try again later.', {
    retryAfterMs: 5_000,
  }),
  address: new AppError(
    'rate_limited',
    'There are too many connections from this address. Close another one first.',
    {
      retryAfterMs: 5_000,
    },
  ),
};

/** RFC 6455's for a connection that ended without a close frame. */
const lostCode = 1_006;
const knownCodes: ReadonlySet<number> = new Set([
  1_000,
  1_001,
  1_002,
  1_003,
  1_007,
  1_009,
  ...Object.values(closeCodes),
  lostCode,
]);

export function createSocketServer(deps: SocketDeps): SocketServer {
  const { core, counts, limits } = deps;
  const { connections, presence, hub, telemetry } = core;
  const { metrics } = telemetry;
  const { topicKinds } = deps;

  const hello = createHello({
    ...deps,
    ...core,
    limits: {
      frameBytes: limits.frameBytes,
      subscriptions: limits.subscriptions,
      commandsPerSecond: limits.commandsPerSecond,
      snapshotBytes: maxSnapshotBytes,
    },
    maxConnectionsPerUser: limits.connectionsPerUser,
  });
  const subscriber = createSubscriber({
    ...core,
    topicKinds,
    maxSubscriptions: limits.subscriptions,
    onRefused: deps.onRefused,
  });
  const rights = watchRights(core, topicKinds);
  const readFrame = createDispatch({
    coreCommands: listCoreCommands({
      hello,
      subscriber,
      rights,
      presence,
      findHidden: core.findHidden,
      topicKinds,
    }),
    commands: deps.commands,
    greet: hello.greetByFrame,
    onLimited: deps.onLimited,
    reporter: core.reporter,
    telemetry,
  });

  const connectionLimits = { commandsPerSecond: limits.commandsPerSecond, waitingFrames, waitingBytes };
  const onEnded = ({ userId }: Connection, { topic, stream }: Subscription): void => {
    hub.unfollow(stream);
    if (topicKinds.find(topic)?.kind.hasPresence) presence.leave(topic, userId);
  };
  const places = new Places(limits);
  const shareUserAgent = createUserAgents();
  const listeners = new Listeners();

  const arrive: StreamsDeps['arrive'] = (request, options) => {
    if (isDraining) return goingAway;
    const { ip, userAgent } = deps.deviceOf(request);
    const place = places.take(ip ?? '');
    if (typeof place === 'string') {
      deps.onFull(place === 'all' ? 'MAX_CONNECTIONS' : 'MAX_CONNECTIONS_PER_ADDRESS');
      return tooMany[place];
    }
    const connection = new Connection({
      ...options,
      // Strings that connections share: one of its own each would be 100 to 300 bytes more.
      device: { ip: ip && place.name, userAgent: userAgent && shareUserAgent(userAgent) },
      greetingDeadlineMs: Date.now() + greetingMs,
      limits: connectionLimits,
      readFrame,
      onEnded,
    });
    connection.place = place;
    return connection;
  };

  const end = (connection: Connection): void => {
    connection.onClose();
    connections.remove(connection);
    hello.leave(connection);
    giveBack(connection);
    if (limits.connectionsPerAddress > 0) counts.leave('address', connection.place?.name ?? '');
  };

  const giveBack = ({ place }: Connection): void => {
    if (place !== undefined) places.leave(place);
  };

  const sweeper = setInterval(() => {
    hello.sweep(Date.now());
    for (const connection of connections.all) connection.lookBehind();
  }, sweepMs);
  metrics.queues.watch('frames', () => {
    let waiting = 0;
    for (const connection of connections.all) waiting += connection.waitingFrames;
    return waiting;
  });
  const stopHeartbeat = startHeartbeat(connections, deps.heartbeat);
  let isDraining = false;

  /** What other instances have from the address is known once the connection is there. */
  const hasRoom = async ({ place }: Connection): Promise<boolean> => {
    if (limits.connectionsPerAddress === 0) return true;
    if ((await counts.enter('address', place?.name ?? '')) <= limits.connectionsPerAddress) return true;
    deps.onFull('MAX_CONNECTIONS_PER_ADDRESS');
    return false;
  };

  /** It comes before the greeting. */
  const enter = async (connection: Connection, greet: (() => Promise<void>) | undefined): Promise<void> => {
    if (await hasRoom(connection)) return await greet?.();
    sendError(connection, undefined, tooMany.address);
    connection.close(closeCodes.overloaded, tooMany.address.message);
  };

  return {
    handlers: {
      maxPayloadLength: limits.frameBytes === 0 ? maxPayloadBytes : limits.frameBytes,
      backpressureLimit: backpressureBytes,
      closeOnBackpressureLimit: true,
      idleTimeout: idleSeconds,
      sendPings: false,
      perMessageDeflate: false,
      open(socket) {
        const connection = socket.data;
        const { upgradeToken } = connection;
        connection.upgradeToken = undefined; // it would keep the whole request's text in memory
        connections.add(connection);
        const greet = upgradeToken ? () => hello.greet(connection, upgradeToken) : undefined;
        const hasLimit = limits.connectionsPerAddress > 0;
        connection.open(socket, hasLimit ? () => enter(connection, greet) : greet);
      },
      message(socket, frame) {
        socket.data.heardAtMs = performance.now();
        socket.data.receive(frame);
      },
      ping(socket) {
        socket.data.receiveControl();
      },
      pong(socket) {
        socket.data.receiveControl();
      },
      drain(socket) {
        socket.data.onDrain();
      },
      close(socket, code) {
        const connection = socket.data;
        end(connection); // first: what it was sent is counted up
        metrics.connectionsClosed.of(knownCodes.has(code) ? String(code) : 'other').add();
        if (connection.isTooSlow && code === lostCode) metrics.slowReadersCut.add();
        deps.onClosed?.(toClosing(connection, code));
      },
    },

    upgrade(request, server) {
      const origin = request.headers.get('origin');
      if (origin !== null && !isAllowedOrigin(origin, deps.allowedOrigins)) {
        return deps.answerRefusal(new AppError('forbidden', 'This origin may not connect.')); // [H6]
      }
      const connection = arrive(request, { upgradeToken: findToken(request) });
      if (connection instanceof AppError) {
        const answer = deps.answerRefusal(connection);
        answer.headers.set('Connection', 'close'); // kept open, it would take the descriptor that there is no place for
        return answer;
      }
      // Empty, it is left out. Without it Bun answers with the first one offered, which may be a token. [H1]
      const headers = { 'Sec-WebSocket-Protocol': chooseProtocol(request) ?? '' };
      if (server.upgrade(request, { data: connection, headers })) return undefined;
      giveBack(connection);
      return deps.answerRefusal(
        new AppError('invalid', 'Expected a WebSocket upgrade (RFC 6455) on this path.'),
      );
    },

    streams: createStreams({
      hello,
      subscriber,
      connections,
      listeners,
      arrive,
      async enter(connection) {
        if (!(await hasRoom(connection))) throw tooMany.address;
      },
      end,
    }),

    publisher: (server) => ({
      publish(topic, frame) {
        server.publish(topic, frame);
        listeners.publish(topic, frame);
      },
      subscriberCount: (topic) => server.subscriberCount(topic) + listeners.count(topic),
    }),

    async drain(drainMs) {
      isDraining = true;
      const leaving = [...connections.all];
      const left = leaving.map(async (connection, index) => {
        const slotMs = Math.round((drainMs * (index + 1)) / leaving.length);
        connection.send(JSON.stringify({ type: 'draining', payload: { reconnectInMs: slotMs } }));
        await Bun.sleep(slotMs);
        await connection.finish();
        connection.close(closeCodes.restart, 'This instance is going away: reconnect and resume.');
      });
      // Not for ever: what is asked for may wait for a reader that never reads.
      const patience = Promise.withResolvers<void>();
      const timer = setTimeout(patience.resolve, drainMs + finishMs);
      await Promise.race([Promise.all(left), patience.promise]);
      clearTimeout(timer);
    },

    stop() {
      clearInterval(sweeper);
      stopHeartbeat();
      for (const connection of connections.all)
        connection.close(closeCodes.restart, 'This instance has stopped.');
    },
  };
}

function toClosing({ id, phase, openedAtMs, framesIn, framesOut }: Connection, code: number): Closing {
  const userId = phase.name === 'greeting' ? undefined : phase.actor?.userId;
  const durationMs = Math.round(performance.now() - openedAtMs);
  return { connectionId: id, userId, code, durationMs, framesIn, framesOut };
}
