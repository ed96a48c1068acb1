// Two who act at once: one of them wins, the others are told how the offer is by then, and everybody hears of one change.

import { beforeAll, expect, test } from 'bun:test';
import type { Offer } from '../../../src/modules/offers/contract.ts';
import type { TestUser } from '../../support/api.ts';
import type { TestClient } from '../../support/client.ts';
import { createRandom } from '../../support/random.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { attempt, createDirect, createGroup, eventsOf, must, registerAll } from '../chat/setup.ts';
import { type Action, act, bicycle, builtParts, changesOf, moveEnd, offer, stored, tryAct } from './setup.ts';

const random = createRandom('RACE_SEED');

onEachDatabase('races of offers', (open, database) => {
  /** On PostgreSQL the second is another instance on the same database. */
  let servers: readonly [TestServer, TestServer];
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;
  let clients: ReadonlyMap<string, readonly TestClient[]>;

  beforeAll(async () => {
    console.log(`RACE_SEED=${random.seed}`);
    server = await open();
    servers = [server, database.kind === 'postgres' ? await open(server.env) : server];
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
    const connectAll = (user: TestUser) => Promise.all(servers.map((one) => one.connect(user)));
    clients = new Map([
      [ann.id, await connectAll(ann)],
      [bob.id, await connectAll(bob)],
    ]);
  });

  interface Outcome {
    readonly action: Action;
    readonly won: Offer | undefined;
    // biome-ignore lint/suspicious/noExplicitAny: a refusal as it came
    readonly error: any;
  }

  /** Over HTTP or the socket, on either instance. */
  async function race(user: TestUser, made: Offer, action: Action): Promise<Outcome> {
    const through = random.below(2);
    const client = clients.get(user.id)?.[through];
    if (random.below(2) === 0 || client === undefined) {
      const { status, body } = await tryAct(servers[through] ?? server, user, made, action);
      return { action, won: status < 300 ? body : undefined, error: body.error };
    }
    const counter = action === 'counter' ? { amount: '11' } : undefined;
    const reply = await client.request('offer.update', { offerId: made.id, action, counter });
    return { action, won: reply.type === 'ok' ? reply.payload : undefined, error: reply.error };
  }

  /** Exactly one has won; answers what it did. */
  async function expectOneWinner(made: Offer, outcomes: readonly Outcome[]): Promise<Action> {
    const [winner, ...others] = outcomes.filter(({ won }) => won !== undefined);
    if (winner === undefined) throw new Error('Nobody won.');
    expect(others).toEqual([]);
    const changed = await stored(server, made);
    for (const { error } of outcomes.filter(({ won }) => won === undefined)) {
      expect([error.code, error.details]).toEqual(['conflict', changed]);
    }
    const change = { accept: 'accepted', reject: 'rejected', withdraw: 'withdrawn', counter: 'countered' };
    expect([changed.status, changed.version]).toEqual([change[winner.action] as Offer['status'], 2]); // one of them
    expect(await changesOf(server, made)).toEqual([changed.status]);
    const { built, read } = await builtParts(server, made.chatId);
    expect(built).toEqual(read);
    expect(read.some(({ id }) => id === made.id)).toBe(false);
    return winner.action;
  }

  const shuffle = <Item>(items: readonly Item[]): Item[] =>
    items
      .map((item) => ({ item, place: random.below(1_000_000) }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);

  test('of 50 accepts, 50 rejections and 50 withdrawals one wins, the others are conflicts with the offer', async () => {
    const { id: chatId } = await createGroup(server, ann, bob, cid);
    const wins: Action[] = [];
    for (let round = 0; round < 6; round += 1) {
      const made = await offer(server, ann, chatId, { recipientId: bob.id });
      const runs = shuffle(
        Array.from({ length: 50 }, () => ['accept', 'reject', 'withdraw'] as const).flat(),
      );
      const outcomes = await Promise.all(
        runs.map((action) => race(action === 'withdraw' ? ann : bob, made, action)),
      );
      wins.push(await expectOneWinner(made, outcomes));
    }
    console.log(`won: ${wins.join(' ')}`);
  }, 60_000);

  test('of counters and accepts one wins: there is one counter, or none', async () => {
    const { id: chatId } = await createDirect(server, ann, bob);
    for (let round = 0; round < 6; round += 1) {
      const made = await offer(server, ann, chatId);
      const actions = shuffle(
        Array.from({ length: 10 }, () => ['accept', 'counter', 'withdraw', 'counter'] as const).flat(),
      );
      const outcomes = await Promise.all(
        actions.map((action) => race(action === 'withdraw' ? ann : bob, made, action)),
      );
      const won = await expectOneWinner(made, outcomes);
      const { items } = await must(server, bob, 'GET', `/chats/${chatId}/offers`);
      const counters = items.filter(({ parentId }: Offer) => parentId === made.id);
      expect(counters).toHaveLength(won === 'counter' ? 1 : 0);
      for (const { id } of counters) await act(server, ann, { id }, 'reject');
    }
  }, 60_000);

  test('an offer that expires as it is accepted does one of both', async () => {
    const { id: chatId } = await createGroup(server, ann, bob);
    for (let round = 0; round < 5; round += 1) {
      const made = await Promise.all(
        Array.from({ length: 10 }, () => offer(server, ann, chatId, { recipientId: bob.id })),
      );
      await Promise.all(made.map((one) => moveEnd(server, one, random.below(60))));
      const answers = await Promise.all(made.map((one) => race(bob, one, 'accept')));
      for (const [n, one] of made.entries()) {
        const { won, error } = answers[n] ?? {};
        if (won === undefined) expect(error.code).toBe('conflict');
        else expect(await changesOf(server, one)).toEqual(['accepted']);
      }
      const left = made.filter((_, n) => answers[n]?.won === undefined);
      // What was not accepted is past its end: it goes with the next look of the clockwork, and makes room.
      for (const one of left) await untilChanged(one);
      for (const one of left) expect(await changesOf(server, one)).toEqual(['expired']);
    }
    const { built, read } = await builtParts(server, chatId);
    expect([built, read]).toEqual([[], []]);
  }, 60_000);

  const untilChanged = (made: Offer) =>
    until(async () => (await stored(server, made)).status !== 'pending', 'the offer expires');

  test('who leaves as an offer of theirs is accepted has left before or behind it', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id: chatId } = await createGroup(server, cid, ann, bob);
      const made = await offer(server, ann, chatId, { recipientId: bob.id });
      const leave = attempt(server, ann, 'DELETE', `/chats/${chatId}/members/${ann.id}`);
      const [accepted, left] = await Promise.all([race(bob, made, 'accept'), leave]);
      expect(left.status).toBe(200);
      const types = (await eventsOf(server, `chat:${chatId}`)).map(({ type }) => type);
      const [acceptedAt, leftAt] = [types.indexOf('offer.updated'), types.indexOf('member.left')];
      if (accepted.won === undefined) {
        expect([accepted.error.code, acceptedAt]).toEqual(['conflict', -1]);
      } else {
        expect(acceptedAt).toBeGreaterThan(0);
        expect(acceptedAt).toBeLessThan(leftAt);
      }
    }
  }, 60_000);

  test('of a block and an offer at once, the offer stands before the block in the log, or is refused', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [dan, eve] = await registerAll(server, 'Dan', 'Eve');
      const { id: chatId } = await createDirect(server, dan, eve);
      const answers = await Promise.all([
        ...[1, 2, 3].map(() => attempt(servers[1], dan, 'POST', `/chats/${chatId}/offers`, bicycle)),
        attempt(server, eve, 'PUT', `/users/me/blocks/${dan.id}`),
        ...[1, 2, 3].map(() => attempt(server, eve, 'POST', `/chats/${chatId}/offers`, bicycle)),
      ]);
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => ![200, 201, 403].includes(status))).toEqual([]);
      const { items } = await must(server, dan, 'GET', `/chats/${chatId}/offers`);
      expect(items).toHaveLength(statuses.filter((status) => status === 201).length);
      const late = await attempt(servers[1], dan, 'POST', `/chats/${chatId}/offers`, bicycle);
      expect(late.status).toBe(403);
    }
  }, 60_000);
});
