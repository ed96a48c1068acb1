// An event that is withheld from users: the log keeps from whom, on each of its topics, and says it again. [S7]

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../../src/config.ts';
import { connectDatabase } from '../../../src/db/connect.ts';
import { type Database, queryRows } from '../../../src/db/database.ts';
import { type Commit, createCommit, type EmitOptions } from '../../../src/realtime/log/commit.ts';
import { type LoggedEvent, readEvents, readNewestEvents } from '../../../src/realtime/log/event-log.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { onEachDatabase, quietEnv } from '../../support/server.ts';
import { anyTopic } from '../../support/topics.ts';

const newTopic = () => `app:${crypto.randomUUID()}`;

onEachDatabase('withholding', (_open, database) => {
  let own: Database;
  let commit: Commit;
  const published: LoggedEvent[] = [];
  beforeAll(async () => {
    const config = readConfig({ ...quietEnv, ...(await database.create()) });
    own = await connectDatabase(config, createLogger(config));
    commit = createCommit(own.db, (events) => void published.push(...events));
  });
  afterAll(() => own.close());

  const say = (topics: string[], options: EmitOptions) =>
    commit(undefined, async (_tx, emit) => {
      emit(topics.map(anyTopic), 'thing.said', {}, options);
      return {};
    });
  const publishedOn = (topic: string) => published.filter((event) => event.topic === topic);

  test('[S7] the event says from whom, on all its topics, as it is published and as the log says it again', async () => {
    const topics = [newTopic(), newTopic()];
    await say(topics, { withheldFrom: ['ann', 'bob'] });
    await say(topics, { withheldFrom: ['ann'], revokes: ['cy'] });
    await say(topics, {});
    for (const topic of topics) {
      const live = publishedOn(topic);
      expect(live.map(({ withheldFrom }) => withheldFrom)).toEqual([['ann', 'bob'], ['ann'], undefined]);
      expect(live.map(({ revokes }) => revokes)).toEqual([undefined, ['cy'], undefined]);
      expect(await readEvents(own.db, topic, 0, 10)).toEqual(live);
      expect(await readNewestEvents(own.db, topic, 3, 10)).toEqual(live);
    }
  });

  test('[S7] an event on two topics that revokes one of them leaves the other to go on', async () => {
    const [lost, kept] = [newTopic(), newTopic()];
    await commit(undefined, async (_tx, emit) => {
      const both = [lost, kept].map(anyTopic);
      emit(both, 'thing.said', {}, { revokes: ['cy'], revokesOn: anyTopic(lost) });
      emit(anyTopic(kept), 'thing.said', {}, { revokes: ['di'] });
      expect(() => emit(anyTopic(lost), 'thing.said', {})).toThrow('that one is its last');
      return {};
    });
    const expected: [string, (string[] | undefined)[]][] = [
      [lost, [['cy']]],
      [kept, [undefined, ['di']]],
    ];
    for (const [topic, revoked] of expected) {
      expect(publishedOn(topic).map(({ revokes }) => revokes)).toEqual(revoked);
      expect(await readEvents(own.db, topic, 0, 10)).toEqual(publishedOn(topic));
    }
  });

  test('[S7] an event that is rewritten is withheld all the same', async () => {
    const topic = newTopic();
    await say([topic], { withheldFrom: ['ann'] });
    await say([topic], { withheldFrom: ['ann'], rewrites: [{ seq: 1, payload: { is: 'gone' } }] });
    const [first, second] = await readEvents(own.db, topic, 0, 10);
    expect(first).toMatchObject({ withheldFrom: ['ann'], rewrites: undefined });
    expect(JSON.parse(first?.frame ?? '').payload).toEqual({ is: 'gone' });
    expect(second).toMatchObject({ withheldFrom: ['ann'], rewrites: [1] });
  });

  test('an event that is withheld from nobody is like any other', async () => {
    const topic = newTopic();
    await say([topic], { withheldFrom: [] });
    const rows = await queryRows(own.db, sql`SELECT withheld_from FROM events WHERE topic = ${topic}`);
    expect(rows).toEqual([{ withheld_from: null }]);
    expect(publishedOn(topic)).toMatchObject([{ withheldFrom: undefined }]);
  });
});
