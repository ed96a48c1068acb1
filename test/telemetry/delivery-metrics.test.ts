// What an operator watches the promise by: commits, and where events go from there. Each moves when it is made to, and by
// what was done.

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { Glob } from 'bun';
import { sql } from 'drizzle-orm';
import { claimOne, create, registerWorker } from '../modules/jobs/setup.ts';
import {
  createGroup,
  fillLog,
  hold,
  holdTable,
  holdTopic,
  pruneLog,
  range,
  reach,
} from '../protocol/chat.ts';
import { describeWith } from '../support/needs.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { onEachDatabase } from '../support/server.ts';
import { until } from '../support/until.ts';
import { growthOf, metricsEnv, scrape } from './scrape.ts';

const topic = 'app:public.here';
const event = { event: 'some.thing', data: 1 };
const durable = { ...event, durable: true };

onEachDatabase('metrics of delivery', (open, database) => {
  test('tell commits, their batches and their events, those published and those delivered', async () => {
    const server = await open(metricsEnv);
    const [ann, ben] = [await server.register('Ann'), await server.register('Ben')];
    const clients = [await server.connect(ann), await server.connect(ann)] as const;
    for (const client of clients) await client.subscribe(topic);
    const ephemeral = 'carillon_events_published_total{kind="ephemeral"}';
    await until(async () => (await scrape(server)).get(ephemeral) === 1, 'it was said that Ann is there');
    const expected = {
      'carillon_commits_total{way="group"}': 1,
      'carillon_commit_duration_seconds_count{way="group"}': 1,
      carillon_commit_batch_size_sum: 1,
      carillon_commit_batch_size_count: 1,
      carillon_events_appended_total: 1,
      'carillon_events_published_total{kind="durable"}': 1,
      [ephemeral]: 1,
      carillon_deliveries_total: 4,
      carillon_delivery_lag_seconds_count: 1,
      carillon_events_healed_total: 0,
      carillon_bridge_lost_total: 0,
    };
    const growth = await growthOf(server, Object.keys(expected), async () => {
      await clients[0].request('publish', durable, { topic });
      await clients[0].request('publish', event, { topic });
      await clients[1].next(({ seq, type }) => type === 'some.thing' && seq === undefined);
    });
    expect(growth).toEqual(expected);
    const single = 'carillon_commits_total{way="single"}';
    const made = await growthOf(server, [single], () => createGroup(server, ann, [ben]));
    expect(made).toEqual({ [single]: 1 });
  });

  test('tell what was healed, replayed and reset', async () => {
    const server = await open(metricsEnv);
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    const expected = {
      carillon_events_healed_total: 3,
      carillon_events_replayed_total: 3,
      carillon_resets_total: 1,
      'carillon_events_published_total{kind="durable"}': 3,
    };
    const growth = await growthOf(server, Object.keys(expected), async () => {
      await client.subscribe(topic);
      await fillLog(server.db, topic, 3); // another instance committed, and was killed before it said so
      await reach(client, topic, 3);
      const back = await server.connect(ann);
      await back.subscribe(topic, { since: 0 });
      await reach(back, topic, 3);
      const other = 'app:public.pruned'; // of the first one, memory has what the log has no more
      await fillLog(server.db, other, 3);
      await pruneLog(server.db, other, 2);
      expect(await client.subscribe(other, { since: 1 })).toMatchObject({ reset: true });
    });
    expect(growth).toEqual(expected);
  });

  test('tell of a reader that was too slow', async () => {
    const server = await open(metricsEnv);
    const ann = await server.register('Ann');
    const stuck = await openRawSocket(server.port, { token: ann.accessToken });
    stuck.send(JSON.stringify({ id: 's', type: 'subscribe', topic }));
    await stuck.next(({ id }) => id === 's');
    stuck.stopReading();
    const client = await server.connect(ann);
    const publish = () =>
      client.request('publish', { event: 'some.thing', data: 'x'.repeat(50_000) }, { topic });
    const read = async (name: string) => (await scrape(server)).get(name);
    // As the kernels take some megabytes first; slowly, so that the server looks at it before the last one.
    await until(async () => {
      if ((await read('carillon_backed_up_connections')) === 1) return true;
      await publish();
      return false;
    }, 'it is seen to be behind');
    expect(await read('carillon_slow_readers_cut_total')).toBe(0);
    await until(async () => {
      await publish();
      return (await read('active_websocket_connections')) === 1;
    }, 'it is cut off');
    expect(await read('carillon_slow_readers_cut_total')).toBe(1);
    // Who merely goes is not one.
    client.terminate();
    await until(async () => (await read('active_websocket_connections')) === 0, 'the other is gone');
    expect(await read('carillon_slow_readers_cut_total')).toBe(1);
    stuck.destroy();
  });

  test('tell what waits', async () => {
    if (database.kind === 'embedded') return; // there everything waits for the one connection, the test too
    const server = await open({ ...metricsEnv, DATABASE_POOL: '4' });
    const ann = await server.register('Ann');
    const chat = await createGroup(server, ann);
    const client = await server.connect(ann);
    const read = async (name: string) => (await scrape(server)).get(name) ?? 0;
    const release = await holdTopic(server.db, chat);
    const send = (content: string) => client.request('message.send', { chatId: chat.id, content });
    const sent = [send('one')];
    await until(async () => (await read('active_websocket_connections')) === 1, 'it is under way');
    // The first is under way; those behind it wait for the next batch. A command of no lane keeps frames waiting behind it.
    for (const n of range(1, 3)) sent.push(send(`${n}`));
    sent.push(client.request('user.me'), client.request('ping'), client.request('ping'));
    await until(
      async () => (await read('carillon_queue_depth{queue="commits"}')) === 3,
      'three wait to be written',
    );
    await until(
      async () => (await read('carillon_queue_depth{queue="frames"}')) === 2,
      'two wait for their turn',
    );
    // Of four connections three are for changes: one is held, the batch has one, and of these two one waits.
    const locks = range(1, 2).map(() => hold(server.db, sql`SELECT 1`));
    await until(
      async () => (await read('carillon_queue_depth{queue="database"}')) === 1,
      'one waits for its turn',
    );
    await release();
    for (const lock of locks) await (await lock)();
    await Promise.all(sent);
    const depths = [...(await scrape(server))].filter(([name]) => name.startsWith('carillon_queue_depth'));
    expect(depths.map(([, depth]) => depth)).toEqual([0, 0, 0]);
  });

  test('tell jobs by status, and how late the clock did what was due', async () => {
    const server = await open(metricsEnv);
    const worker = await registerWorker(server);
    await create(server, worker);
    await create(server, worker);
    const job = await claimOne(server, worker, { leaseSeconds: 5 });
    const before = await scrape(server);
    expect(before.get('carillon_jobs{status="queued"}')).toBe(1);
    expect(before.get('carillon_jobs{status="running"}')).toBe(1);
    const client = await server.connect(worker);
    await client.subscribe(`job:${job.id}`);
    await server.db.execute(sql`UPDATE jobs SET lease_until = now() WHERE id = ${job.id}`);
    await client.next(({ topic: name, seq }) => name === `job:${job.id}` && seq !== undefined);
    const after = await scrape(server);
    expect(after.get('carillon_jobs{status="queued"}')).toBe(2);
    expect(after.get('carillon_clockwork_items_total{kind="job.lease",outcome="done"}')).toBe(1);
    expect(after.get('carillon_clockwork_items_total{kind="job.lease",outcome="failed"}')).toBe(0);
    expect(after.get('carillon_clockwork_lag_seconds{kind="job.lease",of="last"}')).toBeGreaterThan(0);
  });

  test('tell the state of the database, of topics and of the process', async () => {
    const server = await open(metricsEnv);
    const ann = await server.register('Ann');
    const client = await server.connect(ann);
    await client.subscribe(topic);
    const ok = 'carillon_http_requests_total{status="200"}';
    const growth = await growthOf(server, [ok], () =>
      server.request('GET', '/v1/users/me', { token: ann.accessToken }),
    );
    expect(growth).toEqual({ [ok]: 2 }); // that, and the scrape before it
    const scraped = await scrape(server);
    expect(scraped.get('carillon_database_up')).toBe(1);
    expect(scraped.get('carillon_topics_served')).toBe(2); // and the user's own
    expect(scraped.has('carillon_redis_up')).toBe(false);
    expect(scraped.get('carillon_bridge_complete')).toBe(database.kind === 'embedded' ? 1 : 0);
    expect(scraped.get('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(scraped.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(scraped.get('process_open_fds')).toBeGreaterThan(3);
    expect(scraped.get('process_start_time_seconds')).toBeLessThan(Date.now() / 1_000);
    expect(scraped.get('nodejs_eventloop_lag_seconds')).toBeGreaterThanOrEqual(0);
    await server.db.execute(sql.raw('ALTER TABLE event_log RENAME TO event_log_away'));
    await until(async () => (await scrape(server)).get('carillon_database_up') === 0, 'it takes no writes');
    await server.db.execute(sql.raw('ALTER TABLE event_log_away RENAME TO event_log'));
    await server.db.execute(sql.raw('ALTER TABLE topics RENAME TO topics_away'));
    await until(
      async () => ((await scrape(server)).get('errors_total{door="background",code="internal"}') ?? 0) > 0,
      'what no request waits for has failed',
    );
    await server.db.execute(sql.raw('ALTER TABLE topics_away RENAME TO topics'));
  });

  test('leave out what the database does not answer, and answer all the same', async () => {
    if (database.kind === 'embedded') return; // its one connection would be held from the test as well
    const server = await open(metricsEnv);
    const release = await holdTable(server.db, 'jobs');
    const [scraped, again] = await Promise.all([scrape(server), scrape(server)]);
    for (const one of [scraped, again]) {
      expect(one.get('active_websocket_connections')).toBe(0);
      expect(one.has('carillon_jobs{status="queued"}')).toBe(false);
    }
    await release();
    await until(
      async () => (await scrape(server)).has('carillon_jobs{status="queued"}'),
      'they are there again',
    );
  });

  test('are each named in a test that makes it move', async () => {
    const server = await open(metricsEnv);
    const { body } = await server.request('GET', '/metrics', { token: metricsEnv.METRICS_TOKEN });
    const names = [...String(body).matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(25);
    const tests = [...new Glob('*metrics.test.ts').scanSync(import.meta.dir)];
    const text = (
      await Promise.all(tests.map((name) => Bun.file(join(import.meta.dir, name)).text()))
    ).join();
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });

  if (database.kind === 'postgres') {
    describeWith('over Redis', redisMissing, () => {
      test('tell what the bridge carried, and what it lost', async () => {
        const redis = await startRedis();
        const one = await open({ ...metricsEnv, REDIS_URL: redis.url });
        const two = await open(one.env);
        const ann = await one.register('Ann');
        const [writer, reader] = [await one.connect(ann), await two.connect(ann)];
        await reader.subscribe(topic);
        const sent = 'carillon_events_bridged_total{direction="sent"}';
        const received = 'carillon_events_bridged_total{direction="received"}';
        const publish = async () => {
          await writer.request('publish', durable, { topic });
          await writer.request('publish', event, { topic });
          await reader.next(({ seq, type }) => type === 'some.thing' && seq === undefined);
        };
        let there: Record<string, number> = {};
        const here = await growthOf(one, [sent, received], async () => {
          there = await growthOf(two, [sent, received], publish);
        });
        expect([here, there]).toEqual([
          { [sent]: 2, [received]: 0 },
          { [sent]: 0, [received]: 2 },
        ]);
        expect((await scrape(one)).get('carillon_redis_up')).toBe(1);
        await redis.kill9();
        await until(async () => (await scrape(one)).get('carillon_redis_up') === 0, 'Redis is away');
        const lost = await growthOf(one, ['carillon_bridge_lost_total', sent], () =>
          writer.request('publish', durable, { topic }),
        );
        expect(lost).toEqual({ carillon_bridge_lost_total: 1, [sent]: 0 });
        expect((await scrape(one)).get('carillon_bridge_complete')).toBe(0);
        await reach(reader, topic, 2); // from the log
        await Promise.all([one.stop(), two.stop()]);
      });
    });
  }
});
