// Redis as suites use and break it: the same handle on one server and on a cluster.

import { type Redis, runRedisCli, startRedis } from './redis.ts';
import { type RedisNode, startRedisCluster } from './redis-cluster.ts';

export interface Backend {
  readonly url: string;
  /** Channels that somebody listens to. */
  subscriptions(): Promise<string[]>;
  /** Publishes what is none of a bridge's messages. */
  send(channel: string, message: string): Promise<unknown>;
  kill9(): Promise<void>;
  restart(): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  stop(): Promise<void>;
}

export async function startPlain(): Promise<Backend> {
  let redis: Redis = await startRedis();
  const { port, url } = redis;
  return {
    url,
    subscriptions: async () => listLines(await runRedisCli(port, 'PUBSUB', 'CHANNELS', 'carillon:*')),
    send: (channel, message) => runRedisCli(port, 'PUBLISH', channel, message),
    kill9: () => redis.kill9(),
    async restart() {
      redis = await startRedis({ port });
    },
    signal: (signal) => redis.kill(signal),
    stop: () => redis.kill9(),
  };
}

export async function startCluster(): Promise<Backend> {
  const cluster = await startRedisCluster();
  const { nodes } = cluster;
  const each = (act: (node: RedisNode) => Promise<unknown>) => Promise.all(nodes.map(act));
  return {
    url: cluster.url,
    async subscriptions() {
      const printed = await Promise.all(
        nodes.map((node) => node.command('PUBSUB', 'SHARDCHANNELS', 'carillon:*')),
      );
      return printed.flatMap(listLines);
    },
    send: (channel, message) => runRedisCli(nodes[0]?.port ?? 0, '-c', 'SPUBLISH', channel, message),
    async kill9() {
      await each((node) => node.kill9());
    },
    async restart() {
      await each((node) => node.start());
      await cluster.settle();
    },
    signal(signal) {
      for (const node of nodes) node.kill(signal);
    },
    stop: () => cluster.stop(),
  };
}

const listLines = (printed: string) => printed.split('\n').filter((line) => line !== '');
