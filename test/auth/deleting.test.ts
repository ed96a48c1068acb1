// The end of an account: what is gone, what stays, and who is told.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../src/db/database.ts';
import { applyCampaign } from '../../src/modules/campaigns/state.ts';
import { readState as readCampaign } from '../../src/modules/campaigns/topics.ts';
import { apply as applyChat, type ChatState } from '../../src/modules/chat/state.ts';
import type { JobEvent } from '../../src/modules/jobs/contract.ts';
import { applyUserJobs } from '../../src/modules/jobs/state.ts';
import { readUserJobs } from '../../src/modules/jobs/topics.ts';
import { applyOffers, type ListedOffers } from '../../src/modules/offers/state.ts';
import { addMember, createCampaign, createWorld } from '../modules/campaigns/setup.ts';
import {
  attempt,
  createDirect,
  createGroup,
  eventsOf,
  must,
  registerAll,
  send,
} from '../modules/chat/setup.ts';
import { makePlayer, startOn } from '../modules/game/setup.ts';
import type { TestUser } from '../support/api.ts';
import type { Frame } from '../support/client.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';
import { readAudit } from './log.ts';

const gone = { name: 'deleted user', avatarUrl: null };

type ChatWithOffers = ChatState & { offers: ListedOffers };

const applyAll = ({ offers, ...state }: ChatWithOffers, { type, payload }: Frame): ChatWithOffers => ({
  ...applyChat(state, { type, payload }),
  offers: applyOffers(offers, { type, payload }),
});

