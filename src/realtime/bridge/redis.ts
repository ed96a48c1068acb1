// The bridge over Redis pub/sub, plain or sharded over the nodes of a Redis Cluster. A topic is a channel, listened to
// only while it is served here. A message is one header line and the encoded event, which is passed on unparsed.
// Nothing is kept for a Redis that is away: when it is back, `onGap` has the log fill what is missing.

import type { RedisOptions } from 'ioredis';
import { type ChannelMap, mapSingle, parseRedisUrl, readClusterMap } from '../../redis/servers.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { Counter } from '../../telemetry/metrics.ts';
import type { Bridge, BridgeFrame } from './bridge.ts';
import { beatMs, RedisLink } from './redis-link.ts';

export interface RedisBridgeOptions {
  /** Unique among the instances, also over restarts, and without a space. */
  readonly instanceId: string;
  /** Of the database: pub/sub knows no database numbers, and another deployment may use the same Redis. */
  readonly logId: string;
  readonly logger: Logger;
  /** Frames that Redis did not take. */
  readonly lost?: Counter;
}

/** How long a start waits for a Redis that may be away. */
const startPatienceMs = 1_000;

/** Redis is connected to by `start`. Throws only where the URL is none. */
export function createRedisBridge(url: string, options: RedisBridgeOptions): Bridge {
  return new RedisBridge(url, options);
}

class RedisBridge implements Bridge {
  readonly #instanceId: string;
  readonly #logId: string;
  /** Behind it comes the topic. */
  readonly #channelPrefix: string;
  readonly #logger: Logger;
  readonly #lost: Counter;
  readonly #seeds: ReturnType<typeof parseRedisUrl>['seeds'];
  readonly #isCluster: boolean;
  /** What every own message begins with: told apart before anything is decoded. */
  readonly #ownMark: Buffer;
  readonly #served = new Set<string>();
  /** By the name of the server. */
  readonly #links = new Map<string, { readonly link: RedisLink; readonly beatChannel: string }>();
  #map: ChannelMap;
  #isMapStale: boolean;
  #isMapping = false;
  #isStopped = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #receive: (frame: BridgeFrame, epoch: string) => void = () => {};
  #onGap: () => void = () => {};
  readonly #firstUp = Promise.withResolvers<void>();

  constructor(url: string, { instanceId, logId, logger, lost = new Counter() }: RedisBridgeOptions) {
    const { seeds, isCluster } = parseRedisUrl(url);
    const [server] = seeds;
    this.#instanceId = instanceId;
    this.#logId = logId;
    this.#channelPrefix = `carillon:${logId}:`;
    this.#logger = logger;
    this.#lost = lost;
    this.#seeds = seeds;
    this.#isCluster = isCluster;
    this.#ownMark = Buffer.from(`${instanceId} `);
    this.#map = isCluster || server === undefined ? nowhere : mapSingle(server);
    this.#isMapStale = isCluster;
  }

  get isComplete(): boolean {
    return !this.#isMapStale && this.#everyLink((link) => link.isComplete);
  }

  get status(): 'up' | 'down' {
    return !this.#isMapStale && this.#everyLink((link) => link.isUp) ? 'up' : 'down';
  }

  async start(receive: (frame: BridgeFrame, epoch: string) => void, onGap: () => void): Promise<void> {
    this.#receive = receive;
    this.#onGap = onGap;
    this.#timer = setInterval(() => this.#beat(), beatMs);
    this.#connect();
    if (this.#isCluster) void this.#refreshMap();
    const timer = setTimeout(this.#firstUp.resolve, startPatienceMs);
    await this.#firstUp.promise;
    clearTimeout(timer);
  }

  async serve(topic: string): Promise<void> {
    this.#served.add(topic);
    await this.#linkOf(topic)?.subscribe(this.#channelOf(topic));
  }

  release(topic: string): void {
    this.#served.delete(topic);
    this.#linkOf(topic)?.unsubscribe(this.#channelOf(topic));
  }

  publish(frame: BridgeFrame, epoch: string): boolean {
    const message = encodeMessage(this.#instanceId, epoch, frame);
    const isSent = this.#linkOf(frame.topic)?.publish(this.#channelOf(frame.topic), message) ?? false;
    if (!isSent) this.#lost.add();
    return isSent;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#links.values()].map(({ link }) => link.stop()));
  }

  #channelOf(topic: string): string {
    return this.#channelPrefix + topic;
  }

  #linkOf(topic: string): RedisLink | undefined {
    return this.#links.get(this.#map.serverOf(this.#channelOf(topic)) ?? '')?.link;
  }

  #everyLink(holds: (link: RedisLink) => boolean): boolean {
    return this.#links.size > 0 && [...this.#links.values()].every(({ link }) => holds(link));
  }

