// What is decided about a message, or by being a member, holds until COMMIT: whoever comes in between is waited for, and
// what it did is seen. On PostgreSQL; the embedded database has one connection, so there nothing comes in between.

import { beforeAll, expect, test } from 'bun:test';
import { type SQL, sql } from 'drizzle-orm';
import type { Db } from '../../../src/db/database.ts';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createDirect, createGroup, eventsOf, registerAll, send } from './setup.ts';

onEachDatabase('locks of messages', (open, database) => {
  if (database.kind === 'embedded') {
    test.skip('(the embedded database has one connection)', () => {});
    return;
  }
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await registerAll(server, 'Ann', 'Bob');
  });

  /** Makes the request while a transaction that did `change` is open, and answers it when that one has committed. */
  async function during(change: SQL, request: () => Promise<Answer>): Promise<Answer> {
    const changed = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const changing = server.db.transaction(async (tx: Db) => {
      await tx.execute(change);
      changed.resolve();
      await goOn.promise;
    });
    await changed.promise;
    let isAnswered = false;
    const answering = request().finally(() => {
      isAnswered = true;
    });
    // Without the lock it does not wait here, but is done, or waits where it is too late.
    await Promise.race([answering, untilWaiting(server.db, 1)]);
    const wasTooSoon = isAnswered;
    goOn.resolve();
    await changing;
    const answer = await answering;
    expect([wasTooSoon, answer.body]).toEqual([false, answer.body]);
    return answer;
  }
  const removeBob = (chatId: string) =>
    sql`DELETE FROM chat_participants WHERE chat_id = ${chatId} AND user_id = ${bob.id}`;
  const deleteMessage = (messageId: string) =>
    sql`UPDATE messages SET content = NULL, deleted_at = now() WHERE id = ${messageId}`;

  test('an edit sees that the message was deleted meanwhile', async () => {
    const chat = await createGroup(server, ann, bob);
    const message = await send(server, bob, chat.id, 'Hello');
    const path = `/chats/${chat.id}/messages/${message.id}`;
    const edit = () => attempt(server, bob, 'PATCH', path, { content: 'Back again' });
    expect((await during(deleteMessage(message.id), edit)).body.error.code).toBe('conflict');
    expect((await eventsOf(server, chatTopic(chat.id), message.seq)).map(({ type }) => type)).toEqual([]);
  });

  test('a second deletion at once changes nothing', async () => {
    const chat = await createGroup(server, ann, bob);
    const message = await send(server, bob, chat.id, 'Hello');
    const path = `/chats/${chat.id}/messages/${message.id}`;
    const remove = () => attempt(server, ann, 'DELETE', path);
    expect((await during(deleteMessage(message.id), remove)).status).toBe(200);
    expect(await eventsOf(server, chatTopic(chat.id), message.seq)).toEqual([]);
  });

  test('who was removed meanwhile edits, deletes and reads nothing', async () => {
    for (const [method, path, body] of [
      ['PATCH', 'message', { content: 'Still here' }],
      ['DELETE', 'message', undefined],
      ['POST', 'read', { seq: 2 }],
    ] as const) {
      const chat = await createGroup(server, ann, bob);
      const message = await send(server, bob, chat.id, 'Hello');
      const at = path === 'message' ? `messages/${message.id}` : path;
      const answer = await during(removeBob(chat.id), () =>
        attempt(server, bob, method, `/chats/${chat.id}/${at}`, body),
      );
      expect([method, answer.status]).toEqual([method, 404]);
      expect(await eventsOf(server, chatTopic(chat.id), message.seq)).toEqual([]);
    }
  });

  test('a message and a reaction see that one blocked the other meanwhile', async () => {
    const chat = await createDirect(server, ann, bob);
    const message = await send(server, ann, chat.id, 'Hello');
    const inChat = sql`UPDATE chat_participants SET is_blocked = true WHERE chat_id = ${chat.id}`;
    // As a block does it: behind the lock of the members, and of the topic.
    const block = sql`
      WITH topic AS (SELECT name FROM topics WHERE name = ${chatTopic(chat.id)} FOR UPDATE)
      ${inChat} AND (SELECT count(*) FROM topic) = 1`;
    const path = `/chats/${chat.id}/messages`;
    const say = () => attempt(server, bob, 'POST', path, { content: 'Hello?' });
    const react = () =>
      attempt(server, bob, 'PUT', `${path}/${message.id}/reactions/${encodeURIComponent('👍')}`);
    for (const request of [say, react]) {
      expect((await during(block, request)).body.error.code).toBe('forbidden');
      expect(await eventsOf(server, chatTopic(chat.id), message.seq)).toEqual([]);
      await server.db.execute(
        sql`UPDATE chat_participants SET is_blocked = false WHERE chat_id = ${chat.id}`,
      );
    }
  });

  test('a new direct chat sees that one blocked the other meanwhile', async () => {
    const [cid] = await registerAll(server, 'Cid');
    const block = (by: TestUser, whom: TestUser) => sql`
      WITH holder AS (SELECT id FROM users WHERE id = ${by.id} FOR NO KEY UPDATE)
      INSERT INTO user_blocks (user_id, blocked_id) SELECT id, ${whom.id} FROM holder`;
    const create = () => attempt(server, ann, 'POST', '/chats', { type: 'direct', participantIds: [cid.id] });
    expect((await during(block(cid, ann), create)).body.error.code).toBe('invalid');
    await server.db.execute(sql`DELETE FROM user_blocks`);
    expect((await during(block(ann, cid), create)).body.error.code).toBe('forbidden');
  });
});
