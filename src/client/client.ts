// A client of the server that stays connected: it comes back with backoff, renews its token in place, resumes each topic
// where it stood, and sends again what has a key and was not answered. Every durable event reaches a topic's listeners
// once and in order; where the log no longer has what was missed, the topic says `reset`. It knows no module: `index.ts` gives it
// their states and the types of their commands. Runs in browsers, too.

import { closeCodes, subprotocol, type WelcomePayload } from '../protocol/frames.ts';
import { Backoff, type BackoffTimes } from './backoff.ts';
import { Alarms, type Clock, systemClock } from './clock.ts';
import { type Closing, Connection, type ServerFrame, type Socket } from './connection.ts';
import type { ClientFrame } from './declarations.ts';
import { type AnyEvents, type EventOf, FirstTimes, Listeners } from './listeners.ts';
import { type Command, Outbox } from './outbox.ts';
import type { Positions } from './positions.ts';
import { Disconnected, Refused } from './refused.ts';
import { Subscriptions } from './subscriptions.ts';
import type { Apply, Topic, TopicOptions } from './topic.ts';

/** `expiring`: a newer one of the same session, for the connection that is there. `refused`: the last one was no good. */
export type TokenReason = 'connect' | 'expiring' | 'refused';

export interface ClientOptions {
  /** The server's, http(s):// or ws(s)://. A function is asked before each attempt. */
  readonly url: string | (() => string);
  /** An access token; undefined: there is none any more, so the client gives up. Where it throws, it is asked again later. */
  readonly getToken: (reason: TokenReason) => string | undefined | Promise<string | undefined>;
  /** So many attempts in a row may fail before the client gives up. */
  readonly maxAttempts?: number;
  readonly backoff?: BackoffTimes;
  /** How long the token and the welcome may take together. */
  readonly connectTimeoutMs?: number;
  /** How long an answer may take before a command that may be repeated is sent again, and any other fails. */
  readonly commandTimeoutMs?: number;
  /** How many commands may wait for a connection. */
  readonly maxWaiting?: number;
  readonly WebSocket?: new (url: string, protocols: string[]) => Socket;
  readonly clock?: Clock;
  /** How the state of a topic of this name is kept, where its user does not say. */
  readonly findApply?: (topic: string) => Apply | undefined;
  /** Whether a command gets a key where its user gives none, so that it is sent until it is answered. */
  readonly needsKey?: (type: string, payload: unknown) => boolean;
  /** Whether a command may be sent twice without one. */
  readonly isHarmless?: (type: string) => boolean;
  /** Sees every frame of the server before anything is made of it, repeated ones too. */
  readonly onFrame?: (frame: ServerFrame) => void;
  /** Sees every frame that the client sends, tokens too. */
  readonly onSend?: (frame: ClientFrame) => void;
  /** A connection, or an attempt at one, is over. `close` says nothing here. */
  readonly onLost?: (loss: Loss) => void;
}

export interface Loss extends Closing {
  /** The welcome had come. */
  readonly wasLive: boolean;
  /** It did not end: the client let it go, because what had to come did not. */
  readonly isGivenUp: boolean;
}

export type ClientState =
  | { readonly name: 'disconnected' }
  /** `inMs`: how long this attempt waits before it begins. */
  | { readonly name: 'connecting'; readonly attempt: number; readonly inMs: number }
  | { readonly name: 'connected'; readonly welcome: WelcomePayload }
  /** It gave up. `connect` begins anew. */
  | { readonly name: 'error'; readonly error: Error };

/** What may be left out, and is never undefined in here. */
type Settled = ClientOptions & Required<Pick<ClientOptions, keyof typeof defaults>>;

const defaults = {
  maxAttempts: Number.POSITIVE_INFINITY,
  backoff: { firstMs: 1_000, longestMs: 32_000 },
  connectTimeoutMs: 10_000,
  commandTimeoutMs: 5_000,
  maxWaiting: 64, // a new connection takes 100 frames at once by default [E6]
  WebSocket: globalThis.WebSocket,
  clock: systemClock,
  findApply: (): Apply | undefined => undefined,
  needsKey: (_type: string, _payload: unknown) => false,
  isHarmless: (_type: string) => false,
};

export class Client {
  readonly #options: Settled;
  /** Of the attempt or the connection that is there: cleared with it. */
  readonly #alarms: Alarms;
  readonly #backoff: Backoff;
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;
  readonly #onState = new Set<(state: ClientState) => void>();
  readonly #listeners = new Listeners();
  readonly #firstTimes = new FirstTimes();
  #state: ClientState = { name: 'disconnected' };
  #connection: Connection | undefined;
  /** Counts what begins and ends: what was awaited since is worth nothing under another number. */
  #era = 0;
  #attempts = 0;
  #tokenReason: TokenReason = 'connect';
  #isDraining = false;