  #beat(): void {
    for (const { link } of this.#links.values()) link.beat();
    // A node that is away may have been replaced by another.
    if (this.#isCluster && this.status === 'down') void this.#refreshMap();
  }

  async #refreshMap(): Promise<void> {
    if (this.#isMapping) return;
    this.#isMapping = true;
    try {
      const map = await readClusterMap([...this.#map.servers.values(), ...this.#seeds]);
      if (!this.#isStopped) await this.#adopt(map);
    } catch (error) {
      this.#logger.debug({ err: error }, 'the nodes of the Redis Cluster are not known yet');
    } finally {
      this.#isMapping = false;
    }
  }

  async #adopt(map: ChannelMap): Promise<void> {
    const before = this.#map;
    const moved = [...this.#served].filter((topic) => {
      const channel = this.#channelOf(topic);
      return before.serverOf(channel) !== map.serverOf(channel);
    });
    for (const topic of moved) this.#linkOf(topic)?.unsubscribe(this.#channelOf(topic));
    this.#map = map;
    this.#connect();
    await Promise.all(moved.map((topic) => this.#linkOf(topic)?.subscribe(this.#channelOf(topic))));
    this.#isMapStale = false;
    if (moved.length > 0) this.#onGap();
  }

  /** One link to each server of the map, and none to any other. */
  #connect(): void {
    const wanted = new Map(
      [...this.#map.servers.keys()].map((name) => [name, findBeatChannel(this.#map, name, this.#logId)]),
    );
    for (const [name, { link, beatChannel }] of this.#links) {
      if (wanted.get(name) === beatChannel) continue;
      this.#links.delete(name);
      void link.stop();
    }
    for (const [name, server] of this.#map.servers) {
      const beatChannel = wanted.get(name);
      if (beatChannel === undefined || this.#links.has(name)) continue;
      this.#links.set(name, { beatChannel, link: this.#openLink(name, server, beatChannel) });
    }
  }

  #openLink(name: string, server: RedisOptions, beatChannel: string): RedisLink {
    let isAway = false;
    return new RedisLink({
      server,
      isSharded: this.#isCluster,
      instanceId: this.#instanceId,
      beatChannel,
      channels: () =>
        [...this.#served]
          .map((topic) => this.#channelOf(topic))
          .filter((channel) => this.#map.serverOf(channel) === name),
      onMessage: (channel, message) => this.#onMessage(channel, message),
      onGap: () => this.#onGap(),
      onLost: () => this.#lost.add(),
      onMoved: () => {
        this.#isMapStale = true;
        void this.#refreshMap();
      },
      onUp: () => {
        if (isAway) this.#logger.info({ server: name }, 'Redis is back');
        isAway = false;
        if (this.status === 'up') this.#firstUp.resolve();
      },
      onAway: (error) => {
        isAway = true;
        this.#logger.warn(
          { server: name, err: error },
          'Redis is away: events of other instances come from the log',
        );
      },
    });
  }

  #onMessage(channel: Buffer, message: Buffer): void {
    if (startsWith(message, this.#ownMark)) return;
    const topic = channel.toString('latin1', this.#channelPrefix.length);
    const decoded = decodeMessage(topic, message);
    if (decoded !== undefined) this.#receive(decoded.frame, decoded.epoch);
  }
}

const nowhere: ChannelMap = { servers: new Map(), serverOf: () => undefined };

/** Not under the prefix of topics: who looks for subscriptions that nobody needs finds none. */
function findBeatChannel(map: ChannelMap, server: string, logId: string): string {
  // Every server of a map carries some channels, and every instance finds the same one.
  for (let index = 0; ; index += 1) {
    const channel = `carillon-beat:${logId}:${index}`;
    if (map.serverOf(channel) === server) return channel;
  }
}

/**
 * `origin epoch seq type user,user seq,seq`, and ` user,user` where it is withheld from some, or `origin epoch - user,user
 * topic seq`; a newline, the frame. None has spaces.
 */
function encodeMessage(origin: string, epoch: string, frame: BridgeFrame): string {
  const fields =
    frame.seq === undefined
      ? `- ${frame.exceptUserIds?.join() ?? ''} ${frame.exceptHearersOf?.topic ?? ''} ${frame.exceptHearersOf?.seq ?? ''}`
      : `${frame.seq} ${frame.type} ${frame.revokes?.join() ?? ''} ${frame.rewrites?.join() ?? ''}${frame.withheldFrom ? ` ${frame.withheldFrom.join()}` : ''}`;
  return `${origin} ${epoch} ${fields}\n${frame.frame}`;
}

/** Undefined where the message is none of an instance. */
function decodeMessage(
  topic: string,
  message: Buffer,
): { readonly frame: BridgeFrame; readonly epoch: string } | undefined {
  const headerEnd = message.indexOf(newline);
  if (headerEnd === -1) return undefined;
  const [, epoch = '', seq = '', second = '', third = '', fourth = '', fifth = ''] = message
    .toString('latin1', 0, headerEnd)
    .split(' ');
  const frame = message.toString('utf8', headerEnd + 1);
  if (seq === '-') {
    const exceptHearersOf = third === '' ? undefined : { topic: third, seq: Number(fourth) };
    const exceptUserIds = second === '' ? undefined : second.split(',');
    return { epoch, frame: { topic, frame, exceptUserIds, exceptHearersOf } };
  }
  if (!(Number(seq) > 0)) return undefined;
  const revokes = third === '' ? undefined : third.split(',');
  const rewrites = fourth === '' ? undefined : fourth.split(',').map(Number);
  const withheldFrom = fifth === '' ? undefined : fifth.split(',');
  return { epoch, frame: { topic, seq: Number(seq), type: second, frame, revokes, withheldFrom, rewrites } };
}

const newline = 0x0a;

function startsWith(message: Buffer, mark: Buffer): boolean {
  return message.length >= mark.length && message.compare(mark, 0, mark.length, 0, mark.length) === 0;
}
