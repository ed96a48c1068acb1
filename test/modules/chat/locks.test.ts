// What is decided about a message, or by being a member, holds until COMMIT: whoever comes in between is waited for, and
// what it did is seen. On PostgreSQL; the embedded database has one connection, so there nothing comes in between.

import { beforeAll, expect, test } from 'bun:test';
import { type SQL, sql } from 'drizzle-orm';
import type { Db } from '../../../src/db/database.ts';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createGroup, eventsOf, registerAll, send } from './setup.ts';

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
});
