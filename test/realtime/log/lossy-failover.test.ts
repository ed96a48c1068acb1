// A database that comes back without its last commits, and has been written to by others when the instances see it again:
// real servers, real replication. Whoever was told of what is lost starts over; nobody continues on other events. [O1] [S4]

import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import pg from 'pg';
import pino from 'pino';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Db } from '../../../src/db/database.ts';
import { readHeads } from '../../../src/realtime/log/event-log.ts';
import { fillLog, range, reach, seqsOf } from '../../protocol/chat.ts';
import type { TestUser } from '../../support/api.ts';
import { findFreePort } from '../../support/child.ts';
import type { TestClient } from '../../support/client.ts';
import { createLedger, type Ledger } from '../../support/ledger.ts';
import { describeWith } from '../../support/needs.ts';
import { type Postgres, postgresMissing, type Replica, startPostgres } from '../../support/postgres.ts';
import { type ServerProcess, spawnServer } from '../../support/process.ts';
import { type Redis, redisMissing, startRedis } from '../../support/redis.ts';
import type { Env } from '../../support/server.ts';
import { until } from '../../support/until.ts';

setDefaultTimeout(120_000);

const [busy, quiet] = ['app:public.busy', 'app:public.quiet'];

interface Follower {
  readonly client: TestClient;
  readonly ledger: Ledger;
  /** As the last `ok` had it. */
  epoch: string;
}

/** Two instances, and on each of them followers of a busy topic and of a quiet one. */
interface Scene {
  readonly ann: TestUser;
  readonly instances: readonly [ServerProcess, ServerProcess];
  readonly busy: readonly [Follower, Follower];
  readonly quiet: readonly [Follower, Follower];
  say(topic: string, count: number): Promise<void>;
}

