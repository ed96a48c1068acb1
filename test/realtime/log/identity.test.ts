// What the log says of itself: who it is, whether it is still the one that was delivered, and what it answers for a place
// that somebody was told of. [S4]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import type { Database } from '../../../src/db/database.ts';
import { idOf, readEvents, readStarts } from '../../../src/realtime/log/event-log.ts';
import {
  createIdentityReader,
  judgePlaces,
  type Place,
  readStored,
  renewEpoch,
} from '../../../src/realtime/log/identity.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { fillLog, pruneLog, reach } from '../../protocol/chat.ts';
import { describeWith } from '../../support/needs.ts';
import { postgresMissing, sharedPostgres } from '../../support/postgres.ts';
import { type Open, onEachDatabase, quietEnv } from '../../support/server.ts';

const newTopic = () => `app:public.${crypto.randomUUID()}`;

onEachDatabase('the identity of the log', (_open, database) => {
  let own: Database;
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
  });
  afterAll(() => own.close());

  /** The verdict on one place; for no id the one that the log has now. */
  const judge = async (topic: string, seq: number, id?: string | null) => {
    const [event] = await readEvents(own.db, topic, seq - 1, 1);
    const found = event?.seq === seq ? idOf(event) : null;
    const [verdict] = await judgePlaces(own.db, [{ topic, seq, id: id === undefined ? found : id }]);
    return verdict;
  };

  const endOf = async (topic: string) =>
    (await readStarts(own.db, [topic])).get(topic) ?? { head: -1, id: null };

  test('an event has in memory the id that it has in the log', async () => {
    const topic = newTopic();
    await fillLog(own.db, topic, 2);
    const [, last] = await readEvents(own.db, topic, 0, 10);
    const { head, id } = await endOf(topic);
    expect([last?.seq, last && idOf(last)]).toEqual([head, id ?? 'none']);
    expect(await endOf(newTopic())).toEqual({ head: 0, id: null });
  });

  test('[S4] a place is the same where the same event is there, at the head or before', async () => {
    const topic = newTopic();
    await fillLog(own.db, topic, 3);
    expect([await judge(topic, 1), await judge(topic, 3), await judge(topic, 0, null)]).toEqual([
      'same',
      'same',
      'same',
    ]);
    expect(await judge(newTopic(), 0, null)).toBe('same');
  });

  test('[S4] it is another one where another event is there, or the log ends before it', async () => {
    const topic = newTopic();
    await fillLog(own.db, topic, 3);
    const id = crypto.randomUUID();
    expect([await judge(topic, 3, id), await judge(topic, 4, id), await judge(newTopic(), 1, id)]).toEqual([
      'other',
      'other',
      'other',
    ]);
  });

  test('[S4] a pruned newest event is taken for the same, and nobody can tell of one behind which others were pruned', async () => {
    const topic = newTopic();
    await fillLog(own.db, topic, 3);
    const { id } = await endOf(topic);
    await pruneLog(own.db, topic, 3);
    expect([await judge(topic, 3, id), await judge(topic, 3, null)]).toEqual(['same', 'same']);
    await fillLog(own.db, topic, 1);
    expect(await judge(topic, 3, id)).toBe('unknown');
  });

  test('10,000 places are judged, in their order', async () => {
    const places: Place[] = [];
    const [event] = await own.db.transaction(async (tx) => {
      await fillLog(tx, 'app:judged', 1);
      return await readEvents(tx, 'app:judged', 0, 1);
    });
    const id = event === undefined ? null : idOf(event);
    for (let n = 0; n < 10_000; n += 1) {
      places.push(n % 7 === 0 ? { topic: 'app:judged', seq: 1, id } : { topic: `app:none-${n}`, seq: n, id });
    }
    const verdicts = await judgePlaces(own.db, places);
    expect(verdicts).toEqual(places.map((_, n) => (n % 7 === 0 ? 'same' : 'other')));
  }, 20_000);

  test('[S4] an epoch is renewed by the first who knew it, and not again by the next', async () => {
    const { epoch, logId } = await readStored(own.db);
    const renewed = await renewEpoch(own.db, epoch);
    expect(renewed).not.toBe(epoch);
    expect(await renewEpoch(own.db, epoch)).toBe(renewed);
    expect(await renewEpoch(own.db)).not.toBe(renewed);
    expect((await readStored(own.db)).logId).toBe(logId);
  });

  if (database.kind === 'postgres') {
    test('[S4] another past of the server renews the epoch, once for all; the first one that is seen does not', async () => {
      const read = createIdentityReader((error) => {
        throw error;
      });
      await own.db.execute(sql`UPDATE event_log SET history = NULL`);
      const { epoch } = await readStored(own.db);
      const first = await read(own.db);
      expect(first).toMatchObject({ epoch, history: expect.stringMatching(/^\d+\/00000001 [\d.]+$/) });
      expect(await read(own.db)).toEqual(first);

      // A crash, where commits wait for the disk.
      await own.db.execute(sql`UPDATE event_log SET history = split_part(history, ' ', 1) || ' 17'`);
      expect(await read(own.db)).toEqual(first);
      await own.db.execute(sql`UPDATE event_log SET history = replace(history, '/00000001', '/00000007')`);
      const [one, other] = await Promise.all([read(own.db), read(own.db)]);
      expect(one.epoch).not.toBe(epoch);
      expect(other).toEqual(one);
    });
  }
});