  constructor(options: ClientOptions) {
    this.#options = { ...defaults, ...options };
    const { clock, backoff, commandTimeoutMs, maxWaiting } = this.#options;
    this.#alarms = new Alarms(clock);
    this.#backoff = new Backoff(backoff, clock.random);
    this.#outbox = new Outbox({
      alarms: this.#alarms,
      timeoutMs: commandTimeoutMs,
      maxWaiting,
      onSilence: () => this.#giveUpConnection('Nothing came in time.'),
    });
    this.#subscriptions = new Subscriptions({
      send: (command) => this.#outbox.send(command),
      alarms: this.#alarms,
      retryMs: backoff.firstMs,
      onGap: ({ topic, seq }) => this.#giveUpConnection(`An event before ${topic} ${seq} is missing.`),
      onEvent: (event) => {
        if (this.#listeners.hears(event.type) && this.#firstTimes.take(event)) this.#listeners.tell(event);
      },
    });
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Where it stands on each topic. */
  get positions(): Positions {
    return this.#subscriptions.positions;
  }

  /** Answers how to stop it. */
  onState(listener: (state: ClientState) => void): () => void {
    this.#onState.add(listener);
    return () => void this.#onState.delete(listener);
  }

  /** Connects, and stays connected until `close`. Resolves with the next welcome; fails when it gives up or is closed. */
  connect(): Promise<WelcomePayload> {
    if (this.#state.name === 'disconnected' || this.#state.name === 'error') this.#begin();
    const connected = new Promise<WelcomePayload>((resolve, reject) => {
      const look = (state: ClientState): void => {
        if (state.name === 'connecting') return;
        stop();
        if (state.name === 'connected') resolve(state.welcome);
        else reject(state.name === 'error' ? state.error : new Disconnected('The client was closed.'));
      };
      const stop = this.onState(look);
      look(this.#state);
    });
    connected.catch(() => {}); // not everyone asks
    return connected;
  }

  /** Says goodbye. Commands without an answer fail; topics stay, and are resumed by the next `connect`. */
  close(): void {
    this.#stop({ name: 'disconnected' }, (connection) => connection.close());
  }

  /** As `close`, but without a goodbye: the server is left to find out. */
  abandon(): void {
    this.#stop({ name: 'disconnected' }, (connection) => connection.abandon());
  }

  /** Sends a command and answers the payload of its reply; throws Refused, or Disconnected. With a key, or harmless, it is sent until answered. */
  send(type: string, payload?: unknown, options: Omit<Command, 'type' | 'payload'> = {}): Promise<unknown> {
    const { needsKey, isHarmless } = this.#options;
    const key = options.key ?? (needsKey(type, payload) ? createKey() : undefined);
    const isRepeatable = key !== undefined || isHarmless(type);
    return this.#outbox.send({ type, payload, ...options, key }, isRepeatable);
  }

  /** Sends this text as it is, and expects no answer. False: there is no connection. */
  sendText(text: string): boolean {
    if (this.#state.name !== 'connected') return false;
    this.#connection?.sendText(text);
    return true;
  }

  /** Follows the topic from now on, over all connections; asked again, the same one. */
  topic<State = unknown>(name: string, options: TopicOptions<State> = {}): Topic<State> {
    const { findApply } = this.#options;
    const isStateless = options.since !== undefined || options.epoch !== undefined;
    const apply = options.apply ?? (isStateless ? undefined : findApply(name));
    return this.#subscriptions.topic(name, { ...options, apply: apply as Apply<State> | undefined }); // the name says which state
  }

  /** Hears events of this type, or of all ('*'), on every topic that is followed; what is on several, once. Answers how to stop it. */
  on<Type extends string>(type: Type, listener: (event: EventOf<AnyEvents, Type>) => void): () => void {
    return this.#listeners.on(type, listener);
  }

  #begin(): void {
    this.#attempts = 0;
    this.#backoff.reset();
    this.#tokenReason = 'connect';
    this.#attempt(0);
  }

  #attempt(inMs: number): void {
    this.#attempts += 1;
    this.#alarms.set(inMs, () => void this.#open());
    this.#setState({ name: 'connecting', attempt: this.#attempts, inMs });
  }

  async #open(): Promise<void> {
    const { url, getToken, connectTimeoutMs, WebSocket } = this.#options;
    const era = this.#era;
    this.#alarms.set(connectTimeoutMs, () => this.#giveUpConnection('No welcome came in time.'));
    try {
      if (WebSocket === undefined) throw new Unable(noWebSocket); // the type says what platforms should have
      const token = await getToken(this.#tokenReason);
      if (era !== this.#era) return;
      if (token === undefined) throw new Unable('There is no access token to connect with.');
      this.#tokenReason = 'connect'; // until this one is refused
      const address = new URL('/ws', typeof url === 'string' ? url : url());
      address.protocol = address.protocol.replace('http', 'ws');
      // As a subprotocol: browsers can do it, and no access log shows it. [H1]
      const socket = new WebSocket(address.href, [subprotocol, `bearer.${token}`]);
      const connection: Connection = new Connection(socket, {
        onFrame: (frame) => this.#connection === connection && this.#receive(frame),
        onClose: (closing) => this.#connection === connection && this.#lose(closing),
      });
      this.#connection = connection;
    } catch (error) {
      if (era !== this.#era) return;
      if (error instanceof Unable) this.#giveUp(error);
      else this.#lose({ code: 1006, reason: String(error) });
    }
  }

  #receive(frame: ServerFrame): void {
    const era = this.#era;
    this.#options.onFrame?.(frame);
    if (era !== this.#era) return; // closed by the listener
    this.#outbox.receive(frame);
    switch (frame.type) {
      case 'welcome':
        this.#start(frame.payload as WelcomePayload); // [H3]
        return;
      case 'auth.expiring':
        void this.#renew();
        return;
      case 'draining':
        this.#onDraining(frame.payload as { reconnectInMs: number }); // [C1]
        return;
      default:
        this.#subscriptions.receive(frame);
    }
  }

  #start(welcome: WelcomePayload): void {
    this.#alarms.clear();
    this.#attempts = 0;
    this.#backoff.reset();
    this.#outbox.open({
      frameBytes: welcome.limits.frameBytes,
      transmit: (text, frame) => {
        this.#options.onSend?.(frame);
        this.#connection?.sendText(text);
      },
    });
    this.#beat(welcome.heartbeatMs);
    this.#subscriptions.resume(); // first: what the commands behind it cause is then seen
    this.#outbox.flush();
    this.#setState({ name: 'connected', welcome });
  }

  /** So that every proxy on the way keeps the connection, and a dead one is found: no pong is silence. [H3] */
  #beat(everyMs: number): void {
    this.#alarms.set(everyMs, () => {
      this.#beat(everyMs);
      this.send('ping').catch(() => {});
    });
  }

  /** In place, so that the connection lives on behind the end of its first token; without, it ends with 4401. [H4] */
  async #renew(): Promise<void> {
    const era = this.#era;
    try {
      const token = await this.#options.getToken('expiring');
      if (token !== undefined && era === this.#era) await this.send('auth', { token });
    } catch {
      // the next connection begins with another token
    }
  }

  /** The server closes when our slot comes; what is sent until then is answered. */
  #onDraining({ reconnectInMs }: { reconnectInMs: number }): void {
    this.#isDraining = true;
    this.#alarms.set(reconnectInMs + this.#options.commandTimeoutMs, () =>
      this.#giveUpConnection('The server did not close in its time.'),
    );
  }

  #giveUpConnection(reason: string): void {
    this.#connection?.abandon();
    this.#lose({ code: 1006, reason }, true);
  }

  /** The connection, or the attempt at one, is over. */
  #lose(closing: Closing, isGivenUp = false): void {
    const { code } = closing;
    const wasLive = this.#state.name === 'connected';
    const isOurTurn = this.#isDraining && (code === closeCodes.restart || code === closeCodes.goingAway);
    const era = this.#reset();
    this.#options.onLost?.({ ...closing, wasLive, isGivenUp });
    if (era !== this.#era) return; // closed by the listener
    const end = this.#findEnd(closing);
    if (end !== undefined) {
      this.#giveUp(end);
      return;
    }
    if (code === closeCodes.unauthorized) this.#tokenReason = 'refused';
    this.#attempt(isOurTurn ? 0 : this.#backoff.nextMs()); // the slots of a drain spread its clients already [C1]
  }

  /** Why there is no use in another attempt. [C] */
  #findEnd({ code, reason }: Closing): Error | undefined {
    if (code === closeCodes.revoked) {
      return new Refused({ code: 'unauthorized', message: `The session is over: ${reason}.` });
    }
    if (code === closeCodes.nonsense) {
      return new Error(`The server made no sense of what was sent: ${reason}`);
    }
    if (this.#attempts < this.#options.maxAttempts) return undefined;
    return new Disconnected(
      `${this.#attempts} attempts failed, the last one with ${code} ${reason}`.trimEnd(),
    );
  }

  #giveUp(error: Error): void {
    this.#stop({ name: 'error', error }, (connection) => connection.abandon());
  }

  #stop(state: ClientState, part: (connection: Connection) => void): void {
    const connection = this.#connection;
    this.#reset();
    if (connection !== undefined) part(connection);
    this.#outbox.fail(state.name === 'error' ? state.error : new Disconnected('The client was closed.'));
    this.#setState(state);
  }

  /** Nothing is connected, and nothing is under way. */
  #reset(): number {
    this.#era += 1;
    this.#connection = undefined;
    this.#isDraining = false;
    this.#alarms.clear();
    this.#subscriptions.suspend();
    this.#outbox.suspend();
    return this.#era;
  }

  #setState(state: ClientState): void {
    this.#state = state;
    for (const listener of [...this.#onState]) listener(state);
  }
}

/** Another attempt would fail as this one. */
class Unable extends Error {}

const noWebSocket =
  'There is no WebSocket here. Give the client one as an option, or start Node 20 with --experimental-websocket.';

/** Random, of 128 bits. Pages that were not loaded over HTTPS have no `crypto.randomUUID`. */
const createKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );
