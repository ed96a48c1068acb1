// What each operation does, over HTTP and the socket: the answer, the message in the chat, the events and to whom they go.

import { beforeAll, expect, test } from 'bun:test';
import { Value } from '@sinclair/typebox/value';
import { defaultMs, events, maxCounters, Offer } from '../../../src/modules/offers/contract.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  createDirect,
  createGroup,
  eventsOf,
  listed,
  must,
  outputOf,
  registerAll,
  send,
  typesOf,
} from '../chat/setup.ts';
import { type Action, act, bicycle, offer, stored } from './setup.ts';

onEachDatabase('offers', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  /** What came on the topic since, as type and payload, each checked against the table of events. */
  const news = async (topic: string, after: number) => {
    const frames = await eventsOf(server, topic, after);
    for (const { type, payload } of frames) {
      const spec = events[type as keyof typeof events]; // one of ours, or undefined
      if (spec !== undefined) expect([...Value.Errors(spec.payload, payload)]).toEqual([]);
    }
    return frames.map(({ type, payload }) => [type, payload]);
  };
  const headOf = async (topic: string) => (await eventsOf(server, topic)).length;

  test('an offer in a direct chat goes to the other one: answer, message, and one event on each topic', async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    const topics = [`chat:${chatId}`, userTopic(bob.id), userTopic(ann.id)] as const;
    const heads = await Promise.all(topics.map(headOf));
    const answer = await attempt(server, ann, 'POST', `/chats/${chatId}/offers`, bicycle);
    expect(answer.status).toBe(201);
    const made = outputOf(answer.body);
    expect([...Value.Errors(Offer, made)]).toEqual([]);
    expect(made).toEqual({
      ...bicycle,
      id: expect.any(String),
      chatId,
      createdBy: ann.id,
      recipientId: bob.id,
      note: null,
      status: 'pending',
      parentId: null,
      expiresAt: expect.any(String),
      version: 1,
      createdAt: expect.any(String),
      updatedAt: made.createdAt,
    });
    expect(Date.parse(made.expiresAt) - Date.parse(made.createdAt)).toBe(defaultMs);
    const [inChat, ofBob, ofAnn] = await Promise.all(topics.map((topic, n) => news(topic, heads[n] ?? 0)));
    const message = inChat?.[0]?.[1];
    expect(inChat).toEqual([
      ['message.created', expect.objectContaining({ senderId: ann.id, messageType: 'offer' })],
      ['offer.created', { offer: made }],
    ]);
    expect(message).toMatchObject({ content: 'A bicycle, blue: 12.50 EUR', metadata: { offerId: made.id } });
    expect(ofBob).toEqual([['offer.received', { offer: made, chatId }]]);
    expect(ofAnn).toEqual([]);
    expect(await stored(server, made)).toEqual(made);
    expect(await must(server, bob, 'GET', `/offers/${made.id}`)).toEqual(made);
  });

  for (const [action, status, by] of [
    ['accept', 'accepted', 'recipient'],
    ['reject', 'rejected', 'recipient'],
    ['withdraw', 'withdrawn', 'creator'],
  ] as const) {
    for (const way of ['HTTP', 'the socket']) {
      test(`${action} over ${way}: the offer is ${status}, the system says so, and the other side is told`, async () => {
        const { id: chatId } = await createGroup(server, ann, bob, cid);
        const made = await offer(server, ann, chatId, { recipientId: bob.id, note: 'With lights' });
        const [actor, told] = by === 'recipient' ? [bob, ann] : [ann, bob];
        const topics = [`chat:${chatId}`, userTopic(told.id), userTopic(actor.id)] as const;
        const heads = await Promise.all(topics.map(headOf));
        const changed = await (way === 'HTTP'
          ? act(server, actor, made, action)
          : overSocket(actor, { offerId: made.id, action }));
        expect(changed).toEqual({ ...made, status, version: 2, updatedAt: changed.updatedAt });
        expect(changed.updatedAt >= made.updatedAt).toBe(true);
        const [inChat, toTold, toActor] = await Promise.all(
          topics.map((topic, n) => news(topic, heads[n] ?? 0)),
        );
        const said = {
          messageType: 'system',
          senderId: actor.id,
          content: `The offer “A bicycle, blue” was ${status}.`,
          metadata: { event: `offer.${status}`, offerId: made.id },
        };
        expect(inChat).toEqual([
          ['message.created', expect.objectContaining(said)],
          ['offer.updated', { offer: changed, change: status, by: actor.id }],
        ]);
        expect(toTold).toEqual([[`offer.${status}`, { offer: changed, chatId }]]);
        expect(toActor).toEqual([]);
        expect(await stored(server, made)).toEqual(changed);
      });
    }
  }

  for (const way of ['HTTP', 'the socket']) {
    test(`a counter over ${way} closes its parent, swaps the sides and is a message, with one event each`, async () => {
      const { id: chatId } = await createGroup(server, ann, bob, cid);
      const made = await offer(server, ann, chatId, { recipientId: bob.id, amount: '1500', currency: 'JPY' });
      expect(made.amount).toBe('1500');
      const topics = [`chat:${chatId}`, userTopic(ann.id), userTopic(bob.id)] as const;
      const heads = await Promise.all(topics.map(headOf));
      const terms = { amount: '1200', note: 'No lights' };
      const next = await (way === 'HTTP'
        ? act(server, bob, made, 'counter', terms)
        : overSocket(bob, { offerId: made.id, action: 'counter', counter: terms }));
      expect(next).toMatchObject({
        title: made.title,
        currency: 'JPY',
        ...terms,
        chatId,
        createdBy: bob.id,
        recipientId: ann.id,
        status: 'pending',
        parentId: made.id,
        version: 1,
      });
      const closed = await stored(server, made);
      expect(closed).toEqual({ ...made, status: 'countered', version: 2, updatedAt: closed.updatedAt });
      const [inChat, toAnn, toBob] = await Promise.all(topics.map((topic, n) => news(topic, heads[n] ?? 0)));
      const said = {
        messageType: 'offer',
        senderId: bob.id,
        content: 'A bicycle, blue: 1200 JPY',
        metadata: { offerId: next.id },
      };
      expect(inChat).toEqual([
        ['message.created', expect.objectContaining(said)],
        ['offer.updated', { offer: closed, change: 'countered', by: bob.id }],
        ['offer.created', { offer: next }],
      ]);
      expect(toAnn).toEqual([
        ['offer.countered', { offer: closed, chatId }],
        ['offer.received', { offer: next, chatId }],
      ]);
      expect(toBob).toEqual([]);
      expect(await stored(server, next)).toEqual(next);
    });
  }

  async function overSocket(user: TestUser, payload: object): Promise<Offer> {
    const client = await server.connect(user);
    const reply = await client.request('offer.update', payload);
    client.close();
    if (reply.type !== 'ok') throw new Error(`offer.update: ${JSON.stringify(reply.error)}`);
    return outputOf(reply.payload);
  }

  test('a counter may have a title, a currency and an end of its own', async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    const made = await offer(server, ann, chatId);
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const terms = { title: 'The red one', amount: '4.125', currency: 'KWD', expiresAt };
    const next = await act(server, bob, made, 'counter', terms);
    expect(next).toMatchObject({ ...terms, note: null });
    expect((await stored(server, made)).title).toBe(bicycle.title);
    await act(server, ann, next, 'accept');
  });

  test('over the socket an offer is made and repeated by its key, as over HTTP', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const client = await server.connect(ann);
    const payload = { chatId, recipientId: bob.id, ...bicycle };
    const first = await client.request('offer.create', payload, { key: 'one' });
    const again = await client.request('offer.create', payload, { key: 'one' });
    expect([first.type, again.payload]).toEqual(['ok', first.payload]);
    const key = { 'Idempotency-Key': 'one' };
    const { chatId: _, ...body } = payload;
    const overHttp = await attempt(server, ann, 'POST', `/chats/${chatId}/offers`, body, key);
    expect([overHttp.status, outputOf(overHttp.body)]).toEqual([201, outputOf(first.payload)]);
    expect((await must(server, ann, 'GET', `/chats/${chatId}/offers`)).items).toHaveLength(1);
    const other = await client.request('offer.create', { ...payload, amount: '1' }, { key: 'one' });
    expect(other.error?.code).toBe('conflict');
    client.close();
  });

  test('[K1] a counter that is repeated with its key is the same offer, over HTTP and the socket', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    const head = await headOf(`chat:${chatId}`);
    const counter = () =>
      attempt(server, bob, 'POST', `/offers/${made.id}/counter`, { amount: '9' }, { 'Idempotency-Key': 'k' });
    const [first, again] = [await counter(), await counter()];
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    const client = await server.connect(ann);
    const payload = { offerId: first.body.id, action: 'counter', counter: { amount: '10' } };
    const replies = await Promise.all(
      [1, 2].map(() => client.request('offer.update', payload, { key: 'k' })),
    );
    expect(replies[0]?.type).toBe('ok');
    expect(replies[1]?.payload).toEqual(replies[0]?.payload);
    const accept = { offerId: replies[0]?.payload.id, action: 'accept' };
    const bobs = await server.connect(bob);
    const accepted = [1, 2].map(() => bobs.request('offer.update', accept, { key: 'accept' }));
    const [one, two] = await Promise.all(accepted);
    expect([one?.type, two?.payload]).toEqual(['ok', one?.payload]);
    const types = typesOf(await eventsOf(server, `chat:${chatId}`, head));
    const counted = ['message.created', 'offer.updated', 'offer.created'];
    expect(types).toEqual([...counted, ...counted, 'message.created', 'offer.updated']);
    client.close();
    bobs.close();
  });

  test('offers of a chat are listed newest first, in pages, whatever became of them', async () => {
    const { id: chatId } = await createGroup(server, ann, bob, cid);
    const made: Offer[] = [];
    for (const amount of ['1', '2', '3', '4', '5']) {
      made.push(await offer(server, ann, chatId, { recipientId: bob.id, amount }));
    }
    const [, second, , fourth] = made;
    if (second === undefined || fourth === undefined) throw new Error('Five were made.');
    await act(server, bob, second, 'accept');
    await act(server, ann, fourth, 'withdraw');
    const pages = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await must(
        server,
        cid,
        'GET',
        `/chats/${chatId}/offers?limit=2&cursor=${cursor}`.replace(/&cursor=$/, ''),
      );
      pages.push(page.items.map(({ amount, status }: Offer) => [amount, status]));
      cursor = page.nextCursor;
    }
    expect(pages).toEqual([
      [
        ['5.00', 'pending'],
        ['4.00', 'withdrawn'],
      ],
      [
        ['3.00', 'pending'],
        ['2.00', 'accepted'],
      ],
      [['1.00', 'pending']],
    ]);
    const refused = await attempt(server, cid, 'GET', `/chats/${chatId}/offers?cursor=xyz`);
    expect(refused.body.error.code).toBe('invalid');
  });

  test('my offers are those that I made or got, by status and role, newest first, in pages over all chats', async () => {
    const [dan, eva] = await registerAll(server, 'Dan', 'Eva');
    const chats = [await createDirect(server, dan, eva), await createGroup(server, dan, eva, cid)];
    const made: Offer[] = [];
    const actions: (Action | undefined)[] = ['accept', 'reject', 'withdraw', undefined, undefined];
    for (const [n, action] of [...actions, ...actions].entries()) {
      const [creator, recipient] = n < 5 ? [dan, eva] : [eva, dan];
      const chat = chats[n % 2];
      const next = await offer(server, creator, chat.id, { recipientId: recipient.id, amount: `${n + 1}` });
      made.unshift(
        action === undefined
          ? next
          : await act(server, action === 'withdraw' ? creator : recipient, next, action),
      );
    }
    // One that is nobody's business of theirs.
    await offer(server, cid, chats[1].id, { recipientId: eva.id });
    const ask = async (query: string) => (await must(server, dan, 'GET', `/offers?${query}`)).items;
    expect(await ask('')).toEqual(made);
    expect(await ask('role=creator')).toEqual(made.filter(({ createdBy }) => createdBy === dan.id));
    expect(await ask('role=recipient')).toEqual(made.filter(({ recipientId }) => recipientId === dan.id));
    for (const status of ['pending', 'accepted', 'rejected', 'withdrawn', 'countered', 'expired']) {
      expect(await ask(`status=${status}`)).toEqual(made.filter((one) => one.status === status));
      expect(await ask(`status=${status}&role=creator`)).toEqual(
        made.filter((one) => one.status === status && one.createdBy === dan.id),
      );
    }
    const pages: Offer[] = [];
    let cursor: string | null = null;
    do {
      const at: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page = await must(server, dan, 'GET', `/offers?limit=3${at}`);
      expect(page.items.length).toBeLessThanOrEqual(3);
      pages.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(pages).toEqual(made);
    expect((await attempt(server, dan, 'GET', '/offers?status=open')).body.error.code).toBe('invalid');
    expect((await attempt(server, dan, 'GET', '/offers?role=member')).body.error.code).toBe('invalid');
  });

  test('an offer is unread, counts as a message in the list, and is neither edited nor deleted', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    expect(await listed(server, bob, chatId)).toMatchObject({
      unreadCount: 1,
      lastMessage: { messageType: 'offer', preview: 'A bicycle, blue: 12.50 EUR', senderId: ann.id },
    });
    expect((await listed(server, ann, chatId)).unreadCount).toBe(0);
    const { items } = await must(server, bob, 'GET', `/chats/${chatId}/messages`);
    const message = items.at(-1);
    expect(message.metadata).toEqual({ offerId: made.id });
    for (const user of [ann, bob]) {
      const path = `/chats/${chatId}/messages/${message.id}`;
      const edited = await attempt(server, user, 'PATCH', path, { content: 'For free' });
      const deleted = await attempt(server, user, 'DELETE', path);
      expect([edited.body.error.code, deleted.body.error.code]).toEqual(['forbidden', 'forbidden']);
    }
    // What the system says of it is not unread.
    await act(server, ann, made, 'withdraw');
    expect((await listed(server, bob, chatId)).unreadCount).toBe(1);
    await must(server, bob, 'POST', `/chats/${chatId}/read`, { seq: message.seq });
    expect((await listed(server, bob, chatId)).unreadCount).toBe(0);
  });

  test('who does not follow the chat is notified of offers and counters, and of nothing else about them', async () => {
    const { id: chatId } = await createGroup(server, ann, bob, cid);
    const client = await server.connect(bob);
    await client.subscribe(userTopic(bob.id));
    const made = await offer(server, ann, chatId, { recipientId: cid.id });
    const first = await client.next('message.notified');
    const { items } = await must(server, bob, 'GET', `/chats/${chatId}/messages`);
    expect(first.payload).toEqual({
      chatId,
      messageId: items.at(-1).id,
      senderName: 'Ann',
      preview: 'A bicycle, blue: 12.50 EUR',
      unreadCount: 1,
      mention: false,
    });
    const next = await act(server, cid, made, 'counter');
    const second = await client.next('message.notified');
    expect(second.payload).toMatchObject({
      senderName: 'Cid',
      preview: 'A bicycle, blue: 11.00 EUR',
      unreadCount: 2,
    });
    await act(server, ann, next, 'accept');
    await send(server, ann, chatId, 'the last one');
    const last = await client.next('message.notified');
    expect(last.payload.preview).toBe('the last one');
    client.close();
  });

  test('the snapshot of a chat lists what is pending, as it came', async () => {
    const { id: chatId } = await createGroup(server, ann, bob, cid);
    const client = await server.connect(cid);
    const part = async () => {
      const { snapshot } = await client.subscribe(`chat:${chatId}`, { snapshot: true });
      return (snapshot as { offers: Offer[] }).offers; // of a chat, with this module
    };
    expect(await part()).toEqual([]);
    const first = await offer(server, ann, chatId, { recipientId: bob.id });
    const second = await offer(server, bob, chatId, { recipientId: cid.id });
    const third = await offer(server, ann, chatId, { recipientId: cid.id });
    expect(await part()).toEqual([first, second, third]);
    await act(server, ann, first, 'withdraw');
    const fourth = await act(server, cid, second, 'counter');
    expect(await part()).toEqual([third, fourth]);
    client.close();
  });

  test(`a chain has ${maxCounters} counters, and no more`, async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    let last = await offer(server, ann, chatId);
    const turn = () => (last.recipientId === ann.id ? ann : bob);
    for (let round = 1; round <= maxCounters; round += 1) last = await act(server, turn(), last, 'counter');
    const refused = await attempt(server, turn(), 'POST', `/offers/${last.id}/counter`, { amount: '1' });
    expect([refused.status, refused.body.error.code]).toEqual([409, 'conflict']);
    expect(refused.body.error.message).toContain(`${maxCounters}`);
    expect((await act(server, turn(), last, 'accept')).status).toBe('accepted');
  });
});
