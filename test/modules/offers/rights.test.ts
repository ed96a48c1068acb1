// Who may do what with an offer: the recipient answers it, who made it withdraws it, other members look on, and to everybody
// else there is none. What holds for those who have left the chat, or blocked each other in it.

import { beforeAll, expect, test } from 'bun:test';
import type { Offer } from '../../../src/modules/offers/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { attempt, createDirect, createGroup, eventsOf, must, registerAll, unknownId } from '../chat/setup.ts';
import { type Action, act, bicycle, offer, stored, tryAct } from './setup.ts';

const actions: readonly Action[] = ['accept', 'reject', 'counter', 'withdraw'];

onEachDatabase('rights to offers', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;
  let eve: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid, eve] = await registerAll(server, 'Ann', 'Bob', 'Cid', 'Eve');
  });

  /** How each action is refused, over HTTP and the socket alike; the offer and the log stay as they are. */
  async function refusals(user: TestUser, made: Offer): Promise<Record<Action, string>> {
    const before = [await stored(server, made), await eventsOf(server, `chat:${made.chatId}`)];
    const client = await server.connect(user);
    const codes: Partial<Record<Action, string>> = {};
    for (const action of actions) {
      const { body } = await tryAct(server, user, made, action);
      const counter = action === 'counter' ? { amount: '11' } : undefined;
      const reply = await client.request('offer.update', { offerId: made.id, action, counter });
      expect(reply.error).toEqual(body.error);
      codes[action] = body.error?.code ?? 'ok';
    }
    client.close();
    expect([await stored(server, made), await eventsOf(server, `chat:${made.chatId}`)]).toEqual(before);
    return codes as Record<Action, string>; // each of them was tried
  }

  const all = (code: string) => ({ accept: code, reject: code, counter: code, withdraw: code });
  const leave = (user: TestUser, chatId: string) =>
    must(server, user, 'DELETE', `/chats/${chatId}/members/${user.id}`);
  const conflictWith = async (user: TestUser, made: Offer, action: Action) => {
    const { status, body } = await tryAct(server, user, made, action);
    expect([status, body.error.code, body.error.details]).toEqual([
      409,
      'conflict',
      await stored(server, made),
    ]);
  };

  test('other members see an offer and can do nothing about it; its two sides can do their own part only', async () => {
    const { id: chatId } = await createGroup(server, ann, bob, cid);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    expect(await must(server, cid, 'GET', `/offers/${made.id}`)).toEqual(made);
    expect((await must(server, cid, 'GET', `/chats/${chatId}/offers`)).items).toEqual([made]);
    expect(await refusals(cid, made)).toEqual(all('forbidden'));
    const asCreator = await Promise.all(
      (['accept', 'reject', 'counter'] as const).map((action) => tryAct(server, ann, made, action)),
    );
    expect(asCreator.map(({ body }) => body.error.code)).toEqual(['forbidden', 'forbidden', 'forbidden']);
    expect((await tryAct(server, bob, made, 'withdraw')).body.error.code).toBe('forbidden');
    expect(await stored(server, made)).toEqual(made);
  });

  test('to a stranger an offer is as one that does not exist', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    expect(await refusals(eve, made)).toEqual(all('not_found'));
    const paths = [`/offers/${made.id}`, `/chats/${chatId}/offers`];
    for (const path of paths) {
      const foreign = await attempt(server, eve, 'GET', path);
      const absent = await attempt(server, eve, 'GET', path.replace(/[0-9a-f-]{36}/, unknownId));
      expect([foreign.status, foreign.body]).toEqual([404, absent.body]);
    }
    const create = (to: string) => attempt(server, eve, 'POST', `/chats/${to}/offers`, bicycle);
    const [foreign, absent] = [await create(chatId), await create(unknownId)];
    expect([foreign.status, foreign.body]).toEqual([404, absent.body]);
    const named = await attempt(server, eve, 'POST', `/chats/${chatId}/offers`, {
      ...bicycle,
      recipientId: bob.id,
    });
    expect([named.status, named.body]).toEqual([404, absent.body]);
    expect((await must(server, eve, 'GET', '/offers')).items).toEqual([]);
  });

  test('an offer is made to another member, whom a group needs to be told', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    const head = (await eventsOf(server, `chat:${chatId}`)).length;
    for (const recipientId of [undefined, ann.id, eve.id, unknownId]) {
      const { status, body } = await attempt(server, ann, 'POST', `/chats/${chatId}/offers`, {
        ...bicycle,
        recipientId,
      });
      expect([status, body.error.code, body.error.details]).toEqual([
        400,
        'invalid',
        [{ path: '/body/recipientId', message: expect.any(String) }],
      ]);
    }
    const { id: directId } = await createDirect(server, ann, bob);
    const named = await offer(server, ann, directId, { recipientId: bob.id });
    expect(named.recipientId).toBe(bob.id);
    const wrong = await attempt(server, ann, 'POST', `/chats/${directId}/offers`, {
      ...bicycle,
      recipientId: cid.id,
    });
    expect(wrong.body.error.code).toBe('invalid');
    expect((await eventsOf(server, `chat:${chatId}`)).length).toBe(head);
  });

  test('once its maker has left, an offer can only be withdrawn, by its maker', async () => {
    const { id: chatId } = await createGroup(server, cid, ann, bob);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    await leave(ann, chatId);
    for (const action of ['accept', 'reject', 'counter'] as const) await conflictWith(bob, made, action);
    expect((await tryAct(server, cid, made, 'accept')).body.error.code).toBe('forbidden');
    expect((await tryAct(server, ann, made, 'accept')).body.error.code).toBe('forbidden');
    expect((await act(server, ann, made, 'withdraw')).status).toBe('withdrawn');
    await conflictWith(bob, made, 'accept');
  });

  test('once its recipient has left, an offer is none to them any more, and its maker can still withdraw it', async () => {
    const { id: chatId } = await createGroup(server, cid, ann, bob);
    const [first, second] = [
      await offer(server, ann, chatId, { recipientId: bob.id }),
      await offer(server, ann, chatId, { recipientId: bob.id }),
    ];
    await leave(bob, chatId);
    expect(await refusals(bob, first)).toEqual(all('not_found'));
    expect((await act(server, ann, first, 'withdraw')).status).toBe('withdrawn');
    await leave(ann, chatId);
    expect((await act(server, ann, second, 'withdraw')).status).toBe('withdrawn');
  });

  test('its two sides see an offer for ever, and other members while they are members', async () => {
    const { id: chatId } = await createGroup(server, cid, ann, bob, eve);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    for (const user of [ann, bob, eve]) await leave(user, chatId);
    const asked = async (user: TestUser, path: string) => (await attempt(server, user, 'GET', path)).status;
    for (const [user, one] of [
      [ann, 200],
      [bob, 200],
      [eve, 404],
    ] as const) {
      const answers = [await asked(user, `/offers/${made.id}`), await asked(user, `/chats/${chatId}/offers`)];
      expect(answers).toEqual([one, 404]);
    }
    const mine = async (user: TestUser, role: string) =>
      (await must(server, user, 'GET', `/offers?role=${role}`)).items.map(({ id }: Offer) => id);
    expect(await mine(ann, 'creator')).toContain(made.id);
    expect(await mine(bob, 'recipient')).toContain(made.id);
    expect(await asked(cid, `/offers/${made.id}`)).toBe(200);
  });

  test('who is brought back can answer again', async () => {
    const { id: chatId } = await createGroup(server, cid, ann, bob);
    const made = await offer(server, ann, chatId, { recipientId: bob.id });
    await leave(bob, chatId);
    expect((await tryAct(server, bob, made, 'accept')).status).toBe(404);
    await must(server, cid, 'POST', `/chats/${chatId}/members`, { userId: bob.id });
    expect((await act(server, bob, made, 'accept')).status).toBe('accepted');
  });

  test('in a direct chat where one blocks the other nothing new is offered, and what is there can be ended', async () => {
    const [dan, fay] = await registerAll(server, 'Dan', 'Fay');
    const { id: chatId } = await createDirect(server, dan, fay);
    const made = [];
    for (const _ of [1, 2, 3]) made.push(await offer(server, dan, chatId));
    const [first, second, third] = made;
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('Three were made.');
    await must(server, dan, 'PUT', `/users/me/blocks/${fay.id}`);
    for (const user of [dan, fay]) {
      const { body } = await attempt(server, user, 'POST', `/chats/${chatId}/offers`, bicycle);
      const said = await attempt(server, user, 'POST', `/chats/${chatId}/messages`, { content: 'Hi' });
      expect([body.error.code, body.error]).toEqual(['forbidden', said.body.error]);
    }
    const countered = await tryAct(server, fay, first, 'counter');
    expect(countered.body.error.code).toBe('forbidden');
    expect(await stored(server, first)).toEqual(first);
    expect((await act(server, fay, first, 'accept')).status).toBe('accepted');
    expect((await act(server, fay, second, 'reject')).status).toBe('rejected');
    expect((await act(server, dan, third, 'withdraw')).status).toBe('withdrawn');
    await must(server, dan, 'DELETE', `/users/me/blocks/${fay.id}`);
    await offer(server, fay, chatId);
  });

  test('in a group blocks change nothing', async () => {
    const [dan, fay] = await registerAll(server, 'Dan', 'Fay');
    const { id: chatId } = await createGroup(server, dan, fay);
    await must(server, dan, 'PUT', `/users/me/blocks/${fay.id}`);
    const made = await offer(server, fay, chatId, { recipientId: dan.id });
    await act(server, dan, made, 'counter');
  });

  test('what was ended once cannot be ended again: the refusal has the offer as it is', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    for (const [action, by] of [
      ['accept', bob],
      ['reject', bob],
      ['counter', bob],
      ['withdraw', ann],
    ] as const) {
      const made = await offer(server, ann, chatId, { recipientId: bob.id });
      await act(server, by, made, action);
      const head = (await eventsOf(server, `chat:${chatId}`)).length;
      for (const again of actions) await conflictWith(again === 'withdraw' ? ann : bob, made, again);
      expect((await eventsOf(server, `chat:${chatId}`)).length).toBe(head);
    }
  });
});
