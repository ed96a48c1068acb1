// The topics that this instance has followers for, and the only caller of the native publish. Durable events leave
// through ordered streams: consecutive, once. Whose right an event revokes hears nothing behind it, and from whom one is
// withheld, not even that. [O1] [S7]

import type { EventFrame, EventPosition } from '../../protocol/envelope.ts';
import { userOfTopic } from '../../protocol/topics.ts';
import type { Actor } from '../actor.ts';
import { metaOf } from '../actor.ts';
import type { Bridge, BridgeFrame, EphemeralFrame } from '../bridge/bridge.ts';
import { isLastPage, type LoggedEvent, type LogHead } from '../log/event-log.ts';
import type { Place } from '../log/identity.ts';
import type { Reporter } from '../report.ts';
import { ringEvents, Stream } from './stream.ts';

/** A connection as the hub sees it. */
export interface Follower {
  follows(topic: string): boolean;
  readonly subscriptions: { values(): Iterable<{ readonly stream: Stream }> };
  /** Of the user's own topic, which it hears inside the server without following it. */
  readonly userStream: Stream | undefined;
  /** Whether the event reaches it as a follower of its topic, or has reached it as one that left since. */
  hears(event: EventPosition): boolean;
  /** Takes it off the native topic, or puts it back, between two publishes. */
  setMuted(topic: string, isMuted: boolean): void;
  /** Ends its subscription: its right is gone. [S7] */
  revoke(topic: string): void;
  /** The events of the topic cannot be continued without a gap: it must reconnect and resume. */
  restart(topic: string): void;
}

export interface HubDeps {
  readonly bridge: Bridge;
  /** Of the log that is delivered here. */
  readonly knownEpoch: () => string;
  readonly publishFrame: (topic: string, frame: string) => void;
  readonly followersOf: (userId: string) => Iterable<Follower>;
  readonly allFollowers: () => Iterable<Follower>;
  readonly readHead: (topic: string) => Promise<LogHead>;
  readonly readEvents: (topic: string, after: number, limit: number) => Promise<LoggedEvent[]>;
  readonly readNewestEvents: (topic: string, last: number, limit: number) => Promise<LoggedEvent[]>;
  /** Sees every durable event of a served topic, right behind its delivery. */
  readonly onDelivered: (event: LoggedEvent) => void;
  /** The same of ephemeral events; not of those that are announced here alone. */
  readonly onAnnounced: (event: EphemeralFrame) => void;
  readonly reporter: Pick<Reporter, 'report'>;
}

/** An event without a seq: live only, never in the log. */
export interface EphemeralEvent {
  readonly topic: string;
  readonly type: string;
  /** Any JSON. */
  readonly payload: unknown;
  readonly actor: Actor | undefined;
  /** Not delivered to the connections of these users. */
  readonly exceptUserIds?: readonly string[] | undefined;
  /** Not delivered to connections that hear of this durable event itself, or have, and be it that they left since. */
  readonly exceptHearersOf?: EventPosition | undefined;
}

/** A topic served here: its stream and how many follow it. */
interface Served {
  readonly stream: Stream;
  /** Until the stream is open. */
  opened: Promise<void> | undefined;
  followers: number;
  /** When an event was last delivered, in ms of the monotonic clock; decides how often it is healed. */
  lastMotion: number;
  holeTimer: ReturnType<typeof setTimeout> | undefined;
  healing: Promise<void> | undefined;
  warming: Promise<void> | undefined;
}

/** A hole that stays open this long is read from the log: two commits that finish out of order close it sooner. */
const holePatienceMs = 50;
const healPage = 500;

export class Hub {
  readonly #deps: HubDeps;
  readonly #served = new Map<string, Served>();
  /** While positions are compared with the log; resolves when that is over. */
  #held: Promise<void> | undefined;

  constructor(deps: HubDeps) {
    this.#deps = deps;
  }

  /** Serves the topic until `unfollow`; each call needs one. Answers its open stream. Fails when the log cannot be read. */
  async follow(topic: string): Promise<Stream> {
    let served = this.#served.get(topic);
    if (served === undefined) {
      served = this.#serve(topic);
      this.#served.set(topic, served);
    }
    served.followers += 1;
    try {
      await served.opened;
      return served.stream;
    } catch (error) {
      this.#leave(topic, served);
      throw error;
    }
  }

  /** Ends one `follow`, named by the stream it answered: the topic may be served anew since. */
  unfollow(stream: Stream): void {
    const served = this.#served.get(stream.topic);
    if (served?.stream === stream) this.#leave(stream.topic, served);
  }

  /** Events of a commit made here: delivered to followers here, and handed to the bridge. Never throws: the change stands. */
  publish(events: readonly LoggedEvent[], epoch: string): void {
    for (const event of events) {
      try {
        this.#admit(event, epoch);
        this.#deps.bridge.publish(event, epoch);
      } catch (error) {
        this.#deps.reporter.report(error, `publishing event ${event.seq} of ${event.topic}`);
      }
    }
  }

