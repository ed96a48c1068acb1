// A Redis Cluster of the tests' own: three nodes without replicas, on free ports. A killed node comes back as it was.

import { type Child, findFreePort, startChild } from './child.ts';
import { makeFolder, removeFolder } from './janitor.ts';
import { runRedisCli } from './redis.ts';
import { until } from './until.ts';

export interface RedisCluster {
  /** Names two of the three. */
  readonly url: string;
  readonly nodes: readonly RedisNode[];
  /** Every slot is served, and every node knows it. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

export class RedisNode {
  readonly port = findFreePort();
  readonly #busPort = findFreePort();
  readonly #home = makeFolder('redis-node');
  #child: Child | undefined;

  async start(): Promise<void> {
    this.#child = await startChild({
      command: [
        'redis-server',
        ...['--port', `${this.port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
        ...[
          '--cluster-enabled',
          'yes',
          '--cluster-port',
          `${this.#busPort}`,
          '--cluster-node-timeout',
          '2000',
        ],
      ],
      cwd: this.#home,
      stopSignal: 'SIGTERM',
      isReady: (line) => line.includes('Ready to accept connections'),
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** No goodbye. */
  async kill9(): Promise<void> {
    this.kill('SIGKILL');
    await this.#child?.exited;
  }

  async stop(): Promise<void> {
    await this.kill9();
    removeFolder(this.#home);
  }

  async meet(other: RedisNode): Promise<void> {
    await this.command('CLUSTER', 'MEET', '127.0.0.1', `${other.port}`, `${other.#busPort}`);
  }

  /** Runs redis-cli and answers what it prints. */
  command(...args: string[]): Promise<string> {
    return runRedisCli(this.port, ...args);
  }
}

const slotCount = 16_384;

export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes = [new RedisNode(), new RedisNode(), new RedisNode()];
  await Promise.all(nodes.map((node) => node.start()));
  const bounds = nodes.map((_, index) => Math.floor((slotCount * index) / nodes.length));
  const settle = async () => {
    for (const node of nodes) {
      await until(async () => {
        const info = await node.command('CLUSTER', 'INFO');
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`);
      }, `node ${node.port} sees a whole cluster`);
    }
  };
  for (const [index, node] of nodes.entries()) {
    const end = (bounds[index + 1] ?? slotCount) - 1;
    await node.command('CLUSTER', 'ADDSLOTSRANGE', `${bounds[index]}`, `${end}`);
    // Two nodes that took the same epoch would settle that later, by a vote.
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', `${index + 1}`);
    for (const other of nodes) if (other !== node) await node.meet(other);
  }
  await settle();
  return {
    url: `redis+cluster://${nodes
      .slice(0, 2)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join()}`,
    nodes,
    settle,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}
