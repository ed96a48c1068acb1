// Blocks: what ends between the two, what does not, and that nothing slips through when they act at the same time.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { chatTopic, maxBlocks } from '../../../src/modules/chat/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  createDirect,
  createGroup,
  eventsOf,
  must,
  outputOf,
  registerAll,
  send,
  unknownId,
} from './setup.ts';

onEachDatabase('blocks', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;
  let dan: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid, dan] = await registerAll(server, 'Ann', 'Bob', 'Cid', 'Dan');
  });

  const pathOf = (userId: string) => `/users/me/blocks/${userId}`;
  const block = (by: TestUser, whom: TestUser) => must(server, by, 'PUT', pathOf(whom.id));
  const unblock = (by: TestUser, whom: TestUser) => must(server, by, 'DELETE', pathOf(whom.id));
  const askForDirect = (by: TestUser, userId: string) =>
    attempt(server, by, 'POST', '/chats', { type: 'direct', participantIds: [userId] });
  const say = (by: TestUser, chatId: string) =>
    attempt(server, by, 'POST', `/chats/${chatId}/messages`, { content: 'Hello' });
  const flagsOf = async (chatId: string): Promise<boolean[]> => {
    const rows = await queryRows<{ is_blocked: boolean }>(
      server.db,
      sql`SELECT is_blocked FROM chat_participants WHERE chat_id = ${chatId}`,
    );
    return rows.map((row) => row.is_blocked);
  };

  test('a block is there once, is listed newest first, and goes', async () => {
    const [eve] = await registerAll(server, 'Eve');
    const first = await attempt(server, eve, 'PUT', pathOf(ann.id));
    expect([first.status, outputOf(first.body)]).toEqual([
      200,
      { userId: ann.id, createdAt: expect.any(String) },
    ]);
    await block(eve, bob);
    await block(eve, cid);
    expect(await block(eve, ann)).toEqual(outputOf(first.body));
    const whom = (page: { items: { userId: string }[] }) => page.items.map(({ userId }) => userId);
    const page = await must(server, eve, 'GET', '/users/me/blocks?limit=2');
    expect(whom(page)).toEqual([cid.id, bob.id]);
    const rest = await must(server, eve, 'GET', `/users/me/blocks?limit=2&cursor=${page.nextCursor}`);
    expect([whom(rest), rest.nextCursor]).toEqual([[ann.id], null]);
    expect(await unblock(eve, bob)).toEqual({ userId: bob.id });
    expect(await unblock(eve, bob)).toEqual({ userId: bob.id });
    expect(whom(await must(server, eve, 'GET', '/users/me/blocks'))).toEqual([cid.id, ann.id]);
    expect((await must(server, ann, 'GET', '/users/me/blocks')).items).toEqual([]);
  });

  test('over the socket there are the same three', async () => {
    const [eve] = await registerAll(server, 'Eve');
    const client = await server.connect(eve);
    const made = await client.request('block.add', { userId: ann.id });
    const { payload } = await client.request('block.list', {});
    expect(payload).toEqual({ items: [outputOf(made.payload)], nextCursor: null });
    expect((await client.request('block.remove', { userId: ann.id })).payload).toMatchObject({
      userId: ann.id,
    });
    expect((await client.request('block.list', {})).payload.items).toEqual([]);
    client.close();
  });

  test('oneself is invalid, who is not there is not found', async () => {
    const oneself = await attempt(server, ann, 'PUT', pathOf(ann.id));
    expect([oneself.status, oneself.body.error.code]).toEqual([400, 'invalid']);
    const unknown = await attempt(server, ann, 'PUT', pathOf(unknownId));
    const profile = await attempt(server, ann, 'GET', `/users/${unknownId}`);
    expect([unknown.status, unknown.body]).toEqual([404, profile.body]);
  });

  test('a user blocks at most 1,000 others', async () => {
    const [eve] = await registerAll(server, 'Eve');
    await server.db.execute(sql`
      WITH crowd AS (
        INSERT INTO users
        SELECT (jsonb_populate_record(users, jsonb_build_object(
          'id', gen_random_uuid(), 'email', gen_random_uuid() || '@example.com'))).*
        FROM users, generate_series(1, ${maxBlocks - 1}) WHERE users.id = ${eve.id}
        RETURNING id
      )
      INSERT INTO user_blocks (user_id, blocked_id) SELECT ${eve.id}, id FROM crowd`);
    const answers = await Promise.all(
      [ann, bob, cid].map((whom) => attempt(server, eve, 'PUT', pathOf(whom.id))),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body.error).toMatchObject({ code: 'conflict', message: expect.stringContaining('1000') });
  });

  test('who is blocked can no more begin a direct chat than with nobody; who blocks is told to unblock', async () => {
    const [eve, fay] = await registerAll(server, 'Eve', 'Fay');
    await block(eve, fay);
    const [blocked, nobody] = [await askForDirect(fay, eve.id), await askForDirect(fay, unknownId)];
    expect([blocked.status, blocked.body]).toEqual([nobody.status, nobody.body]);
    expect(blocked.body.error).toMatchObject({
      code: 'invalid',
      details: [{ path: '/body/participantIds/0' }],
    });
    const blocker = await askForDirect(eve, fay.id);
    expect([blocker.status, blocker.body.error.code]).toEqual([403, 'forbidden']);
    expect(blocker.body.error.message).toMatch(/unblock/i);
    await block(fay, eve);
    await unblock(eve, fay);
    expect((await askForDirect(fay, eve.id)).status).toBe(403);
    await unblock(fay, eve);
    expect((await askForDirect(fay, eve.id)).status).toBe(201);
  });

  test('in the direct chat that is there nothing new is said by either; groups go on', async () => {
    const direct = await createDirect(server, ann, bob);
    const group = await createGroup(server, ann, bob);
    const messages = [await send(server, ann, direct.id, 'Hi'), await send(server, bob, direct.id, 'Hi')];
    const [clientOfAnn, clientOfBob] = [await server.connect(ann), await server.connect(bob)];
    await block(ann, bob);
    expect(await createDirect(server, bob, ann)).toEqual(direct);
    const head = (await eventsOf(server, chatTopic(direct.id))).length;
    for (const [user, client, message] of [
      [ann, clientOfAnn, messages[1]],
      [bob, clientOfBob, messages[0]],
    ] as const) {
      const reactions = `/chats/${direct.id}/messages/${message?.id}/reactions/${encodeURIComponent('👍')}`;
      const answers = [
        await say(user, direct.id),
        await attempt(server, user, 'PUT', reactions),
        await attempt(server, user, 'DELETE', reactions),
      ];
      expect(answers.map(({ status, body }) => [status, body.error?.code])).toEqual(
        answers.map(() => [403, 'forbidden']),
      );
      const replies = [
        await client.request('message.send', { chatId: direct.id, content: 'Hello' }),
        await client.request('message.react', { messageId: message?.id, emoji: '👍' }),
        await client.request('typing', { chatId: direct.id, active: true }),
      ];
      expect(replies.map(({ error }) => error?.code)).toEqual(replies.map(() => 'forbidden'));
    }
    expect(await eventsOf(server, chatTopic(direct.id))).toHaveLength(head);

    const own = `/chats/${direct.id}/messages/${messages[1]?.id}`;
    await must(server, bob, 'PATCH', own, { content: 'Mended' });
    await must(server, bob, 'DELETE', own);
    await must(server, bob, 'POST', `/chats/${direct.id}/read`, { seq: 3 });
    for (const user of [ann, bob]) await send(server, user, group.id, 'Still here');

    await unblock(ann, bob);
    for (const user of [ann, bob]) await send(server, user, direct.id, 'Again');
    clientOfAnn.close();
    clientOfBob.close();
  });

  test('where both block, both must unblock', async () => {
    const direct = await createDirect(server, ann, cid);
    await block(ann, cid);
    await block(cid, ann);
    await unblock(ann, cid);
    expect([(await say(ann, direct.id)).status, await flagsOf(direct.id)]).toEqual([403, [true, true]]);
    await unblock(cid, ann);
    expect([(await say(ann, direct.id)).status, await flagsOf(direct.id)]).toEqual([201, [false, false]]);
  });

  test('whatever both do at once, the chat is blocked exactly where a block is left', async () => {
    const direct = await createDirect(server, ann, dan);
    for (let round = 0; round < 15; round += 1) {
      const acts = [
        () => block(ann, dan),
        () => unblock(ann, dan),
        () => block(dan, ann),
        () => unblock(dan, ann),
      ];
      const drawn = Array.from({ length: 6 }, () => acts[Math.floor(Math.random() * acts.length)]);
      await Promise.all(drawn.map((act) => act?.()));
      const lists = await Promise.all(
        [ann, dan].map((user) => must(server, user, 'GET', '/users/me/blocks')),
      );
      const isBlocked = [dan, ann].some(({ id }, n) =>
        lists[n]?.items.some(({ userId }: { userId: string }) => userId === id),
      );
      expect([round, await flagsOf(direct.id)]).toEqual([round, [isBlocked, isBlocked]]);
    }
    await Promise.all([unblock(ann, dan), unblock(dan, ann)]);
  });

  test('of messages sent while one blocks, those that were accepted stand before the block, and no others', async () => {
    const direct = await createDirect(server, ann, dan);
    const readHead = async () => (await eventsOf(server, chatTopic(direct.id))).length;
    for (let round = 0; round < 10; round += 1) {
      const before = await readHead();
      const sending = Array.from({ length: 20 }, (_, n) => say(n % 2 === 0 ? ann : dan, direct.id));
      await block(dan, ann);
      const head = await readHead();
      const statuses = (await Promise.all(sending)).map(({ status }) => status);
      expect(statuses.filter((status) => status !== 201 && status !== 403)).toEqual([]);
      const accepted = statuses.filter((status) => status === 201).length;
      expect([await readHead(), head - before]).toEqual([head, accepted]);
      await unblock(dan, ann);
    }
  });

  test('of a block and a new direct chat at once neither overlooks the other', async () => {
    const crowd = await Promise.all(Array.from({ length: 16 }, (_, n) => server.register(`User ${n}`)));
    for (const [n, user] of crowd.entries()) {
      const [chat] = await Promise.all([
        askForDirect(user, bob.id),
        block(n % 2 === 0 ? bob : user, n % 2 === 0 ? user : bob),
      ]);
      if (chat.status === 201) expect(await flagsOf(chat.body.id)).toEqual([true, true]);
      else expect([400, 403]).toContain(chat.status);
    }
  });
});