  /** Sends an ephemeral event to whoever follows its topic now, on every instance. */
  announce(event: EphemeralEvent): void {
    const encoded = encode(event);
    this.#announced(encoded);
    this.#deps.bridge.publish(encoded, this.#deps.knownEpoch());
  }

  /** To those who follow it on this instance: every instance says it to its own. */
  announceHere(event: EphemeralEvent): void {
    this.#deliverEphemeral(encode(event));
  }

  /** A frame of another instance. */
  receive(frame: BridgeFrame, epoch: string): void {
    if (frame.seq !== undefined) this.#admit(frame, epoch);
    else if (epoch === this.#deps.knownEpoch()) this.#announced(frame);
  }

  /** Delivers everything up to `seq`, from the log where it has not arrived. `seq` must be committed. */
  async catchUp(topic: string, seq: number): Promise<void> {
    const served = this.#served.get(topic);
    let fruitless = 0;
    while (served?.stream.isOpen && served.stream.position < seq && this.#served.get(topic) === served) {
      await this.#held;
      const before = served.stream.position;
      await this.#heal(topic, served);
      if (this.#held !== undefined) continue;
      // The first reading may have begun before `seq` was committed; a second one that finds nothing is the answer.
      if (served.stream.position === before) fruitless += 1;
      if (fruitless === 2) this.#restart(topic, served);
    }
  }

  /** Whether the stream is the one that events of its topic go to: a topic that was given up has another one, or none. */
  serves(stream: Stream): boolean {
    return this.#served.get(stream.topic)?.stream === stream;
  }

  /** Fills the memory of the stream from the log if it may reach `seq` then, once for all who ask at the same time. */
  async warm(stream: Stream, seq: number): Promise<void> {
    if (stream.since(seq) !== undefined || !stream.canRemember(seq)) return;
    const served = this.#served.get(stream.topic);
    if (served?.stream !== stream) return;
    served.warming ??= this.#warm(stream).finally(() => {
      served.warming = undefined;
    });
    await served.warming;
  }

  /** Where every topic that is served here stands. */
  places(): Place[] {
    const places: Place[] = [];
    for (const [topic, { stream }] of this.#served) {
      if (stream.isOpen) places.push({ topic, seq: stream.position, id: stream.newestId });
    }
    return places;
  }

  /** Until the answer is called no stream moves on: what arrives is dropped, for the log has it, or never had it. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return () => {
      this.#held = undefined;
      resolve();
    };
  }

  /** The log is not the one that was delivered on these topics: their followers come back and get a reset. [S4] */
  giveUp(topics: ReadonlySet<string>): void {
    const streams = new Set<Stream>();
    for (const topic of topics) {
      const served = this.#served.get(topic);
      if (served === undefined) continue;
      streams.add(served.stream);
      this.#drop(topic, served);
    }
    if (streams.size === 0) return;
    // Each follower is looked at once, however many topics there are.
    for (const follower of this.#deps.allFollowers()) {
      const { userStream } = follower;
      const lost = [...follower.subscriptions.values()].find(({ stream }) => streams.has(stream))?.stream;
      const stream = lost ?? (userStream !== undefined && streams.has(userStream) ? userStream : undefined);
      if (stream !== undefined) follower.restart(stream.topic);
    }
  }

  /** The topics served here; with `movedSince`, only those with an event delivered after that time. */
  topics(movedSince = Number.NEGATIVE_INFINITY): string[] {
    const names: string[] = [];
    for (const [topic, served] of this.#served) {
      if (served.stream.isOpen && served.lastMotion >= movedSince) names.push(topic);
    }
    return names;
  }

  /** Brings the topics up to the heads that the log answered for them. */
  async healTo(heads: ReadonlyMap<string, number>): Promise<void> {
    for (const [topic, head] of heads) await this.catchUp(topic, head);
  }

  stop(): void {
    for (const served of this.#served.values()) clearTimeout(served.holeTimer);
    this.#served.clear();
  }

  #serve(topic: string): Served {
    const stream = new Stream(topic, this.#deliver);
    // Listening first, the head second: what commits in between arrives early, and waits in the stream.
    const opened = this.#deps.bridge
      .serve(topic)
      .then(() => this.#readHead(topic))
      .then(({ head, id }) => {
        stream.open(head, id);
        served.opened = undefined;
        this.#watchHole(topic, served);
      });
    const served: Served = {
      stream,
      opened,
      followers: 0,
      lastMotion: performance.now(),
      holeTimer: undefined,
      healing: undefined,
      warming: undefined,
    };
    return served;
  }

  async #readHead(topic: string): Promise<LogHead> {
    for (;;) {
      await this.#held;
      const head = await this.#deps.readHead(topic);
      // What was read while others were compared is compared with nothing.
      if (this.#held === undefined) return head;
    }
  }

  #leave(topic: string, served: Served): void {
    served.followers -= 1;
    if (served.followers > 0 || this.#served.get(topic) !== served) return;
    this.#drop(topic, served);
  }

  #drop(topic: string, served: Served): void {
    clearTimeout(served.holeTimer);
    this.#served.delete(topic);
    this.#deps.bridge.release(topic);
  }

  /** Under another epoch the event may be one that the log has lost, or stand where it lost another one. [S4] */
  #admit(event: LoggedEvent, epoch: string): void {
    const served = this.#served.get(event.topic);
    if (served === undefined || this.#held !== undefined) return;
    if (epoch !== this.#deps.knownEpoch()) {
      served.lastMotion = performance.now(); // the next round looks at the log, and asks it for this topic
      return;
    }
    served.stream.accept(event);
    this.#watchHole(event.topic, served);
  }

  #watchHole(topic: string, served: Served): void {
    if (!served.stream.hasHole || served.holeTimer !== undefined) return;
    served.holeTimer = setTimeout(() => {
      served.holeTimer = undefined;
      if (served.stream.hasHole) this.#healSoon(topic, served);
    }, holePatienceMs);
  }

