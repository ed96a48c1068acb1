// Where Redis is: one server, or the nodes of a cluster and the channels that each of them carries.

import keySlot from 'cluster-key-slot';
import { Redis, type RedisOptions } from 'ioredis';

export interface RedisServers {
  readonly isCluster: boolean;
  /** One; of a cluster those that know the others. Never empty. */
  readonly seeds: readonly RedisOptions[];
}

/** Which server carries a channel. */
export interface ChannelMap {
  /** By name, `host:port`. */
  readonly servers: ReadonlyMap<string, RedisOptions>;
  /** Undefined only while nothing is known of a cluster. */
  serverOf(channel: string): string | undefined;
}

/** A server that says nothing for this long is taken for gone. */
export const redisPatienceMs = 2_000;

/** Grows to a second and stays there, with jitter so that a fleet does not come back in one instant. */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(1_000, 50 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

/** `redis://user:password@host:port/db`, `rediss://…`, `redis+cluster://user:password@host:port,host:port`. */
export function parseRedisUrl(url: string): RedisServers {
  const isCluster = url.startsWith('redis+cluster://');
  const [first = '', ...others] = url.replace('redis+cluster:', 'redis:').split(',');
  const { protocol, username, password, pathname, ...rest } = parseServer(first);
  const login: RedisOptions = {
    username: decodeURIComponent(username) || undefined,
    password: decodeURIComponent(password) || undefined,
    db: Number(pathname.slice(1)) || 0,
    tls: protocol === 'rediss:' ? {} : undefined,
  };
  const seeds = [rest, ...others.map((server) => parseServer(`redis://${server}`))];
  return { isCluster, seeds: seeds.map(({ host, port }) => ({ ...login, host, port })) };
}

/** The map of a single server. */
export function mapSingle(server: RedisOptions): ChannelMap {
  const name = nameServer(server);
  return { servers: new Map([[name, server]]), serverOf: () => name };
}

/** Asks one candidate after the other how the cluster is made up; throws when none of them knows. */
export async function readClusterMap(candidates: Iterable<RedisOptions>): Promise<ChannelMap> {
  let failure: unknown;
  for (const candidate of candidates) {
    try {
      return await askForMap(candidate);
    } catch (error) {
      failure = error;
    }
  }
  throw new Error('No node of the Redis Cluster says which node carries what.', { cause: failure });
}

export function nameServer({ host, port }: RedisOptions): string {
  return `${host}:${port}`;
}

async function askForMap(node: RedisOptions): Promise<ChannelMap> {
  const connection = new Redis({
    ...node,
    lazyConnect: true,
    connectTimeout: redisPatienceMs,
    commandTimeout: redisPatienceMs,
    disconnectTimeout: 0,
    retryStrategy: null,
  });
  connection.on('error', () => {}); // connect() rejects with it
  try {
    await connection.connect();
    const servers = new Map<string, RedisOptions>();
    const owners: (string | undefined)[] = new Array(slotCount).fill(undefined);
    for (const [from, to, owner] of await connection.cluster('SLOTS')) {
      if (owner === undefined) continue;
      // A node that does not know its own address answers none: it is the one that was asked.
      const server = { ...node, host: owner[0] || node.host, port: owner[1] };
      servers.set(nameServer(server), server);
      owners.fill(nameServer(server), from, to + 1);
    }
    if (owners.includes(undefined)) throw new Error(`${nameServer(node)} knows of slots that nobody owns.`);
    return { servers, serverOf: (channel) => owners[keySlot(channel)] };
  } finally {
    connection.disconnect();
  }
}

const slotCount = 16_384;

function parseServer(text: string) {
  const { protocol, username, password, pathname, hostname, port } = new URL(text);
  return {
    protocol,
    username,
    password,
    pathname,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || 6379,
  };
}