describeWith('a server that does not tell its past', postgresMissing, () => {
  test('is told apart by the events, and asked once', async () => {
    const postgres = await sharedPostgres();
    const url = await postgres.createDatabase();
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const role = `plain_${crypto.randomUUID().slice(0, 8)}`;
    await admin.query(`CREATE ROLE ${role} LOGIN`);
    await admin.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
    await admin.query('REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC');
    const plain = new URL(url);
    plain.username = role;
    const config = readConfig({ ...quietEnv, DATABASE_URL: plain.href });
    const own = await connectDatabase(config, createLogger(config));
    const refusals: unknown[] = [];
    const read = createIdentityReader((error) => refusals.push(error));
    const stored = await readStored(own.db);
    expect(await read(own.db)).toEqual(stored);
    expect(await read(own.db)).toEqual(stored);
    expect(refusals).toHaveLength(1);
    await own.close();
    await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await admin.end();
    await postgres.dropDatabase(url);
  });
});

describeWith('a log that was changed behind the server', postgresMissing, () => {
  onEachDatabase('noticed', (open, database) => {
    if (database.kind === 'embedded') return; // nobody else can change it
    testChanges(open);
  });
});

function testChanges(open: Open): void {
  /** Two instances with a follower each of a topic with three events; then `change`, and every connection breaks. */
  async function change(statement: (topic: string) => ReturnType<typeof sql>) {
    const one = await open();
    const two = await open(one.env);
    const topic = newTopic();
    const ann = await one.register('Ann');
    const clients = [await one.connect(ann), await two.connect(ann)];
    const bystanders = [await one.connect(ann), await two.connect(ann)];
    let epoch = '';
    for (const client of clients) epoch = (await client.subscribe(topic)).epoch;
    await fillLog(one.db, topic, 3);
    for (const client of clients) await reach(client, topic, 3);
    await one.db.execute(statement(topic));
    const admin = new pg.Client({ connectionString: one.env.DATABASE_URL });
    await admin.connect();
    await admin.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    await admin.end();
    for (const client of clients) expect((await client.closed).code).toBe(1012);
    for (const client of bystanders) expect((await client.request('ping')).type).toBe('pong');
    return { servers: [one, two], topic, ann, epoch };
  }

  test('[S4] other events in their places: who followed starts over on any instance, and who was away, too', async () => {
    const { servers, topic, ann, epoch } = await change(
      (name) => sql`UPDATE events SET id = gen_random_uuid() WHERE topic = ${name}`,
    );
    for (const server of servers) {
      const client = await server.connect(ann);
      const answer = await client.subscribe(topic, { since: 2, epoch });
      expect(answer).toMatchObject({ reset: true, seq: 3 });
      expect(answer.epoch).not.toBe(epoch);
      client.close();
    }
  });

  test('[S4] what nobody can tell is given up, and voids no positions', async () => {
    const { servers, topic, ann, epoch } = await change(
      (name) => sql`
        WITH raised AS (UPDATE topics SET head = 9 WHERE name = ${name}), moved AS (
          UPDATE events SET seq = 9 WHERE topic = ${name} AND seq = 3
        ) DELETE FROM events WHERE topic = ${name} AND seq < 3`,
    );
    for (const server of servers) {
      const client = await server.connect(ann);
      expect(await client.subscribe(topic, { since: 8, epoch })).toMatchObject({ seq: 8, head: 9, epoch });
      expect(await client.subscribe(topic, { since: 3, epoch })).toMatchObject({ reset: true, epoch });
      client.close();
    }
  });
}