  /** A field, not a method: one function for all streams. */
  readonly #deliver = (event: LoggedEvent): void => {
    const served = this.#served.get(event.topic);
    if (served !== undefined) served.lastMotion = performance.now();
    try {
      if (event.withheldFrom !== undefined) this.#revoke(event.topic, event.withheldFrom);
      this.#deps.publishFrame(event.topic, event.frame);
      if (event.revokes !== undefined) this.#revoke(event.topic, event.revokes);
      this.#deps.onDelivered(event);
    } catch (error) {
      // The stream is behind this event and would never deliver it again: whoever missed it has to come back for it.
      this.#deps.reporter.report(error, `delivering ${event.topic} at ${event.seq}`);
      if (served !== undefined) this.#restart(event.topic, served);
    }
  };

  /** Whoever is live was let in at a seq before the one that is delivered, so the event counts for all of them. [S7] */
  #revoke(topic: string, userIds: readonly string[]): void {
    for (const userId of userIds) {
      for (const follower of this.#deps.followersOf(userId)) follower.revoke(topic);
    }
  }

  #announced(event: EphemeralFrame): void {
    if (this.#deliverEphemeral(event)) this.#deps.onAnnounced(event);
  }

  /** False where nobody here follows its topic. */
  #deliverEphemeral(event: EphemeralFrame): boolean {
    if (!this.#served.has(event.topic)) return false;
    const muted = this.#leftOut(event);
    for (const follower of muted) follower.setMuted(event.topic, true);
    this.#deps.publishFrame(event.topic, event.frame);
    for (const follower of muted) follower.setMuted(event.topic, false);
    return true;
  }

  /** The few connections that the event is not for: found by their users, so no other follower is looked at. */
  #leftOut({ topic, exceptUserIds, exceptHearersOf }: EphemeralFrame): Follower[] {
    if (exceptUserIds !== undefined) {
      return exceptUserIds.flatMap((userId) => [...this.#deps.followersOf(userId)]);
    }
    if (exceptHearersOf === undefined) return [];
    const userId = userOfTopic(topic);
    if (userId === undefined) throw new Error(`exceptHearersOf is for user topics, not for ${topic}.`);
    return [...this.#deps.followersOf(userId)].filter((follower) => follower.hears(exceptHearersOf));
  }

  #healSoon(topic: string, served: Served): void {
    // Left open by a failure, the hole is found again by the next round of healing.
    this.#heal(topic, served).catch((error: unknown) =>
      this.#deps.reporter.report(error, `healing ${topic}`),
    );
  }

  #heal(topic: string, served: Served): Promise<void> {
    served.healing ??= this.#healOnce(topic, served).finally(() => {
      served.healing = undefined;
    });
    return served.healing;
  }

  async #healOnce(topic: string, served: Served): Promise<void> {
    for (;;) {
      const { stream } = served;
      const missing = await this.#deps.readEvents(topic, stream.position, healPage);
      if (this.#served.get(topic) !== served || this.#held !== undefined) return;
      const first = missing[0];
      if (first === undefined) return;
      // Asked again, as the stream moved on while the log was read.
      if (first.seq > stream.position + 1) {
        this.#restart(topic, served);
        return;
      }
      for (const event of missing) stream.accept(event);
      if (isLastPage(missing, healPage)) return;
    }
  }

  /** The log has lost what this stream waits for (retention, a restored backup): followers come back and get a reset. [S4] */
  #restart(topic: string, served: Served): void {
    this.#drop(topic, served);
    for (const follower of this.#deps.allFollowers()) {
      if (follower.follows(topic) || follower.userStream === served.stream) follower.restart(topic);
    }
  }

  async #warm(stream: Stream): Promise<void> {
    const { position } = stream;
    stream.extendRing(await this.#deps.readNewestEvents(stream.topic, position, ringEvents), position);
  }
}

function encode(event: EphemeralEvent): EphemeralFrame {
  const { topic, type, payload, actor, exceptUserIds, exceptHearersOf } = event;
  const frame: EventFrame = {
    type,
    topic,
    id: Bun.randomUUIDv7(),
    at: new Date().toISOString(),
    payload,
    meta: metaOf(actor),
  };
  return { topic, frame: JSON.stringify(frame), exceptUserIds, exceptHearersOf };
}
