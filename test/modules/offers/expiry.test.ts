// Offers expire once their time is over, by the database's clock: once, in time, also where every instance was down.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { longestMs, type Offer, shortestMs } from '../../../src/modules/offers/contract.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import { untilWaiting } from '../../protocol/chat.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { attempt, createDirect, createGroup, eventsOf, must, registerAll, typesOf } from '../chat/setup.ts';
import { act, bicycle, builtParts, changesOf, moveEnd, offer, stored, tryAct } from './setup.ts';

onEachDatabase('expiry of offers', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await registerAll(server, 'Ann', 'Bob');
  });

  const untilExpired = (through: TestServer, made: Offer) =>
    until(async () => (await stored(through, made)).status === 'expired', 'the offer expires');

  test('an offer expires: the system says so in the chat, and one event reaches both sides', async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    const made = await offer(server, ann, chatId);
    const clients = [await server.connect(ann), await server.connect(bob)] as const;
    await clients[0].subscribe(userTopic(ann.id));
    await clients[1].subscribe(userTopic(bob.id));
    await clients[1].subscribe(`chat:${chatId}`);
    await moveEnd(server, made);
    const [first, second] = await Promise.all(clients.map((client) => client.next('offer.expired')));
    const expired = await stored(server, made);
    expect(expired).toMatchObject({ status: 'expired', version: 2 });
    expect(first).toMatchObject({ payload: { offer: expired, chatId }, meta: { source: 'system' } });
    expect([second?.id, first?.topic, second?.topic]).toEqual([
      first?.id,
      userTopic(ann.id),
      userTopic(bob.id),
    ]);
    const said = await clients[1].next('message.created');
    expect(said.payload).toMatchObject({
      messageType: 'system',
      senderId: ann.id,
      content: 'The offer “A bicycle, blue” has expired.',
      metadata: { event: 'offer.expired', offerId: made.id },
    });
    const updated = await clients[1].next('offer.updated');
    expect(updated.payload).toEqual({ offer: expired, change: 'expired', by: null });
    for (const client of clients) client.close();
  });

  test('an offer that ends soon expires at its time, without being looked for', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const soon = await offer(server, ann, chatId, { recipientId: bob.id });
    await moveEnd(server, soon, 700);
    const { expiresAt } = await stored(server, soon);
    await untilExpired(server, soon);
    const { updatedAt } = await stored(server, soon);
    const lateMs = Date.parse(updatedAt) - Date.parse(expiresAt);
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(1_000);
  });

  test('the end that is asked for is 1 minute to 90 days ahead by the clock of the database', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const ask = async (aheadMs: number) => {
      const expiresAt = new Date(Date.now() + aheadMs).toISOString();
      const body = { ...bicycle, recipientId: bob.id, expiresAt };
      return await attempt(server, ann, 'POST', `/chats/${chatId}/offers`, body);
    };
    const slackMs = 10_000;
    for (const aheadMs of [shortestMs + slackMs, longestMs - slackMs]) {
      expect((await ask(aheadMs)).status).toBe(201);
    }
    const head = (await eventsOf(server, `chat:${chatId}`)).length;
    for (const aheadMs of [-1, shortestMs - 1_000, longestMs + slackMs]) {
      const { status, body } = await ask(aheadMs);
      expect([status, body.error.details]).toEqual([
        400,
        [{ path: '/body/expiresAt', message: expect.any(String) }],
      ]);
    }
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    const client = await server.connect(bob);
    const counter = { amount: '1', expiresAt: '2020-01-01T00:00:00Z' };
    const reply = await client.request('offer.update', { offerId: made.id, action: 'counter', counter });
    expect(reply.error?.details).toEqual([
      { path: '/payload/counter/expiresAt', message: expect.any(String) },
    ]);
    expect(await stored(server, made)).toEqual(made);
    client.close();
    expect((await eventsOf(server, `chat:${chatId}`)).length).toBe(head + 2);
  });

  test('behind its end an offer is open no more, whether the clockwork was there or not', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    for (const action of ['accept', 'reject', 'counter', 'withdraw'] as const) {
      const made = await offer(server, ann, chatId, { recipientId: bob.id });
      await moveEnd(server, made);
      const { status, body } = await tryAct(server, action === 'withdraw' ? ann : bob, made, action);
      expect([status, body.error.code]).toEqual([409, 'conflict']);
      expect(['pending', 'expired']).toContain(body.error.details.status);
      await untilExpired(server, made);
      expect(await changesOf(server, made)).toEqual(['expired']);
    }
  });

  if (database.kind === 'postgres') {
    test('an offer that ends while an answer waits for its row is accepted no more', async () => {
      const { id: chatId } = await createGroup(server, ann, bob);
      const made = await offer(server, ann, chatId, { recipientId: bob.id });
      const held = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const holding = server.db.transaction(async (tx) => {
        const end = sql`clock_timestamp() + interval '1 second'`;
        await tx.execute(sql`UPDATE offers SET expires_at = ${end} WHERE id = ${made.id}`);
        held.resolve();
        await goOn.promise;
        await tx.execute(sql`
          SELECT pg_sleep(extract(epoch FROM expires_at - clock_timestamp())) FROM offers WHERE id = ${made.id}`);
      });
      await held.promise;
      const answering = tryAct(server, bob, made, 'accept');
      await untilWaiting(server.db, 1);
      goOn.resolve();
      await holding;
      const { status, body } = await answering;
      expect([status, body.error.message]).toEqual([409, 'This offer has expired.']);
      await untilExpired(server, made);
    });
  }

  test('what came due while all instances were down expires once after the start, and only that', async () => {
    const first = await open();
    const [cid, dan, eve] = await registerAll(first, 'Cid', 'Dan', 'Eve');
    const chats = [];
    for (const _ of [1, 2, 3, 4, 5, 6, 7, 8]) chats.push(await createGroup(first, cid, dan, eve));
    const due: Offer[] = [];
    for (let n = 0; n < 120; n += 1) {
      const chat = chats[n % chats.length];
      due.push(await offer(first, [cid, dan][n % 2] ?? cid, chat.id, { recipientId: eve.id }));
    }
    const spared = await offer(first, eve, chats[0].id, { recipientId: dan.id });
    const accepted = await act(
      first,
      dan,
      await offer(first, eve, chats[0].id, { recipientId: dan.id }),
      'accept',
    );
    await first.db.execute(
      sql`UPDATE offers SET expires_at = now() - interval '1 hour' WHERE id <> ${spared.id}`,
    );
    await first.stop();
    const again = await open(first.env);
    await until(
      async () =>
        (await Promise.all(due.map((one) => stored(again, one)))).every(({ status }) => status === 'expired'),
      'all of them expire',
      20_000,
    );
    for (const { id } of chats) {
      const frames = await eventsOf(again, `chat:${id}`);
      const ended = frames.flatMap(({ type, payload }) =>
        type === 'offer.updated' && payload.change === 'expired' ? [payload.offer.id] : [],
      );
      expect(ended.sort()).toEqual(due.flatMap((one) => (one.chatId === id ? [one.id] : [])).sort());
      const { built, read } = await builtParts(again, id);
      expect(built).toEqual(read);
    }
    const toEve = typesOf(await eventsOf(again, userTopic(eve.id)));
    expect(toEve.filter((type) => type === 'offer.expired')).toHaveLength(due.length);
    expect((await must(again, eve, 'GET', '/offers?status=pending')).items).toEqual([spared]);
    expect((await stored(again, accepted)).status).toBe('accepted');
  }, 60_000);
});
