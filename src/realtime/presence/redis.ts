// Presence of a whole cluster, in Redis. Each instance counts its own connections, writes the counts down, and holds a
// lease that it renews; what an instance without a lease left behind is cleared away, and announced, by any other one.
// While Redis is away every instance goes by its own counts, and writes them down again when Redis is back.

import { type RedisClient, waitForRedis } from '../../redis/client.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Reporter } from '../report.ts';
import { type AnnouncePresence, type Devices, flapMs, type Presence } from './presence.ts';
import { definePresenceScripts, type LeaseAnswer } from './redis-scripts.ts';

export interface RedisPresenceDeps {
  /** Not closed by this. */
  readonly redis: RedisClient;
  readonly instanceId: string;
  /** Of the database: another deployment may use the same Redis. */
  readonly logId: string;
  readonly announce: AnnouncePresence;
  readonly reporter: Pick<Reporter, 'report'>;
  readonly logger: Logger;
}

export interface PresenceTimes {
  readonly flapMs: number;
  readonly renewMs: number;
  /** At least three renewals. With one more renewal, by another instance, the connections of a killed one are gone. */
  readonly leaseMs: number;
}

const defaultTimes: PresenceTimes = { flapMs, renewMs: 5_000, leaseMs: 17_000 }; // 22 s: within the 30 of [P3]

/** A user at a place, as this instance sees it. */
interface Entry {
  readonly place: Place;
  readonly userId: string;
  /** 0: within the grace; `gone`: held no longer. */
  devices: number;
  /** Redis has it. */
  isShared: boolean;
  /** The user's coming was announced, or was known. */
  isPresent: boolean;
  isWriting: boolean;
  leaving: ReturnType<typeof setTimeout> | undefined;
}

interface Place {
  readonly name: string;
  readonly bucket: number;
  readonly users: Map<string, Entry>;
}

const gone = -1;

/** No lease is this long: nothing of other instances is cleared away. */
const trustNever = Number.MAX_SAFE_INTEGER;

/** Enough to spread over the nodes of any cluster, few enough to renew a lease in each. */
const bucketCount = 64;

/** Places of users who are connected, whatever they follow; nothing is announced there. */
const onlinePrefix = 'online:';
const onlinePlace = (userId: string): string => onlinePrefix + (Bun.hash.crc32(userId) % bucketCount);

/** Resolves when the leases are taken, or when Redis is away. */
export async function createRedisPresence(
  deps: RedisPresenceDeps,
  times: PresenceTimes = defaultTimes,
): Promise<Presence> {
  definePresenceScripts(deps.redis);
  await waitForRedis(deps.redis);
  const presence = new RedisPresence(deps, times);
  await presence.renew();
  return presence;
}

class RedisPresence implements Presence {
  readonly #deps: RedisPresenceDeps;
  readonly #times: PresenceTimes;
  readonly #places = new Map<string, Place>();
  /** The buckets in which Redis is known to have what this instance holds. */
  readonly #leased = new Set<number>();
  /** By bucket: how often others took away what this instance held there. */
  readonly #reaps = new Map<number, number>();
  readonly #timer: ReturnType<typeof setInterval>;
  /** Rounds since Redis last failed to answer. */
  #steadyRounds = 0;
  #isRenewing = false;
  #isAway = false;
  #isStopped = false;

  constructor(deps: RedisPresenceDeps, times: PresenceTimes) {
    this.#deps = deps;
    this.#times = times;
    this.#timer = setInterval(() => void this.renew(), times.renewMs);
  }

  join(topic: string, userId: string): void {
    this.#arrive(topic, userId);
  }

  leave(topic: string, userId: string): void {
    this.#depart(topic, userId);
  }

  connect(userId: string): void {
    this.#arrive(onlinePlace(userId), userId);
  }

  disconnect(userId: string): void {
    this.#depart(onlinePlace(userId), userId);
  }

