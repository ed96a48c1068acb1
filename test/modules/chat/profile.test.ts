// A new name of a member: everyone who shares a chat with them hears of it there.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { maxChatsAround } from '../../../src/modules/chat/topics.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createDirect, createGroup, eventsOf, must, registerAll, send, typesOf } from './setup.ts';

onEachDatabase('a new name in chats', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const rename = (user: TestUser, name: string) => attempt(server, user, 'PATCH', '/users/me', { name });
  const updatesOf = async (topic: string) =>
    (await eventsOf(server, topic)).filter(({ type }) => type === 'profile.updated');

  test('is one event on the member’s own topic and on each of their chats, and on no other', async () => {
    const [group, direct, foreign] = [
      await createGroup(server, ann, bob),
      await createDirect(server, bob, cid),
      await createGroup(server, ann, cid),
    ];
    const reader = await server.connect(ann);
    const { seq } = await reader.subscribe(chatTopic(group.id));
    const { body } = await rename(bob, 'Robert');
    const heard = await reader.next('profile.updated');
    reader.close();
    expect(heard).toMatchObject({
      topic: chatTopic(group.id),
      seq: seq + 1,
      payload: { id: bob.id, name: 'Robert', avatarUrl: null },
      meta: { actorId: bob.id },
    });
    const topics = [userTopic(bob.id), chatTopic(group.id), chatTopic(direct.id)];
    const events = (await Promise.all(topics.map(updatesOf))).map((updates) => updates.at(-1));
    expect(events.map((event) => event?.id)).toEqual(topics.map(() => heard.id));
    expect(body.events).toEqual(
      expect.arrayContaining(events.map((event) => ({ topic: event?.topic, seq: event?.seq }))),
    );
    expect(await updatesOf(chatTopic(foreign.id))).toEqual([]);
    expect(await updatesOf(userTopic(ann.id))).toEqual([]);
  });

  test('a picture counts as a name does; the same ones again are news to nobody else', async () => {
    const [dan, eve] = await registerAll(server, 'Dan', 'Eve');
    const chat = await createDirect(server, dan, eve);
    const avatarUrl = 'https://example.com/dan.png';
    await must(server, dan, 'PATCH', '/users/me', { avatarUrl });
    await must(server, dan, 'PATCH', '/users/me', { avatarUrl, name: 'Dan' });
    expect((await updatesOf(chatTopic(chat.id))).map(({ payload }) => payload)).toEqual([
      { id: dan.id, name: 'Dan', avatarUrl },
    ]);
    expect(await updatesOf(userTopic(dan.id))).toHaveLength(2);
  });

  test('who has left is not announced there any more', async () => {
    const chat = await createGroup(server, ann, cid);
    await must(server, cid, 'DELETE', `/chats/${chat.id}/members/${cid.id}`);
    await rename(cid, 'Cyd');
    expect(await updatesOf(chatTopic(chat.id))).toEqual([]);
  });

  test('over the limit a profile is refused until later, and nothing is announced', async () => {
    const limited = await open({ RATE_MESSAGES_PER_MINUTE: '2' });
    const [dan, eve] = await registerAll(limited, 'Dan', 'Eve');
    const chat = await createDirect(limited, dan, eve);
    for (const name of ['one', 'two']) await must(limited, dan, 'PATCH', '/users/me', { name });
    const { status, body } = await attempt(limited, dan, 'PATCH', '/users/me', { name: 'three' });
    expect([status, body.error.code]).toEqual([429, 'rate_limited']);
    expect(typesOf(await eventsOf(limited, chatTopic(chat.id), 1))).toEqual([
      'profile.updated',
      'profile.updated',
    ]);
    await must(limited, eve, 'PATCH', '/users/me', { name: 'I am another user' });
  });

  test('names and messages of everyone at once are all there, in one order', async () => {
    const people = await registerAll(server, 'Fay', 'Gus', 'Hal');
    const [fay, gus, hal] = people;
    const chats = await Promise.all([createGroup(server, fay, gus, hal), createGroup(server, hal, gus, fay)]);
    await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        people.flatMap((user) => [
          rename(user, `${user.name} ${n}`),
          send(server, user, chats[n % 2]?.id, `${n}`),
        ]),
      ).flat(),
    );
    for (const { id } of chats) {
      const events = await eventsOf(server, chatTopic(id));
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => n + 1));
      expect(typesOf(events).filter((type) => type === 'profile.updated')).toHaveLength(18);
    }
  });

  test('of very many chats, those with the newest activity hear of it', async () => {
    const gail = await server.register('Gail');
    await server.db.execute(sql`
      WITH made AS (
        INSERT INTO chats (id, type, name, created_by, created_at, updated_at)
        SELECT gen_random_uuid(), 'group', n::text, ${gail.id}, now(), now()
        FROM generate_series(1, ${maxChatsAround + 2}::int) AS n RETURNING id, name
      ), joined AS (
        INSERT INTO chat_participants (chat_id, user_id, role, last_read_seq, joined_at)
        SELECT id, ${gail.id}, 'member', 0, now() FROM made
      )
      INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, created_at)
      SELECT gen_random_uuid(), id, 1, ${gail.id}, 'x', 'text', now() - make_interval(mins => name::int) FROM made`);
    await rename(gail, 'Gale');
    const rows = await queryRows<{ name: string }>(
      server.db,
      sql`SELECT name FROM chats WHERE created_by = ${gail.id}
          AND NOT EXISTS (SELECT FROM events WHERE topic = 'chat:' || chats.id AND type = 'profile.updated')
          ORDER BY name`,
    );
    expect(rows.map(({ name }) => Number(name))).toEqual([maxChatsAround + 1, maxChatsAround + 2]);
  });
});
