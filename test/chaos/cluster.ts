// Three instances as processes of their own, on a PostgreSQL and a Redis of their own, and the ways to break each part
// and to mend it. Instances keep their ports, and a proxy stands before each, for whoever wants its connection cut.

import pino from 'pino';
import { connectDatabase } from '../../src/db/connect.ts';
import type { Database, Db } from '../../src/db/database.ts';
import type { TestUser } from '../support/api.ts';
import { findFreePort } from '../support/child.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type ServerProcess, spawnServer } from '../support/process.ts';
import { type Redis, startRedis } from '../support/redis.ts';
import type { Env } from '../support/server.ts';
import { createFlow, startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

export const instanceIndexes: readonly number[] = [0, 1, 2];
export const drainSeconds = 3;

/** How many may write, and how many may follow, under one load. */
export const senderCount = 9;
export const subscriberCount = 6;

const startPatienceMs = 30_000;

export class Cluster {
  readonly postgres: Postgres;
  readonly proxies: readonly TcpProxy[];
  readonly #database: Database;
  readonly #env: Env;
  readonly #instances: ServerProcess[] = [];
  readonly #running = new Set<number>();
  /** Of every process that ever ran here, and how far it was read. */
  readonly #logs: { readonly process: ServerProcess; readChars: number }[] = [];
  #users: TestUser[] = [];
  #redis: Redis;
  #isRedisRunning = true;
  #isPostgresRunning = true;

  private constructor(parts: {
    postgres: Postgres;
    redis: Redis;
    database: Database;
    proxies: TcpProxy[];
    env: Env;
  }) {
    this.postgres = parts.postgres;
    this.#redis = parts.redis;
    this.#database = parts.database;
    this.proxies = parts.proxies;
    this.#env = parts.env;
  }

  static async start(): Promise<Cluster> {
    const [postgres, redis] = await Promise.all([startPostgres({ isDurable: true }), startRedis()]);
    const databaseUrl = await postgres.createDatabase();
    const database = await connectDatabase(
      { databaseUrl, databasePool: 4, dataDir: '' },
      pino({ level: 'silent' }),
    );
    const ports = instanceIndexes.map(findFreePort);
    const env: Env = {
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      DRAIN_SECONDS: String(drainSeconds),
      ACCESS_TOKEN_SECONDS: '86400',
      MAX_CONNECTIONS_PER_USER: '0',
      // Never reached, but counted in Redis.
      RATE_MESSAGES_PER_MINUTE: '1000000',
      RATE_CHATS_PER_HOUR: '1000000',
      RATE_PUBLISHES_PER_MINUTE: '1000000',
      RATE_TOPICS_PER_HOUR: '1000000',
      EVENTS_RETENTION_PER_TOPIC: '0', // the ledgers are compared with the whole log
    };
    const proxies = await Promise.all(ports.map(startTcpProxy));
    const cluster = new Cluster({ postgres, redis, database, proxies, env });
    await Promise.all(ports.map((port, index) => cluster.#spawn(index, port)));
    cluster.#users = await Promise.all(
      Array.from({ length: 1 + senderCount + subscriberCount }, (_, index) =>
        cluster.instance(index % ports.length).register(`User ${index}`),
      ),
    );
    return cluster;
  }

  get db(): Db {
    return this.#database.db;
  }

  get redisUrl(): string {
    return this.#redis.url;
  }

  /** Of every instance, be it alive or not: a client cannot know. */
  get urls(): string[] {
    return this.#instances.map(({ url }) => url);
  }

  /** The first one owns the chats; then the senders, then the subscribers. */
  get users(): readonly TestUser[] {
    return this.#users;
  }

  /** The process that serves there, or the last one that did. */
  instance(index: number): ServerProcess {
    const instance = this.#instances[index];
    if (instance === undefined) throw new Error(`There is no instance ${index}.`);
    return instance;
  }

  /** kill -9. */
  async killInstance(index: number): Promise<void> {
    this.#running.delete(index);
    this.instance(index).kill('SIGKILL');
    await this.instance(index).exited;
  }

  /** SIGTERM; answers the exit code. */
  async drainInstance(index: number): Promise<number> {
    this.#running.delete(index);
    this.instance(index).kill('SIGTERM');
    return await this.instance(index).exited;
  }

  /** Starts it where it was. While it cannot start, tries again, as whatever runs it in production would. */
  async startInstance(index: number): Promise<void> {
    const { port } = this.instance(index);
    const deadline = performance.now() + startPatienceMs;
    for (;;) {
      try {
        await this.#spawn(index, port);
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await Bun.sleep(200);
      }
    }
  }

  async freezeInstance(index: number, durationMs: number): Promise<void> {
    this.instance(index).kill('SIGSTOP');
    await Bun.sleep(durationMs);
    this.instance(index).kill('SIGCONT');
  }

  async killRedis(): Promise<void> {
    this.#isRedisRunning = false;
    await this.#redis.kill9();
  }

  /** The same port, and empty. */
  async restartRedis(): Promise<void> {
    this.#redis = await startRedis({ port: this.#redis.port });
    this.#isRedisRunning = true;
  }

  async freezeRedis(durationMs: number): Promise<void> {
    this.#redis.kill('SIGSTOP');
    await Bun.sleep(durationMs);
    this.#redis.kill('SIGCONT');
  }

  async crashPostgres(): Promise<void> {
    this.#isPostgresRunning = false;
    await this.postgres.crash();
  }

  async restartPostgres(): Promise<void> {
    await this.postgres.restart();
    this.#isPostgresRunning = true;
  }

  /** Starts again whatever is down and waits until it is used, so that one test leaves the next one a whole cluster. */
  async mend(): Promise<void> {
    for (const { toClient, toServer } of this.proxies) {
      Object.assign(toClient, createFlow());
      Object.assign(toServer, createFlow());
    }
    if (!this.#isPostgresRunning) await this.restartPostgres();
    if (!this.#isRedisRunning) await this.restartRedis();
    for (const index of this.#instances.keys()) {
      if (!this.#running.has(index)) await this.startInstance(index);
      await this.#untilWhole(index);
    }
  }

  /** What instances have logged as errors since this was last asked: expected failures are warnings. */
  takeBugs(): string[] {
    return this.#logs.flatMap((log) => {
      const { output } = log.process;
      const end = output.lastIndexOf('\n') + 1;
      const fresh = output.slice(log.readChars, end);
      log.readChars = end;
      return fresh.split('\n').filter(isBug);
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((index) => this.killInstance(index)));
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    await this.#database.close();
    if (this.#isRedisRunning) await this.#redis.stop();
    await this.postgres.stop();
  }

  async #untilWhole(index: number): Promise<void> {
    const deadline = performance.now() + startPatienceMs;
    for (;;) {
      const { body } = await this.instance(index).request('GET', '/health/ready');
      if (body.status === 'ready' && body.redis === 'up') return;
      if (performance.now() > deadline)
        throw new Error(`Instance ${index} stays at ${JSON.stringify(body)}.`);
      await Bun.sleep(50);
    }
  }

  async #spawn(index: number, port: number): Promise<void> {
    const process = await spawnServer({ ...this.#env, PORT: String(port) });
    this.#instances[index] = process;
    this.#running.add(index);
    this.#logs.push({ process, readChars: 0 });
  }
}

/** Pino's levels: 50 is an error, 60 is fatal. What is no JSON is a runtime's last words. */
function isBug(line: string): boolean {
  if (line.trim() === '') return false;
  return !line.startsWith('{') || JSON.parse(line).level >= 50;
}
