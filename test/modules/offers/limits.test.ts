// What one member may offer: how many at a time, how often, and what an offer may say.

import { beforeAll, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { maxListed, maxListedBytes, maxPending, type Offer } from '../../../src/modules/offers/contract.ts';
import { offers } from '../../../src/modules/offers/schema.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createDirect, createGroup, eventsOf, must, registerAll, send } from '../chat/setup.ts';
import { act, bicycle, builtParts, offer, tryAct } from './setup.ts';

onEachDatabase('limits of offers', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const tryOffer = (creator: TestUser, chatId: string, recipient: TestUser, terms: object = {}) =>
    attempt(server, creator, 'POST', `/chats/${chatId}/offers`, {
      ...bicycle,
      recipientId: recipient.id,
      ...terms,
    });
  const countPending = async (chatId: string, creator: TestUser) => {
    const rows = await server.db.select().from(offers).where(eq(offers.chatId, chatId));
    return rows.filter(({ status, createdBy }) => status === 'pending' && createdBy === creator.id).length;
  };

  test(`a member has ${maxPending} pending offers in a chat, also when all are made at once`, async () => {
    const { id: chatId } = await createGroup(server, ann, bob, cid);
    const attempts = Array.from({ length: maxPending + 15 }, (_, n) =>
      tryOffer(ann, chatId, n % 2 ? bob : cid),
    );
    const ofBob = Array.from({ length: 5 }, () => tryOffer(bob, chatId, ann));
    const answers = await Promise.all(attempts);
    expect((await Promise.all(ofBob)).map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
    const refused = answers.filter(({ status }) => status !== 201);
    expect(refused.map(({ status, body }) => [status, body.error.code])).toEqual(
      Array.from({ length: 15 }, () => [409, 'conflict']),
    );
    expect(refused[0]?.body.error.message).toContain(`${maxPending}`);
    expect(await countPending(chatId, ann)).toBe(maxPending);
    // A refused one leaves nothing behind, not even a message.
    const frames = await eventsOf(server, `chat:${chatId}`);
    const said = frames.filter(({ payload }) => payload.messageType === 'offer');
    expect(said).toHaveLength(maxPending + 5);
    // Elsewhere there is room, and here once one of them is gone.
    await offer(server, ann, (await createDirect(server, ann, bob)).id);
    const [one] = answers.filter(({ status }) => status === 201);
    await act(server, ann, one?.body, 'withdraw');
    expect((await tryOffer(ann, chatId, bob)).status).toBe(201);
    expect((await tryOffer(ann, chatId, bob)).status).toBe(409);
  });

  test('counters count for who makes them, and one that is too many leaves its parent open', async () => {
    const { id: chatId } = await createGroup(server, ann, bob, cid);
    for (let n = 2; n < maxPending; n += 1) await offer(server, bob, chatId, { recipientId: cid.id });
    const toBob: Offer[] = [];
    for (const _ of [1, 2, 3, 4, 5]) toBob.push(await offer(server, ann, chatId, { recipientId: bob.id }));
    const answers = await Promise.all(toBob.map((one) => tryAct(server, bob, one, 'counter')));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409, 409]);
    expect([await countPending(chatId, bob), await countPending(chatId, ann)]).toEqual([maxPending, 3]);
  });

  test('an amount, a currency, a title or a note that cannot be is refused by its path, and says what is expected', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const head = (await eventsOf(server, `chat:${chatId}`)).length;
    const made = await offer(server, bob, chatId, { recipientId: ann.id, amount: '100', currency: 'JPY' });
    for (const [field, terms] of [
      ['amount', { amount: '0' }],
      ['amount', { amount: '0.00' }],
      ['amount', { amount: '-1' }],
      ['amount', { amount: '1.234' }],
      ['amount', { amount: '1e3' }],
      ['amount', { amount: '01' }],
      ['amount', { amount: '1.' }],
      ['amount', { amount: '1000000000000' }],
      ['amount', { amount: 12.5 }],
      ['amount', { amount: '1.5', currency: 'JPY' }],
      ['amount', { amount: '1.2345', currency: 'KWD' }],
      ['currency', { currency: 'XAU' }],
      ['currency', { currency: 'eur' }],
      ['currency', { currency: 'EURO' }],
      ['title', { title: '' }],
      ['title', { title: ' ' }],
      ['title', { title: 'two\nlines' }],
      ['title', { title: 'x'.repeat(201) }],
      ['note', { note: 'x'.repeat(2_001) }],
      ['note', { note: 'a\0b' }],
      ['expiresAt', { expiresAt: 'tomorrow' }],
      ['expiresAt', { expiresAt: '2026-02-30T00:00:00Z' }],
      ['status', { status: 'accepted' }],
    ] as const) {
      for (const { status, body } of [
        await tryOffer(ann, chatId, bob, terms),
        await tryAct(server, ann, made, 'counter', { ...bicycle, ...terms }),
      ]) {
        expect([field, status, body.error.code]).toEqual([field, 400, 'invalid']);
        expect(body.error.details.map(({ path }: { path: string }) => path)).toContain(`/body/${field}`);
      }
    }
    // A counter has the currency of what it counters, where it names none.
    const decimals = await tryAct(server, ann, made, 'counter', { amount: '99.5' });
    expect(decimals.body.error.details).toEqual([
      { path: '/body/amount', message: 'Expected no decimals: JPY has no more' },
    ]);
    expect((await eventsOf(server, `chat:${chatId}`)).length).toBe(head + 2);
  });

  test('over the socket the terms of a counter come with that action alone', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    const client = await server.connect(bob);
    for (const [path, payload] of [
      ['/payload/counter', { action: 'counter' }],
      ['/payload/counter', { action: 'accept', counter: { amount: '1' } }],
      ['/payload/counter/amount', { action: 'counter', counter: { amount: '0' } }],
      ['/payload/counter/amount', { action: 'counter', counter: { amount: '1.234' } }],
      ['/payload/counter/currency', { action: 'counter', counter: { amount: '1', currency: 'XXX' } }],
    ] as const) {
      const { error } = await client.request('offer.update', { offerId: made.id, ...payload });
      expect([error?.code, error?.details]).toEqual(['invalid', [{ path, message: expect.any(String) }]]);
    }
    const unknown = await client.request('offer.update', { offerId: made.id, action: 'expire' });
    expect(unknown.error?.code).toBe('invalid');
    client.close();
  });

  test('the longest offer is kept as written, and with its decimals', async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    const terms = {
      title: '€'.repeat(200),
      note: `${'😀'.repeat(990)}\t\r\n"\\`,
      amount: '999999999999.999',
      currency: 'KWD',
    };
    const made = await offer(server, ann, chatId, terms);
    expect(made).toMatchObject(terms);
    expect(await must(server, bob, 'GET', `/offers/${made.id}`)).toEqual(made);
    const zeros = await offer(server, ann, chatId, { amount: '0.5', currency: 'KWD', note: '' });
    expect([zeros.amount, zeros.note]).toEqual(['0.500', '']);
  });

  test(`a snapshot lists ${maxListed} offers, or fewer long ones; the rest is in the lists, and gets no place later`, async () => {
    const crowd = await registerAll(server, ...Array.from({ length: 6 }, (_, n) => `User ${n}`));
    const [first, ...others] = crowd;
    if (first === undefined) throw new Error('There are users.');
    for (const [note, most] of [
      ['short', maxListed],
      ['€'.repeat(2_000), Math.floor(maxListedBytes / 6_000)],
    ] as const) {
      const { id: chatId } = await createGroup(server, first, ...others);
      const made: Offer[] = [];
      for (const [n, creator] of crowd.entries()) {
        const recipientId = crowd[(n + 1) % crowd.length]?.id;
        for (let count = 0; count < maxPending; count += 1) {
          made.push(await offer(server, creator, chatId, { recipientId, note }));
        }
      }
      const { built, read } = await builtParts(server, chatId);
      expect(built).toEqual(read);
      expect(read.length).toBeLessThanOrEqual(most);
      expect(read.length).toBeGreaterThan(most * 0.9);
      expect(read).toEqual(made.slice(0, read.length));
      expect(Buffer.byteLength(JSON.stringify(read))).toBeLessThanOrEqual(maxListedBytes);
      const client = await server.connect(first);
      const { snapshot } = await client.subscribe(`chat:${chatId}`, { snapshot: true });
      expect((snapshot as { offers: Offer[] }).offers).toEqual(read); // of a chat, with this module
      client.close();
      const [gone, ...kept] = read;
      if (gone === undefined) throw new Error('There is none.');
      await act(server, first, gone, 'withdraw');
      expect((await builtParts(server, chatId)).read).toEqual(kept);
      const page = await must(server, first, 'GET', `/chats/${chatId}/offers?limit=100`);
      expect(page.items.map(({ id }: Offer) => id)).toEqual(
        made
          .map(({ id }) => id)
          .reverse()
          .slice(0, 100),
      );
    }
  }, 60_000);

  test('offers and counters count as messages do, and what ends an offer does not', async () => {
    const limited = await open({ RATE_MESSAGES_PER_MINUTE: '3' });
    const [dan, eve] = await registerAll(limited, 'Dan', 'Eve');
    const { id: chatId } = await createDirect(limited, dan, eve);
    const make = (by: TestUser, key?: string) =>
      attempt(
        limited,
        by,
        'POST',
        `/chats/${chatId}/offers`,
        bicycle,
        key === undefined ? {} : { 'Idempotency-Key': key },
      );
    await send(limited, dan, chatId, 'Hello');
    const made = [await make(dan, 'one'), await make(dan, 'two')];
    expect(made.map(({ status }) => status)).toEqual([201, 201]);
    const refused = await make(dan);
    expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
    expect(refused.body.error.retryAfterMs).toBeGreaterThan(0);
    expect((await make(dan, 'two')).body).toEqual(made[1]?.body); // [K1]
    const [one, two] = made.map(({ body }) => body);
    const next = await act(limited, eve, one, 'counter');
    const client = await limited.connect(dan);
    const counter = { offerId: next.id, action: 'counter', counter: { amount: '1' } };
    expect((await client.request('offer.update', counter)).error?.code).toBe('rate_limited');
    expect((await tryAct(limited, dan, next, 'counter')).status).toBe(429);
    expect((await client.request('offer.update', { offerId: two.id, action: 'withdraw' })).type).toBe('ok');
    await act(limited, dan, next, 'accept');
    client.close();
    // Eve has two left: of hers, one was a counter.
    expect([(await make(eve)).status, (await make(eve)).status, (await make(eve)).status]).toEqual([
      201, 201, 429,
    ]);
  });
});
