// One WebSocket: its phase, its queue of frames, its subscriptions. Frames take effect one after another, and replies
// leave in that order, however long one of them takes, but for late ones. [E6]
// Over 400 lines: turns, replies and subscriptions end together, on one socket, and none can be told without the others.

import type { ServerWebSocket } from 'bun';
import { closeCodes, type EventPosition } from '../../protocol/envelope.ts';
import type { Actor, Device } from '../actor.ts';
import type { Follower } from '../hub/hub.ts';
import type { Stream } from '../hub/stream.ts';
import { abridge } from './abridge.ts';
import type { Place } from './places.ts';
import { SmallMap } from './small-map.ts';
import type { EncodedReply, ReadFrame } from './turn.ts';

export type Socket = ServerWebSocket<Connection>;

export interface Subscription {
  readonly topic: string;
  readonly stream: Stream;
  /** The seq at which the right to follow was read: a later event that revokes it, or is withheld, ends it. [S7] */
  readonly authorizedAt: number;
  /** `joining`: its answer has not left; `replaying`: events come from memory or the log; `live`: from the native topic. */
  phase: 'joining' | 'replaying' | 'live' | 'ended';
}

export type Phase =
  | { readonly name: 'greeting'; readonly deadlineMs: number }
  | { readonly name: 'live'; readonly actor: Actor; readonly expiresAtMs: number; readonly warnAtMs: number }
  | { readonly name: 'closed'; readonly actor: Actor | undefined };

export interface ConnectionLimits {
  /** Commands a second; 0: none. A frame is one, or as many as `charge` says. */
  readonly commandsPerSecond: number;
  /** Waiting frames; over it they are refused in their turn, over four times of it the connection is closed. */
  readonly waitingFrames: number;
  /** Of the waiting frames together, but for the last one; over it the next are refused in their turn. */
  readonly waitingBytes: number;
}

interface WaitingFrame {
  readonly frame: string | Buffer;
  readonly isOverLimit: boolean;
}

/** Own frames wait while more than this is unsent: a reader that is merely slow is not cut off by its own replies. */
const highWaterBytes = 262_144;

/** So many topics that were left are remembered: word of their events may still be on its way. */
const maxLeft = 20;

/** A connection that comes to so many frames over a limit is closed; so many a second of them are forgotten. [E6] */
const maxRefused = 1_024;
const forgottenPerSecond = 100;

/** So many late replies may be due; what comes then is late no longer, and holds up what stands behind it. */
const maxLate = 4_096;

const nonsenseLimit = 10;
const nonsenseWindowMs = 60_000;

export class Connection implements Follower {
  readonly id = Bun.randomUUIDv7();
  readonly subscriptions = new SmallMap<Subscription>();
  phase: Phase;
  readonly device: Device | undefined;
  /** Given back when the connection ends. [H7] */
  place: Place | undefined;
  /** The token found in the upgrade request; undefined: the first frame must bring it. [H1] */
  upgradeToken: string | undefined;
  /** Of the user's own topic, which every live connection follows inside the server: revocation comes that way. [H5] */
  userStream: Stream | undefined;
  /** When anything last came from the other end, a pong too; in ms of the monotonic clock. */
  heardAtMs = performance.now();
  /** Topics that were left, the last one last, with the seq up to which each was heard. Few connections ever leave one. */
  #left: Map<string, number> | undefined;
  #socket: Socket | undefined;
  readonly #limits: ConnectionLimits;
  readonly #readFrame: ReadFrame<Connection>;
  readonly #onEnded: (connection: Connection, subscription: Subscription) => void;
  /** Only while frames wait: most connections are idle. */
  #waiting: WaitingFrame[] | undefined;
  #waitingBytes = 0;
  #turn: Promise<void> | undefined;
  /** The lane of the commands whose replies are due. */
  #lane: string | undefined;
  #replies: Promise<void> | undefined;
  #repliesDue = 0;
  /** Late replies that are due, and who waits for the last one. */
  #lateDue = 0;
  #allLate: PromiseWithResolvers<void> | undefined;
  /** Replies that leave in one write at the end of this turn of the event loop, and before anything else that is sent. */
  #outbox: string[] | undefined;
  #replays: Promise<void> | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #allowance: number;
  #allowanceAtMs = performance.now();
  /** Frames over a limit, and when they were last counted. */
  #refused = 0;
  #refusedAtMs = 0;
  #nonsenseAtMs: number[] | undefined;

