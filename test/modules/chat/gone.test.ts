// What is gone is gone: text that was deleted or edited away is nowhere any more, neither in the database nor in the memory of
// any instance, and whoever comes from before is brought to the present without it. [O5]

import { expect, test } from 'bun:test';
import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../../src/db/database.ts';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { apply, type ChatState } from '../../../src/modules/chat/state.ts';
import type { TestUser } from '../../support/api.ts';
import type { TestClient } from '../../support/client.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { attempt, createGroup, eventsOf, must, outputOf, registerAll, send } from './setup.ts';

onEachDatabase('what is gone', (open, database) => {
  test('[O5] is gone on one instance', async () => {
    const server = await open();
    await testForgetting(server, server);
  });

  test('[O5] a replay shows an edited message as it is now, and its events at their places', async () => {
    const server = await open();
    const [ann] = await registerAll(server, 'Ann');
    const chat = await createGroup(server, ann);
    const topic = chatTopic(chat.id);
    const sent = await must(server, ann, 'POST', `/chats/${chat.id}/messages`, {
      content: 'gone 1',
      metadata: { a: 1 },
    });
    const path = `/chats/${chat.id}/messages/${sent.id}`;
    await must(server, ann, 'PATCH', path, { content: 'gone 2' });
    await must(server, ann, 'POST', `/chats/${chat.id}/messages`, { content: 'a reply', replyTo: sent.id });
    const before = await eventsOf(server, topic, 1);
    const edited = await must(server, ann, 'PATCH', path, { content: 'present' });
    expect(edited).toMatchObject({ content: 'present', metadata: { a: 1 }, replyCount: 1 });

    const [created, first, reply, second] = await eventsOf(server, topic, 1);
    const [createdBefore, firstBefore, replyBefore] = before;
    const { editedAt } = edited;
    expect(created as object).toEqual({
      ...createdBefore,
      payload: { ...sent, content: 'present', editedAt },
    });
    const { payload } = firstBefore ?? {};
    expect(first as object).toEqual({
      ...firstBefore,
      payload: { ...payload, content: null, metadata: null },
    });
    expect(reply).toEqual(replyBefore);
    expect(second?.payload).toEqual(edited);
  });

  test('[O5] a key is answered with what there is now', async () => {
    const server = await open();
    const [ann] = await registerAll(server, 'Ann');
    const chat = await createGroup(server, ann);
    const path = `/chats/${chat.id}/messages`;
    const post = (content: string, key: string, more = {}) =>
      attempt(server, ann, 'POST', path, { content, ...more }, { 'Idempotency-Key': key });
    const { body: sent } = await post('gone', 'one');
    // Names the other one, also as an id of its own: that makes it no other's result.
    const { body: other } = await post('other', 'two', { replyTo: sent.id, metadata: { id: sent.id } });
    const edit = () => must(server, ann, 'PATCH', `${path}/${sent.id}`, { content: 'present' });
    const repeats = await Promise.all([1, 2, 3, 4, 5].map(() => post('gone', 'one')).concat(edit(), edit()));
    for (const { status = 200 } of repeats) expect(status).toBeLessThan(300);
    const { editedAt } = await edit();
    expect((await post('gone', 'one')).body).toEqual({ ...sent, content: 'present', editedAt });
    expect((await post('present', 'one')).status).toBe(409);
    const { deletedAt } = await must(server, ann, 'DELETE', `${path}/${sent.id}`);
    expect((await post('gone', 'one')).body).toEqual({ ...sent, content: null, editedAt, deletedAt });
    expect((await post('other', 'two', { replyTo: sent.id, metadata: { id: sent.id } })).body).toEqual(other);
  });

  if (database.kind === 'embedded') return; // it belongs to one instance

  test('[O5] is gone on an instance that hears of it from the log alone', async () => {
    const server = await open();
    await testForgetting(server, await open(server.env));
  });

  describeWith('with Redis', redisMissing, () => {
    test('[O5] is gone on an instance that hears of it over the bridge', async () => {
      const redis = await startRedis();
      const server = await open({ REDIS_URL: redis.url });
      await testForgetting(server, await open(server.env));
      await redis.stop();
    });
  });
});