describeWith('a database that lost its last commits', postgresMissing ?? redisMissing, () => {
  let postgres: Postgres | undefined;
  let replica: Replica | undefined;
  let redis: Redis | undefined;
  let processes: ServerProcess[] = [];
  const end = async () => {
    await Promise.all(processes.map((each) => each.stop()));
    await Promise.all([postgres?.stop(), replica?.stop(), redis?.kill9()]);
    processes = [];
    [postgres, replica, redis] = [undefined, undefined, undefined];
  };
  afterEach(end);
  afterAll(end);

  async function follow(server: ServerProcess, user: TestUser, topic: string): Promise<Follower> {
    const ledger = createLedger();
    const client = await server.connect(user, { onFrame: ledger.record });
    const { epoch } = await ledger.follow(client, topic);
    return { client, ledger, epoch };
  }

  async function setScene(env: Env): Promise<Scene> {
    const instances = [await spawnServer(env), await spawnServer(env)] as const;
    processes.push(...instances);
    const [one, two] = instances;
    const ann = await one.register('Ann');
    return {
      ann,
      instances,
      busy: [await follow(one, ann, busy), await follow(two, ann, busy)],
      quiet: [await follow(one, ann, quiet), await follow(two, ann, quiet)],
      async say(topic, count) {
        for (let n = 0; n < count; n += 1) {
          const { status } = await one.request('POST', `/v1/topics/${topic}/events`, {
            token: ann.accessToken,
            body: { event: 'thing.said', data: n, durable: true },
          });
          expect(status).toBe(201);
        }
      },
    };
  }

  /** As an instance does that was not there before: it has nothing to compare. */
  async function writeOn(databaseUrl: string, count: number): Promise<void> {
    await withDatabase(databaseUrl, (db) => fillLog(db, busy, count));
  }

  async function withDatabase<Result>(
    databaseUrl: string,
    work: (db: Db) => Promise<Result>,
  ): Promise<Result> {
    const logger = pino({ level: 'silent' });
    const database = await connectDatabase({ databaseUrl, databasePool: 1, dataDir: '' }, logger);
    return await work(database.db).finally(() => database.close());
  }

  /** The followers of the busy topic heard of `told` events, of which the log has lost some, and has others in their place. */
  async function expectStartOver(scene: Scene, databaseUrl: string, told: number): Promise<void> {
    const { ann, instances } = scene;
    for (const { client } of scene.busy) expect((await client.closed).code).toBe(1012);
    for (const instance of instances) await untilReady(instance);
    const next: Follower[] = [];
    for (const [index, { client, epoch }] of scene.busy.entries()) {
      expect(seqsOf(client, busy)).toEqual(range(1, told));
      // The one that was followed, and the other one: who comes back may come to either.
      for (const server of instances) {
        const returning = await server.connect(ann);
        const answer = await returning.subscribe(busy, { since: told, epoch });
        expect(answer).toMatchObject({ reset: true, replay: 0 });
        expect(answer.epoch).not.toBe(epoch);
        returning.close();
      }
      next.push(await follow(instances[index] ?? instances[0], ann, busy));
    }
    const epochs = new Set(next.map(({ epoch }) => epoch));
    expect(epochs.size).toBe(1);
    await scene.say(busy, 5);
    await scene.say(quiet, 2);
    // Nothing was lost on the quiet topic: its followers were not sent away, and hear what follows.
    for (const follower of [...next, ...scene.quiet]) {
      const topic = next.includes(follower) ? busy : quiet;
      await withDatabase(databaseUrl, async (db) => {
        const head = (await readHeads(db, [topic])).get(topic) ?? 0;
        await reach(follower.client, topic, head);
        expect(await follower.ledger.compare(db, topic)).toMatchObject({
          lost: 0,
          repeated: 0,
          reordered: 0,
          invented: 0,
        });
      });
    }
  }

  const untilReady = (server: ServerProcess) =>
    until(async () => (await server.request('GET', '/health/ready')).status === 200, 'the instance is ready');

  for (const withRedis of [true, false]) {
    test(`[S4] promoted without its last events, ${withRedis ? 'with' : 'without'} Redis`, async () => {
      const primary = await startPostgres();
      postgres = primary;
      const DATABASE_URL = await primary.createDatabase('bare');
      const name = new URL(DATABASE_URL).pathname.slice(1);
      redis = withRedis ? await startRedis() : undefined;
      const scene = await setScene({ DATABASE_URL, ...(redis && { REDIS_URL: redis.url }) });
      const standby = await primary.createReplica();
      replica = standby;
      await scene.say(quiet, 3);
      await scene.say(busy, 5);
      await standby.catchUp();
      await standby.cutOff();
      await scene.say(busy, 10);
      for (const { client } of scene.busy) await reach(client, busy, 15);
      for (const { client } of scene.quiet) await reach(client, quiet, 3);

      await primary.crash();
      await standby.promote();
      await writeOn(standby.url(name), 20); // beyond what was lost
      await standby.moveTo(primary.port);
      await expectStartOver(scene, DATABASE_URL, 15);
    });
  }

  async function tell(server: Postgres, ...statements: string[]): Promise<void> {
    const client = new pg.Client({ connectionString: server.url('postgres') });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }

  const loseCommits = (server: Postgres) =>
    tell(
      server,
      'ALTER SYSTEM SET synchronous_commit = off',
      "ALTER SYSTEM SET wal_writer_delay = '10s'",
      'SELECT pg_reload_conf()',
    );

  /** Crashes the server of which fewer than `told` events of the busy topic are on the disk, and writes others there. */
  async function crashAndWriteOn(server: Postgres, databaseUrl: string, told: number): Promise<void> {
    const { port } = server;
    await server.crash();
    await server.restart(findFreePort());
    const elsewhere = new URL(databaseUrl);
    elsewhere.port = `${server.port}`;
    const heads = await withDatabase(elsewhere.href, (db) => readHeads(db, [busy]));
    expect(heads.get(busy) ?? 0).toBeLessThan(told);
    await writeOn(elsewhere.href, 20);
    await tell(server, 'CHECKPOINT');
    await server.crash();
    await server.restart(port);
  }

  test('[S4] crashed while commits did not wait for the disk', async () => {
    const server = await startPostgres();
    postgres = server;
    const DATABASE_URL = await server.createDatabase('bare');
    await loseCommits(server);
    redis = await startRedis();
    const scene = await setScene({ DATABASE_URL, REDIS_URL: redis.url });
    await scene.say(quiet, 3);
    await scene.say(busy, 5);
    await tell(server, 'CHECKPOINT');
    await scene.say(busy, 10);
    for (const { client } of scene.busy) await reach(client, busy, 15);
    for (const { client } of scene.quiet) await reach(client, quiet, 3);
    await crashAndWriteOn(server, DATABASE_URL, 15);
    await expectStartOver(scene, DATABASE_URL, 15);
  });

  for (const how of ['promoted', 'crashed'] as const) {
    test(`[S4] ${how} without its last events, and every instance ended with it`, async () => {
      const server = await startPostgres();
      postgres = server;
      const DATABASE_URL = await server.createDatabase('bare');
      if (how === 'crashed') await loseCommits(server);
      const scene = await setScene({ DATABASE_URL });
      const standby = how === 'promoted' ? await server.createReplica() : undefined;
      replica = standby;
      await scene.say(busy, 5);
      await standby?.catchUp();
      await standby?.cutOff();
      if (how === 'crashed') await tell(server, 'CHECKPOINT');
      await scene.say(busy, 10);
      const [{ client, epoch }] = scene.busy;
      await reach(client, busy, 15);
      for (const instance of scene.instances) instance.kill('SIGKILL');
      if (standby === undefined) {
        await crashAndWriteOn(server, DATABASE_URL, 15);
      } else {
        await server.crash();
        await standby.promote();
        await writeOn(standby.url(new URL(DATABASE_URL).pathname.slice(1)), 20);
        await standby.moveTo(server.port);
      }
      const next = await spawnServer({ DATABASE_URL });
      processes.push(next);
      const answer = await (await next.connect(scene.ann)).subscribe(busy, { since: 15, epoch });
      expect(answer).toMatchObject({ reset: true, replay: 0 });
      expect(answer.epoch).not.toBe(epoch);
    });
  }

  test('a standby is not used before it is promoted; where nothing was lost, nobody is sent away', async () => {
    const primary = await startPostgres();
    postgres = primary;
    const DATABASE_URL = await primary.createDatabase('bare');
    const scene = await setScene({ DATABASE_URL });
    const standby = await primary.createReplica();
    replica = standby;
    await scene.say(busy, 5);
    await standby.catchUp();
    for (const { client } of scene.busy) await reach(client, busy, 5);
    await primary.crash();
    await standby.moveTo(primary.port);
    const [one] = scene.instances;
    const refusal = await one.request('GET', `/v1/topics/${busy}/events`, { token: scene.ann.accessToken });
    expect(refusal).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    expect((await one.request('GET', '/health/ready')).status).toBe(503);

    await standby.promote();
    for (const instance of scene.instances) await untilReady(instance);
    await scene.say(busy, 5);
    for (const { client } of scene.busy) {
      await reach(client, busy, 10);
      expect(seqsOf(client, busy)).toEqual(range(1, 10));
    }
  });

  test('a crash that loses nothing sends nobody away, and positions stay good', async () => {
    const server = await startPostgres();
    postgres = server;
    const DATABASE_URL = await server.createDatabase('bare');
    const scene = await setScene({ DATABASE_URL });
    await scene.say(busy, 5);
    for (const { client } of scene.busy) await reach(client, busy, 5);
    await server.crash();
    await server.restart();
    for (const instance of scene.instances) await untilReady(instance);
    await scene.say(busy, 5);
    for (const { client, epoch } of scene.busy) {
      await reach(client, busy, 10);
      expect(seqsOf(client, busy)).toEqual(range(1, 10));
      const again = await client.subscribe(busy, { since: 3, epoch });
      expect(again).toMatchObject({ epoch, replay: 7 });
      expect(again.reset).toBeUndefined();
    }
  });
});