  constructor(options: {
    upgradeToken: string | undefined;
    device: Device | undefined;
    greetingDeadlineMs: number;
    limits: ConnectionLimits;
    readFrame: ReadFrame<Connection>;
    /** A subscription is over, for whatever reason. */
    onEnded: (connection: Connection, subscription: Subscription) => void;
  }) {
    this.upgradeToken = options.upgradeToken;
    this.device = options.device;
    this.phase = { name: 'greeting', deadlineMs: options.greetingDeadlineMs };
    this.#limits = options.limits;
    this.#readFrame = options.readFrame;
    this.#onEnded = options.onEnded;
    this.#allowance = options.limits.commandsPerSecond;
  }

  /** Who is connected. Throws before the greeting is over. */
  get actor(): Actor {
    const actor = this.phase.name === 'greeting' ? undefined : this.phase.actor;
    if (actor === undefined) throw new Error('This connection never became live.');
    return actor;
  }

  get isLive(): boolean {
    return this.phase.name === 'live';
  }

  get userId(): string {
    return this.actor.userId;
  }

  get isClosed(): boolean {
    return this.phase.name === 'closed';
  }

  /** Resolves when everything that was received so far has taken effect and is answered. */
  async finish(): Promise<void> {
    await this.#turn;
    await this.#replies;
    if (this.#lateDue > 0) this.#allLate ??= Promise.withResolvers();
    await this.#allLate?.promise;
  }

  /** The socket is open; `greet` takes effect before any frame. */
  open(socket: Socket, greet: (() => Promise<void>) | undefined): void {
    this.#socket = socket;
    if (greet !== undefined) this.#turn = this.#takeTurns(greet);
  }

  receive(frame: string | Buffer): void {
    if (this.isClosed) return;
    const bound = this.#limits.waitingFrames;
    this.#waiting ??= [];
    if (this.#waiting.length >= 4 * bound) {
      this.close(closeCodes.overloaded, 'Too many frames are waiting.');
      return;
    }
    const isFull = this.#waiting.length >= bound || this.#waitingBytes >= this.#limits.waitingBytes;
    const isOverLimit = !this.#takeAllowance() || isFull;
    if (isOverLimit && !this.#isPatient()) return;
    const kept = isOverLimit ? abridge(frame) : frame;
    this.#waitingBytes += kept.length;
    this.#waiting.push({ frame: kept, isOverLimit });
    this.#turn ??= this.#takeTurns();
  }

  /** A ping or a pong came. It takes up no turn, but counts like any frame. [E6] */
  receiveControl(): void {
    this.heardAtMs = performance.now();
    if (!this.#takeAllowance()) this.#isPatient();
  }

  /**
   * The frame whose turn it is stands for so many commands more than the one that it was counted as; false: refuse it. It
   * may take more than is left, so that a large one passes at all; what follows then waits the longer.
   */
  charge(commands: number): boolean {
    if (this.#limits.commandsPerSecond === 0) return true;
    this.#refill();
    if (this.#allowance < 0) return false;
    this.#allowance -= commands;
    return true;
  }

  /** When a frame will be let in again, in ms from now. */
  get retryAfterMs(): number {
    const { commandsPerSecond } = this.#limits;
    if (commandsPerSecond === 0) return 1_000;
    this.#refill();
    return Math.max(1_000, Math.ceil(((1 - this.#allowance) / commandsPerSecond) * 1_000));
  }

  /** Sends one frame. A socket whose buffer is over its limit is closed: it resumes when it reads again. */
  send(frame: string): void {
    if (this.isClosed || this.#socket === undefined) return;
    if (this.#outbox !== undefined) this.#sendOutbox();
    if (this.#socket.send(frame) === 0) this.cutOff();
  }

  ping(): void {
    this.#socket?.ping();
  }

  /** Without a goodbye, which would wait for a peer that does not read. */
  cutOff(): void {
    this.#socket?.terminate();
  }

  /** Replays when those before are through. It must not fail. */
  replayInTurn(replay: () => Promise<void>): void {
    const own = this.#replays === undefined ? replay() : this.#replays.then(replay);
    this.#replays = own;
    own.then(() => {
      if (this.#replays === own) this.#replays = undefined;
    });
  }

  /** Waits until a reader that fell behind has caught up, or is gone. */
  async waitUntilDrained(): Promise<void> {
    while (this.isBackedUp) {
      this.#drained ??= Promise.withResolvers();
      await this.#drained.promise;
    }
  }

  get isBackedUp(): boolean {
    return !this.isClosed && (this.#socket?.getBufferedAmount() ?? 0) > highWaterBytes;
  }

  /** The socket's buffer has become smaller. */
  onDrain(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  close(code: number, reason: string): void {
    if (this.isClosed) return;
    this.#sendOutbox();
    this.#end();
    this.#socket?.close(code, reason);
  }

  /** The socket is gone. */
  onClose(): void {
    this.#end();
    for (const topic of [...this.subscriptions.keys()]) this.endSubscription(topic);
  }

  /** Counts a frame that is no envelope; true at the tenth within a minute. [E5] */
  countNonsense(): boolean {
    const now = performance.now();
    this.#nonsenseAtMs = (this.#nonsenseAtMs ?? []).filter((atMs) => atMs > now - nonsenseWindowMs);
    this.#nonsenseAtMs.push(now);
    return this.#nonsenseAtMs.length >= nonsenseLimit;
  }

  /** From here on the native topic reaches this connection: everything before was sent to it. */
  goLive(subscription: Subscription): void {
    subscription.phase = 'live';
    this.#socket?.subscribe(subscription.topic);
  }

  endSubscription(topic: string): void {
    const subscription = this.subscriptions.get(topic);
    if (subscription === undefined) return;
    if (subscription.phase === 'live') this.#socket?.unsubscribe(topic);
    subscription.phase = 'ended';
    this.subscriptions.delete(topic);
    if (!this.isClosed) this.#rememberLeft(subscription);
    this.#onEnded(this, subscription);
  }

  /** Until it is live, the replay comes to the event that revokes or is withheld, and ends there. [S7] */
  revoke(topic: string): void {
    if (this.subscriptions.get(topic)?.phase === 'live') this.loseTopic(topic);
  }

  /** Ends the subscription and says so, behind its answer; nothing of the topic is sent behind it. [S7] */
  loseTopic(topic: string): void {
    const isAnswered = this.subscriptions.get(topic)?.phase !== 'joining';
    this.endSubscription(topic);
    if (isAnswered) this.sayLost(topic);
  }

  sayLost(topic: string): void {
    this.send(JSON.stringify({ type: 'unsubscribed', topic, payload: { reason: 'forbidden' } }));
  }

  follows(topic: string): boolean {
    return this.subscriptions.has(topic);
  }

  hears({ topic, seq }: EventPosition): boolean {
    return this.follows(topic) || (this.#left?.get(topic) ?? 0) >= seq;
  }

  setMuted(topic: string, isMuted: boolean): void {
    if (this.subscriptions.get(topic)?.phase !== 'live') return;
    if (isMuted) this.#socket?.unsubscribe(topic);
    else this.#socket?.subscribe(topic);
  }

  restart(topic: string): void {
    this.close(closeCodes.restart, `The events of ${topic} have moved on: subscribe again.`);
  }

  /**
   * What was heard stays heard, so nothing here goes stale: it is bounded only to be small. An `LRUCache` for each
   * connection would take 2.6 KB, a map takes 0.6.
   */
  #rememberLeft({ topic, stream }: Subscription): void {
    this.#left ??= new Map();
    this.#left.delete(topic);
    this.#left.set(topic, stream.position);
    const [oldest] = this.#left.keys();
    if (this.#left.size > maxLeft && oldest !== undefined) this.#left.delete(oldest);
  }

  /** Nothing that waits takes effect any more. */
  #end(): void {
    if (this.phase.name !== 'closed') {
      this.phase = { name: 'closed', actor: this.phase.name === 'live' ? this.phase.actor : undefined };
    }
    this.#waiting = undefined;
    this.onDrain();
  }

  async #takeTurns(first?: () => Promise<void>): Promise<void> {
    await first?.();
    for (let next = this.#waiting?.shift(); next !== undefined; next = this.#waiting?.shift()) {
      this.#waitingBytes -= next.frame.length;
      if (this.isBackedUp) await this.waitUntilDrained();
      if (this.isClosed) break;
      const { lane, isLate, run } = this.#readFrame(this, next.frame, next.isOverLimit);
      if (isLate && this.#lateDue < maxLate) {
        this.#lateDue += 1;
        run().reply.then((reply) => this.#sendLate(reply));
        continue;
      }
      if (this.#mustWaitFor(lane)) await this.#replies;
      this.#lane = lane;
      if (this.isClosed) break; // while it waited
      const { entered, reply } = run();
      const sent = this.#sendBehind(this.#replies, reply, lane !== undefined);
      this.#repliesDue += 1;
      this.#replies = sent;
      await (lane === undefined ? sent : entered); // what is sent says whether the reader falls behind
    }
    this.#turn = undefined;
    this.#waiting = undefined;
  }

  /** Unless the frame has company in its lane, all replies before it leave first. [E6] */
  #mustWaitFor(lane: string | undefined): boolean {
    if (this.#repliesDue === 0) return false;
    return lane === undefined || lane !== this.#lane || this.#repliesDue >= this.#limits.waitingFrames;
  }

  /** Sends the reply when it has come and all before it are sent. Those of a lane come together: they leave together. */
  async #sendBehind(
    earlier: Promise<void> | undefined,
    reply: Promise<EncodedReply>,
    hasCompany: boolean,
  ): Promise<void> {
    if (earlier !== undefined) await earlier;
    const { text, afterReply } = await reply;
    this.#repliesDue -= 1;
    if (this.#repliesDue === 0) this.#replies = undefined;
    if (text !== undefined) {
      if (hasCompany && afterReply === undefined) this.#sendTogether(text);
      else this.send(text);
    }
    afterReply?.();
  }

  #sendLate({ text }: EncodedReply): void {
    if (text !== undefined) this.#sendTogether(text);
    this.#lateDue -= 1;
    if (this.#lateDue > 0) return;
    this.#allLate?.resolve();
    this.#allLate = undefined;
  }

  /**
   * Also together with the events that were published in this turn and are still to leave: one write a subscriber where
   * there were two or more, each some 6 us of the kernel's time.
   */
  #sendTogether(text: string): void {
    if (this.#outbox !== undefined) {
      this.#outbox.push(text);
      return;
    }
    this.#outbox = [text];
    process.nextTick(Connection.sendOutbox, this);
  }

  #sendOutbox(): void {
    const texts = this.#outbox;
    this.#outbox = undefined;
    if (texts === undefined || this.isClosed) return;
    this.#socket?.cork(() => {
      for (const text of texts) this.send(text);
    });
  }

  /** One function for all connections: most of them are idle. */
  static sendOutbox(connection: Connection): void {
    connection.#sendOutbox();
  }

  #takeAllowance(): boolean {
    if (this.#limits.commandsPerSecond === 0) return true;
    this.#refill();
    if (this.#allowance < 1) return false;
    this.#allowance -= 1;
    return true;
  }

  /** A bucket that holds one second's worth of commands. */
  #refill(): void {
    const { commandsPerSecond } = this.#limits;
    const now = performance.now();
    this.#allowance = Math.min(
      commandsPerSecond,
      this.#allowance + ((now - this.#allowanceAtMs) / 1_000) * commandsPerSecond,
    );
    this.#allowanceAtMs = now;
  }

  /** Counts a refusal; false: it was one too many, and the connection is closed. Refusing costs as much as answering. [E6] */
  #isPatient(): boolean {
    const now = performance.now();
    const forgotten = ((now - this.#refusedAtMs) / 1_000) * forgottenPerSecond;
    this.#refused = Math.max(0, this.#refused - forgotten) + 1;
    this.#refusedAtMs = now;
    if (this.#refused < maxRefused) return true;
    this.close(closeCodes.overloaded, 'Too many frames over the limit.');
    return false;
  }
}