/** Ann writes through the one, Ben follows on the other. Everything that is to go has the word "gone" in it. */
async function testForgetting(server: TestServer, elsewhere: TestServer): Promise<void> {
  const [ann, ben, cid] = await registerAll(server, 'Ann', 'Ben', 'Cid');
  const chat = await createGroup(server, ann, ben);
  const topic = chatTopic(chat.id);
  const followers = [await follow(server, ann, topic), await follow(elsewhere, ben, topic)];
  const write = (content: string) =>
    attempt(
      server,
      ann,
      'POST',
      `/chats/${chat.id}/messages`,
      { content, metadata: { note: 'gone by deletion' } },
      { 'Idempotency-Key': crypto.randomUUID() },
    ).then(({ body }) => outputOf(body));
  const change = (method: string, id: string, content?: string) =>
    must(server, ann, method, `/chats/${chat.id}/messages/${id}`, content && { content });

  const deleted = await write('gone 1');
  const edited = await must(server, ann, 'POST', `/chats/${chat.id}/messages`, { content: 'gone 2' });
  const both = await write('gone 3');
  await send(server, ben, chat.id, 'stays');
  await react(server.db, ben, deleted.id);
  for (const { id } of [deleted, edited, both]) await index(server.db, id);
  await change('PATCH', edited.id, 'gone 4');
  await change('PATCH', both.id, 'gone 5');
  await change('PATCH', both.id, 'gone 6');
  const head = async () => (await eventsOf(server, topic)).length;
  const since = await head();
  for (const { reach } of followers) await reach(since);
  const before = followers[1]?.state();
  expect(await findIn(server.db)).toEqual(['events', 'idempotency_keys', 'message_words', 'messages']);
  for (const each of [server, elsewhere]) expect(await remembered(each)).toContain('gone');

  await change('PATCH', edited.id, 'is present');
  await change('DELETE', deleted.id);
  await change('DELETE', both.id);
  for (const { reach } of followers) await reach(since + 3);
  expect(await findIn(server.db)).toEqual([]);
  for (const each of [server, elsewhere]) expect(await remembered(each)).not.toContain('gone');

  // Ben comes back from before, Cid comes for the first time.
  await must(server, ann, 'POST', `/chats/${chat.id}/members`, { userId: cid.id });
  for (const through of [server, elsewhere]) {
    const late = await follow(through, cid, topic, { since: 0 });
    const back = await follow(through, ben, topic, { since });
    for (const { reach } of [late, back]) await reach(await head());
    expect(JSON.stringify(late.client.frames)).not.toContain('gone');
    expect(JSON.stringify(back.client.frames)).not.toContain('gone');
    const present = await follow(through, cid, topic, { snapshot: true });
    expect(back.state(before)).toEqual(present.state());
    expect(present.state().messages.slice(1, 5)).toMatchObject([
      { content: null, metadata: null, reactions: [], deletedAt: expect.any(String) },
      { content: 'is present' },
      { content: null, metadata: null, deletedAt: expect.any(String) },
      { content: 'stays' },
    ]);
    // What was read from the log for them is in memory now.
    expect(await remembered(through)).toContain('is present');
    expect(await remembered(through)).not.toContain('gone');
    for (const { client } of [late, back, present]) client.close();
  }
  for (const { client } of followers) client.close();
}

/** A connection that follows the topic, unless told otherwise from now on. */
async function follow(
  server: TestServer,
  user: TestUser,
  topic: string,
  payload: object = { snapshot: true },
) {
  const client: TestClient = await server.connect(user);
  const { snapshot } = await client.subscribe(topic, payload);
  const events = () => client.frames.filter((frame) => frame.topic === topic && frame.seq !== undefined);
  return {
    client,
    /** Waits for the event with that seq. */
    reach: (last: number) => until(() => events().some(({ seq }) => seq === last), `event ${last} has come`),
    /** What it has made of its snapshot, or of the state that it came with. */
    state: (
      before = snapshot as ChatState, // the contract of the chat's topic
    ) => events().reduce((state, { type, payload }) => apply(state, { type, payload }), before),
  };
}

/** The tables in which something has the word. */
async function findIn(db: Db): Promise<string[]> {
  const tables = await queryRows<{ name: string }>(
    db,
    sql`SELECT table_name AS name FROM information_schema.tables
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows: SQL = sql`SELECT 1 FROM ${sql.identifier(name)} AS t WHERE t::text LIKE '%gone%' LIMIT 1`;
    if ((await queryRows(db, rows)).length > 0) found.push(name);
  }
  return found;
}

/** All that the instance has in memory of its topics. */
async function remembered({ hub }: TestServer): Promise<string> {
  const frames: string[] = [];
  for (const topic of hub.topics()) {
    const stream = await hub.follow(topic);
    let after = stream.position;
    while (after > 0 && stream.since(after - 1) !== undefined) after -= 1;
    frames.push(...(stream.since(after) ?? []).map(({ frame }) => frame));
    hub.unfollow(stream);
  }
  return frames.join('\n');
}

/** As search fills its index. */
const index = (db: Db, messageId: string) =>
  db.execute(
    sql`INSERT INTO message_words SELECT id, to_tsvector('simple', content) FROM messages WHERE id = ${messageId}`,
  );

/** As a member reacts. */
const react = (db: Db, user: TestUser, messageId: string) =>
  db.execute(sql`INSERT INTO message_reactions VALUES (${messageId}, 'x', ${user.id}, 1, 1, true)`);