  async list(topic: string): Promise<Devices> {
    const bucket = bucketOf(topic);
    const counts = await this.#ask(bucket, () =>
      this.#deps.redis.hgetall(this.#key(bucket, 'devices', topic)),
    );
    if (counts === undefined) return this.#listOwn(topic);
    return new Map(Object.entries(counts).map(([userId, count]) => [userId, Number(count)]));
  }

  async devicesOf(userIds: readonly string[]): Promise<Devices> {
    const byPlace = Map.groupBy(userIds, onlinePlace);
    const found = await Promise.all([...byPlace].map(([place, users]) => this.#devicesAt(place, users)));
    return new Map(found.flat());
  }

  /** One round over the leases; also what brings this instance back when Redis was away. Never fails. */
  async renew(): Promise<void> {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    try {
      await Promise.all(Array.from({ length: bucketCount }, (_, bucket) => this.#renewLease(bucket)));
    } finally {
      this.#isRenewing = false;
    }
    if (this.#leased.size < bucketCount) return;
    this.#steadyRounds += 1;
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#deps.logger.info('presence is known of all instances again');
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    for (const { users } of this.#places.values()) {
      for (const { leaving } of users.values()) clearTimeout(leaving);
    }
    // The users come back elsewhere, or another instance announces that they left. Not at once: that would be a flap.
    const ending = [...this.#leased].map((bucket) => this.#takeLease(bucket, this.#times.flapMs, trustNever));
    await Promise.allSettled(ending);
  }

  #arrive(name: string, userId: string): void {
    const place = this.#places.get(name) ?? { name, bucket: bucketOf(name), users: new Map() };
    this.#places.set(name, place);
    const entry = place.users.get(userId) ?? createEntry(place, userId);
    place.users.set(userId, entry);
    clearTimeout(entry.leaving);
    entry.devices = Math.max(0, entry.devices) + 1;
    void this.#write(entry);
  }

  #depart(name: string, userId: string): void {
    const entry = this.#places.get(name)?.users.get(userId);
    if (entry === undefined || entry.devices <= 0 || this.#isStopped) return;
    entry.devices -= 1;
    if (entry.devices === 0) {
      entry.leaving = setTimeout(() => {
        entry.devices = gone;
        void this.#write(entry);
      }, this.#times.flapMs);
    }
    void this.#write(entry);
  }

  /** Brings Redis up to the count of the entry. One write at a time, so that they cannot overtake each other. */
  async #write(entry: Entry): Promise<void> {
    if (entry.isWriting) return;
    entry.isWriting = true;
    let written: number;
    do {
      written = entry.devices;
      await this.#writeOnce(entry, written);
    } while (written !== entry.devices);
    entry.isWriting = false;
    // What Redis still has is kept until it can be told.
    if (written !== gone || entry.isShared) return;
    const { place } = entry;
    place.users.delete(entry.userId);
    if (place.users.size === 0) this.#places.delete(place.name);
  }

  async #writeOnce(entry: Entry, devices: number): Promise<void> {
    const { place, userId } = entry;
    const { bucket, name } = place;
    const isPresent = devices !== gone;
    const change = await this.#ask(bucket, () =>
      this.#deps.redis.holdPresence(
        this.#key(bucket, 'leases'),
        this.#key(bucket, 'held', this.#deps.instanceId),
        this.#key(bucket, 'devices', name),
        this.#key(bucket, 'holders', name),
        this.#deps.instanceId,
        name,
        userId,
        devices,
      ),
    );
    if (change === undefined) {
      if (isPresent !== entry.isPresent)
        this.#announce(isPresent ? 'presence.joined' : 'presence.left', name, userId);
    } else {
      // A Redis that came back empty counts everyone anew: who was in it before has not just come.
      if (change > 0 && !entry.isShared) this.#announce('presence.joined', name, userId);
      if (change < 0) this.#announce('presence.left', name, userId);
      entry.isShared = isPresent;
    }
    entry.isPresent = isPresent;
  }

  async #renewLease(bucket: number): Promise<void> {
    const wasLeased = this.#leased.has(bucket);
    const { leaseMs, renewMs } = this.#times;
    // When Redis has just come back, the others must have time to renew before anyone takes them for gone.
    const isSteady = this.#steadyRounds * renewMs >= leaseMs;
    let answer: LeaseAnswer;
    try {
      answer = await this.#takeLease(bucket, leaseMs, isSteady ? leaseMs - 2 * renewMs : trustNever);
    } catch (error) {
      this.#lose(bucket, error);
      return;
    }
    if (this.#isStopped) return;
    const [wasHeld, reaps, ...left] = answer;
    for (const entry of left) {
      const [place = '', userId = ''] = entry.split(' ');
      this.#announce('presence.left', place, userId);
    }
    const isReaped = reaps > (this.#reaps.get(bucket) ?? 0);
    this.#reaps.set(bucket, reaps);
    this.#leased.add(bucket);
    if (wasLeased && wasHeld === 1 && !isReaped) return;
    for (const place of this.#places.values()) {
      if (place.bucket !== bucket) continue;
      for (const entry of place.users.values()) {
        // Others have announced that they left.
        if (isReaped) entry.isShared = false;
        void this.#write(entry);
      }
    }
  }

  /** All keys of a bucket have its hash tag. */
  #key(bucket: number, ...parts: string[]): string {
    return `carillon-presence:${this.#deps.logId}:{${bucket}}:${parts.join(':')}`;
  }

  #takeLease(bucket: number, leaseMs: number, trustedMs: number): Promise<LeaseAnswer> {
    return this.#deps.redis.renewPresence(
      this.#key(bucket, 'leases'),
      this.#key(bucket, 'reaps', this.#deps.instanceId),
      this.#key(bucket),
      this.#deps.instanceId,
      leaseMs,
      trustedMs,
    );
  }

  async #devicesAt(place: string, userIds: string[]): Promise<[userId: string, devices: number][]> {
    const bucket = bucketOf(place);
    const counts = await this.#ask(bucket, () =>
      this.#deps.redis.hmget(this.#key(bucket, 'devices', place), ...userIds),
    );
    const own = this.#listOwn(place);
    return userIds
      .map((userId, index): [string, number] => [
        userId,
        counts === undefined ? (own.get(userId) ?? 0) : Number(counts[index]),
      ])
      .filter(([, devices]) => devices > 0);
  }

  #listOwn(name: string): Devices {
    const present = [...(this.#places.get(name)?.users.values() ?? [])].filter(({ devices }) => devices > 0);
    return new Map(present.map(({ userId, devices }) => [userId, devices]));
  }

  /** Undefined where Redis is away, or does not know what this instance holds. */
  async #ask<Answer>(bucket: number, ask: () => Promise<Answer>): Promise<Answer | undefined> {
    if (!this.#leased.has(bucket)) return undefined;
    try {
      return await ask();
    } catch (error) {
      this.#lose(bucket, error);
      return undefined;
    }
  }

  /** Until the next renewal that succeeds, this instance's own counts are all there is. */
  #lose(bucket: number, error: unknown): void {
    this.#leased.delete(bucket);
    this.#steadyRounds = 0;
    if (this.#isAway || this.#isStopped) return;
    this.#isAway = true;
    this.#deps.logger.warn({ err: error }, 'presence is known of this instance only: Redis is away');
  }

  #announce(type: Parameters<AnnouncePresence>[0], place: string, userId: string): void {
    if (this.#isStopped || place.startsWith(onlinePrefix)) return;
    try {
      this.#deps.announce(type, place, userId);
    } catch (error) {
      // Counts and leases must go on, and the others be announced.
      this.#deps.reporter.report(error, `announcing ${type} on ${place}`);
    }
  }
}

function createEntry(place: Place, userId: string): Entry {
  return {
    place,
    userId,
    devices: gone,
    isShared: false,
    isPresent: false,
    isWriting: false,
    leaving: undefined,
  };
}

function bucketOf(place: string): number {
  return Bun.hash.crc32(place) % bucketCount;
}
