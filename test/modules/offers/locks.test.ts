// Locks are taken in one order: whatever meets whatever else at once, nobody waits in a circle. A circle would last for the 2 s
// that a lock is waited for, and one of them be refused as `unavailable`: the database of this suite looks for none before.
// On PostgreSQL; the embedded database has one connection.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import type { Offer } from '../../../src/modules/offers/contract.ts';
import { expireOffers } from '../../../src/modules/offers/writer.ts';
import { createCommit } from '../../../src/realtime/log/commit.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { attempt, createDirect, createGroup, must, registerAll, send } from '../chat/setup.ts';
import { bicycle, builtParts, moveEnd, offer, stored, tryAct } from './setup.ts';

onEachDatabase('locks of offers', (open, database) => {
  if (database.kind === 'embedded') {
    test.skip('(the embedded database has one connection)', () => {});
    return;
  }
  let servers: readonly [TestServer, TestServer];
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    const first = await open();
    await first.db.execute(sql`DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''60s''', current_database()); END $$`);
    await first.stop(); // connections that are there know nothing of it
    server = await open(first.env);
    servers = [server, await open(first.env)];
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const expectAnswered = (answers: readonly Answer[]) => {
    const failed = answers.filter(({ status }) => status >= 500);
    expect(failed.map(({ status, body }) => [status, body.error])).toEqual([]);
  };
  /** By turns on both instances. */
  const on = (n: number): TestServer => servers[n % 2] ?? server;
  const create = (n: number, by: TestUser, chatId: string, to: TestUser) =>
    attempt(on(n), by, 'POST', `/chats/${chatId}/offers`, { ...bicycle, recipientId: to.id });

  test('offers, counters, answers and withdrawals of the two against each other, while they read and write', async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    for (let round = 0; round < 6; round += 1) {
      const [mine, theirs] = [await offer(server, ann, chatId), await offer(server, bob, chatId)];
      const said = await send(server, cid, (await createDirect(server, cid, ann)).id, 'Hello');
      expectAnswered(
        await Promise.all([
          create(0, ann, chatId, bob),
          create(1, bob, chatId, ann),
          tryAct(on(0), bob, mine, 'counter'),
          tryAct(on(1), ann, theirs, 'counter'),
          tryAct(on(1), ann, mine, 'withdraw'),
          tryAct(on(0), bob, theirs, 'withdraw'),
          attempt(on(0), ann, 'POST', `/chats/${chatId}/read`, { seq: 1 + round }),
          attempt(on(1), bob, 'POST', `/chats/${chatId}/read`, { seq: 1 + round }),
          attempt(on(0), ann, 'POST', `/chats/${said.chatId}/read`, { seq: said.seq }),
          attempt(on(1), ann, 'PATCH', '/users/me', { name: `Ann ${round}` }),
          attempt(on(0), bob, 'PATCH', '/users/me', { name: `Bob ${round}` }),
          attempt(on(round), ann, 'POST', `/chats/${chatId}/messages`, { content: 'Hello' }),
        ]),
      );
      await clear(chatId);
    }
    const { built, read } = await builtParts(server, chatId);
    expect(built).toEqual(read);
  }, 60_000);

  test('blocks against offers and counters from both sides', async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    for (let round = 0; round < 15; round += 1) {
      const [mine, theirs] = [await offer(server, ann, chatId), await offer(server, bob, chatId)];
      expectAnswered(
        await Promise.all([
          attempt(on(0), ann, 'PUT', `/users/me/blocks/${bob.id}`),
          attempt(on(1), bob, 'PUT', `/users/me/blocks/${ann.id}`),
          create(1, ann, chatId, bob),
          create(0, bob, chatId, ann),
          tryAct(on(0), bob, mine, 'counter'),
          tryAct(on(1), ann, theirs, 'counter'),
          tryAct(on(1), bob, mine, 'accept'),
        ]),
      );
      await must(server, ann, 'DELETE', `/users/me/blocks/${bob.id}`);
      await must(server, bob, 'DELETE', `/users/me/blocks/${ann.id}`);
      await clear(chatId);
    }
  }, 60_000);

  test('members who leave, are removed and brought back against what is done with their offers', async () => {
    const { id: chatId } = await createGroup(server, cid, ann, bob);
    const members = `/chats/${chatId}/members`;
    for (let round = 0; round < 15; round += 1) {
      const [mine, theirs] = [
        await offer(server, ann, chatId, { recipientId: bob.id }),
        await offer(server, bob, chatId, { recipientId: ann.id }),
      ];
      expectAnswered(
        await Promise.all([
          attempt(on(0), ann, 'DELETE', `${members}/${ann.id}`),
          attempt(on(1), cid, 'DELETE', `${members}/${bob.id}`),
          tryAct(on(1), bob, mine, 'accept'),
          tryAct(on(0), ann, theirs, 'counter'),
          create(1, ann, chatId, bob),
          create(0, bob, chatId, ann),
          attempt(on(0), cid, 'PATCH', `/chats/${chatId}`, { name: `Round ${round}` }),
        ]),
      );
      for (const { id } of [ann, bob]) await attempt(server, cid, 'POST', members, { userId: id });
      await clear(chatId);
    }
  }, 60_000);

  test('offers of many chats that expire on two instances at once, against what is done with them', async () => {
    const chats: string[] = [];
    for (let n = 0; n < 12; n += 1) chats.push((await createGroup(server, cid, ann, bob)).id);
    for (let round = 0; round < 3; round += 1) {
      const made: Offer[] = [];
      for (const chatId of chats) {
        for (const [by, to] of [
          [ann, bob],
          [bob, ann],
        ] as const) {
          made.push(await offer(server, by, chatId, { recipientId: to.id }));
        }
      }
      await Promise.all(made.map((one) => moveEnd(server, one, 100)));
      const answers = made.map(async (one, n) => {
        const of = (user: TestUser) => (one.recipientId === user.id ? user : undefined);
        const [recipient, creator] = [of(ann) ?? bob, of(bob) ?? ann];
        const some = [];
        for (const action of ['counter', 'withdraw', 'accept'] as const) {
          some.push(await tryAct(on(n), action === 'withdraw' ? creator : recipient, one, action));
        }
        some.push(await attempt(on(n + 1), recipient, 'PATCH', '/users/me', { name: `Round ${n}` }));
        return some;
      });
      expectAnswered((await Promise.all(answers)).flat());
      for (const chatId of chats) {
        await clear(chatId);
        const { built, read } = await builtParts(server, chatId);
        expect([built, read]).toEqual([[], []]);
      }
    }
    for (const one of (await must(server, ann, 'GET', '/offers?limit=100')).items) {
      expect((await stored(server, one)).status).not.toBe('pending');
    }
  }, 60_000);

  test('offers that expire together lock the topics of their chats in the order of their ids', async () => {
    const chatIds: string[] = [];
    for (let n = 0; n < 4; n += 1) chatIds.push((await createGroup(server, ann, bob)).id);
    const [first = '', ...others] = chatIds.sort();
    const made: Offer[] = [];
    for (const chatId of chatIds.toReversed())
      made.push(await offer(server, ann, chatId, { recipientId: bob.id }));
    let expiring: Promise<unknown> = Promise.resolve();
    await server.db.transaction(async (tx) => {
      await tx.execute(sql`SELECT 1 FROM topics WHERE name = ${`chat:${first}`} FOR UPDATE`);
      const ids = made.map(({ id }) => id);
      expiring = createCommit(server.db, () => {})(undefined, async (inner, emit) => {
        await expireOffers(inner, emit, ids);
        return {};
      });
      await untilWaiting(server.db, 1);
      // It waits for the first one, and holds no other.
      for (const chatId of others) {
        await tx.execute(sql`SELECT 1 FROM topics WHERE name = ${`chat:${chatId}`} FOR UPDATE NOWAIT`);
      }
    });
    await expiring;
    for (const one of made) expect((await stored(server, one)).status).toBe('expired');
  });

  /** Ends what is open in the chat: by its makers, or because its time is over. */
  async function clear(chatId: string): Promise<void> {
    const { read } = await builtParts(server, chatId);
    for (const one of read) await tryAct(server, one.createdBy === ann.id ? ann : bob, one, 'withdraw');
    await until(async () => (await builtParts(server, chatId)).read.length === 0, 'no offer is open');
  }
});