onEachDatabase('deleted accounts', (open) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await open();
  });

  const remove = (user: TestUser, password = user.password) =>
    attempt(server, user, 'DELETE', '/users/me', { password });
  const removed = async (user: TestUser) => expect(await remove(user)).toMatchObject({ status: 200 });
  const snapshotOf = async (user: TestUser, topic: string) => {
    const client = await server.connect(user);
    const { snapshot, seq } = await client.subscribe(topic, { snapshot: true });
    client.close();
    return { state: snapshot as ChatWithOffers, seq }; // the contract of the topic of a chat, with the module of offers
  };

  test('name, address and avatar go, and the address is free again', async () => {
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    await must(server, ann, 'PATCH', '/users/me', { avatarUrl: 'https://example.com/ann.png' });
    const answer = await remove(ann);
    expect(answer).toMatchObject({ status: 200, body: { id: ann.id, deletedAt: expect.any(String) } });
    const shown = await must(server, bob, 'GET', `/users/${ann.id}`);
    expect(shown).toEqual({ id: ann.id, ...gone, lastSeenAt: null });
    const [row] = await queryRows<{ everything: string }>(
      server.db,
      sql`SELECT (SELECT row_to_json(u)::text FROM users u WHERE id = ${ann.id}) ||
          (SELECT json_agg(s)::text FROM user_sessions s WHERE user_id = ${ann.id}) AS everything`,
    );
    for (const trace of [ann.email, 'ann.png', '"Ann"', '127.0.0.1'])
      expect(row?.everything).not.toContain(trace);
    expect((await must(server, bob, 'GET', '/users?search=deleted')).items).toEqual([]);
    const again = await server.register('Ann', { email: ann.email });
    expect(again.id).not.toBe(ann.id);
  });

  test('a wrong password deletes nothing', async () => {
    const [ann] = await registerAll(server, 'Ann');
    expect(await remove(ann, 'not this one')).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden' } },
    });
    expect((await must(server, ann, 'GET', '/users/me')).name).toBe('Ann');
  });

  test('all sessions end at once, each with its event, and no token is good any more', async () => {
    const [ann] = await registerAll(server, 'Ann');
    const phone = await server.login(ann);
    const client = await server.connect(phone);
    await removed(ann);
    expect(await client.closed).toMatchObject({ code: 4403, reason: 'user_deleted' });
    for (const session of [ann, phone]) {
      expect(await attempt(server, session, 'GET', '/users/me')).toMatchObject({
        status: 401,
        body: { error: { details: { reason: 'user_deleted' } } },
      });
    }
    const { status } = await server.request('POST', '/v1/auth/refresh', {
      body: { refreshToken: phone.refreshToken },
    });
    expect(status).toBe(401);
    const login = (email: string, password: string) =>
      server.request('POST', '/v1/auth/login', { body: { email, password } });
    expect((await login(ann.email, ann.password)).status).toBe(401);
    expect((await login(`deleted-${ann.id}@deleted.invalid`, ann.password)).status).toBe(401);
  });

  test('of the audit log the rows stay, with the id alone', async () => {
    const [ann] = await registerAll(server, 'Ann');
    await server.request('POST', '/v1/auth/login', { body: { email: ann.email, password: 'wrong' } });
    await server.request('POST', '/v1/auth/password/reset/request', { body: { email: ann.email } });
    await removed(ann);
    const bare = (event: string) => ({ event, ip: null, user_agent: null, session_id: null, details: {} });
    expect(await readAudit(server.db, ann.id)).toEqual(
      ['register', 'login_failed', 'user_deleted'].map(bare),
    );
    const named = await queryRows(
      server.db,
      sql`SELECT event FROM audit_log WHERE details::text LIKE ${`%${ann.email}%`}`,
    );
    expect(named).toEqual([]);
  });

  test('messages stay as written by a deleted user, who leaves the groups; the law holds', async () => {
    const [ann, bob, eve] = await registerAll(server, 'Ann', 'Bob', 'Eve');
    const group = await createGroup(server, ann, bob, eve);
    const direct = await createDirect(server, ann, bob);
    for (const { id } of [group, direct]) await send(server, ann, id, 'I was here');
    const [before, directBefore] = [
      await snapshotOf(bob, `chat:${group.id}`),
      await snapshotOf(bob, `chat:${direct.id}`),
    ];
    await removed(ann);
    const news = await eventsOf(server, `chat:${group.id}`, before.seq);
    expect(news.map(({ type }) => type)).toEqual([
      'profile.updated',
      'message.created',
      'member.updated',
      'member.left',
    ]);
    expect(news[0]?.payload).toEqual({ id: ann.id, ...gone });
    const after = await snapshotOf(bob, `chat:${group.id}`);
    expect(news.reduce(applyAll, before.state)).toEqual(after.state);
    const { members, messages } = after.state;
    expect(members.map(({ userId }) => userId).sort()).toEqual([bob.id, eve.id].sort());
    expect(members.filter(({ role }) => role === 'admin')).toHaveLength(1);
    expect(messages.find(({ content }) => content === 'I was here')?.senderId).toBe(ann.id);
    const directNews = await eventsOf(server, `chat:${direct.id}`, directBefore.seq);
    expect(directNews.map(({ type, payload }) => [type, payload])).toEqual([
      ['profile.updated', { id: ann.id, ...gone }],
    ]);
    const { items } = await must(server, bob, 'GET', '/chats');
    expect(items.find(({ id }: { id: string }) => id === direct.id).otherUser).toEqual({
      id: ann.id,
      ...gone,
    });
  });

  test('pending offers end on both sides, each with its message; the law holds', async () => {
    const [ann, bob] = await registerAll(server, 'Ann', 'Bob');
    const group = await createGroup(server, bob, ann);
    const offer = (by: TestUser, to: TestUser) =>
      must(server, by, 'POST', `/chats/${group.id}/offers`, {
        recipientId: to.id,
        title: 'A lamp',
        amount: '1',
        currency: 'EUR',
      });
    const [mine, theirs] = [await offer(ann, bob), await offer(bob, ann)];
    const before = await snapshotOf(bob, `chat:${group.id}`);
    await removed(ann);
    const statusOf = async ({ id }: { id: string }) =>
      (await must(server, bob, 'GET', `/offers/${id}`)).status;
    expect([await statusOf(mine), await statusOf(theirs)]).toEqual(['withdrawn', 'rejected']);
    const news = await eventsOf(server, `chat:${group.id}`, before.seq);
    expect(before.state.offers).toHaveLength(2);
    const after = await snapshotOf(bob, `chat:${group.id}`);
    expect(news.reduce(applyAll, before.state)).toEqual(after.state);
    expect(after.state.offers).toEqual([]);
    const told = await eventsOf(server, `user:${bob.id}`);
    expect(told.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['offer.withdrawn', 'offer.rejected']),
    );
  });

  test('a campaign passes to its oldest editor, else viewer, else it is deleted; the law holds', async () => {
    const [ann, bob, eve, dan] = await registerAll(server, 'Ann', 'Bob', 'Eve', 'Dan');
    const { campaign: edited } = await createWorld(server, ann);
    await addMember(server, ann, edited, eve, 'viewer');
    await addMember(server, ann, edited, bob, 'editor');
    await addMember(server, ann, edited, dan, 'editor');
    const viewed = await createCampaign(server, ann);
    await addMember(server, ann, viewed, eve, 'viewer');
    const alone = await createCampaign(server, ann);
    const joined = await createCampaign(server, bob);
    await addMember(server, bob, joined, ann, 'editor');
    const own = [edited, viewed, joined];
    const topics = own.map(({ id }) => `campaign:${id}`);
    const before = await Promise.all(own.map(({ id }) => readCampaign(server.db, id)));
    const heads = await Promise.all(topics.map(async (topic) => (await eventsOf(server, topic)).length));
    await removed(ann);
    for (const [n, { id }] of own.entries()) {
      const news = await eventsOf(server, topics[n] ?? '', heads[n]);
      const first = before[n];
      if (first === undefined) throw new Error('There is one of each.');
      const after = await readCampaign(server.db, id);
      expect(
        news.reduce((state, { type, payload }) => applyCampaign(state, { type, payload }), first),
      ).toEqual(after);
      expect(news[0]).toMatchObject({ type: 'profile.updated', payload: gone });
      expect(after.members.map(({ userId }) => userId)).not.toContain(ann.id);
      expect(after.members.filter(({ role }) => role === 'owner').map(({ userId }) => userId)).toEqual([
        after.campaign.ownerId,
      ]);
      expect(after.campaign.ownerId).toBe([bob, eve, bob][n]?.id ?? '');
    }
    const left = await queryRows(server.db, sql`SELECT id FROM campaigns WHERE id = ${alone.id}`);
    expect(left).toEqual([]);
    // The heir can do what owners can.
    await must(server, eve, 'DELETE', `/campaigns/${viewed.id}`);
  });

  test('jobs are cancelled, hacks aborted, and the handle is nobody’s any more', async () => {
    const [ann, target] = [await makePlayer(server), await makePlayer(server)];
    const job = await must(server, ann.user, 'POST', '/jobs', { type: 'of-ann', payload: 1 });
    const topic = `user:${ann.user.id}:jobs`;
    const before = await readUserJobs(server.db, ann.user.id);
    const head = (await eventsOf(server, topic)).length;
    const hack = await startOn(server, ann, target.computerId);
    await removed(ann.user);
    const [row] = await queryRows<Record<string, string>>(
      server.db,
      sql`SELECT (SELECT status FROM jobs WHERE id = ${job.id}) AS job,
        (SELECT status FROM hack_operations WHERE id = ${hack.id}) AS hack,
        (SELECT handle FROM players WHERE id = ${ann.id}) AS handle`,
    );
    expect(row).toEqual({ job: 'cancelled', hack: 'aborted', handle: `deleted-${ann.id}` });
    const news = (await eventsOf(server, topic, head)) as JobEvent[]; // the contract of the topic
    expect(news.reduce(applyUserJobs, before)).toEqual(await readUserJobs(server.db, ann.user.id));
    const told = await eventsOf(server, `player:${target.id}`);
    expect(told.at(-1)).toMatchObject({ type: 'hack.aborted', payload: { hack: { id: hack.id } } });
  });

  test('the only admin stays, and of two that go at once one', async () => {
    const alone = await open({ ADMIN_EMAILS: 'root@example.com,other@example.com' });
    const root = await alone.register('Root', { email: 'root@example.com' });
    const leave = (user: TestUser) =>
      attempt(alone, user, 'DELETE', '/users/me', { password: user.password });
    expect(await leave(root)).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
    const other = await alone.register('Other', { email: 'other@example.com' });
    const answers = await Promise.all([leave(root), leave(other)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test('an admin cannot bring a deleted user back', async () => {
    const other = await open({ ADMIN_EMAILS: 'root@example.com' });
    const root = await other.register('Root', { email: 'root@example.com' });
    const ann = await other.register('Ann');
    await must(other, ann, 'DELETE', '/users/me', { password: ann.password });
    const change = await attempt(other, root, 'PATCH', `/admin/users/${ann.id}`, { disabled: false });
    expect(change).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
  });
});
