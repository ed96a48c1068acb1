// Who blocks hides: the one who is blocked sees nothing of their presence, on whichever instance; everybody else does. [P4]

import { expect, test } from 'bun:test';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { attempt, createGroup, must, registerAll } from './setup.ts';

onEachDatabase('hiding', (open, database) => {
  test('[P4] profiles and presence show the one who is blocked nobody who was ever there', async () => {
    const server = await open();
    const [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
    const client = await server.connect(ann);
    client.close();
    await client.closed;
    const here = await server.connect(ann);
    const seenBy = async (viewer: TestUser) => {
      const read = async (path: string) => (await attempt(server, viewer, 'GET', path)).body;
      return {
        presence: await read(`/users/${ann.id}/presence`),
        listed: (await read(`/presence?users=${ann.id},${cid.id}`)).items.find(
          ({ userId }: { userId: string }) => userId === ann.id,
        ),
        profile: await read(`/users/${ann.id}`),
        byId: (await read(`/users?ids=${ann.id}`)).items[0],
        byName: (await read('/users?search=ann')).items[0],
      };
    };
    const instant = expect.stringMatching(/Z$/);
    const face = { id: ann.id, name: 'Ann', avatarUrl: null };
    const online = { userId: ann.id, online: true, devices: 1, lastSeenAt: instant };
    const shown = { ...face, lastSeenAt: instant };
    const seen = { presence: online, listed: online, profile: shown, byId: shown, byName: shown };
    await untilSeen(server, bob, ann);
    await must(server, ann, 'PUT', `/users/me/blocks/${bob.id}`);
    const offline = { userId: ann.id, online: false, devices: 0, lastSeenAt: null };
    const hidden = { ...face, lastSeenAt: null };
    expect(await seenBy(bob)).toEqual({
      presence: offline,
      listed: offline,
      profile: hidden,
      byId: hidden,
      byName: hidden,
    });
    for (const other of [cid, ann]) expect(await seenBy(other)).toEqual(seen);
    expect((await attempt(server, ann, 'GET', `/users/${bob.id}`)).status).toBe(200);
    await must(server, ann, 'DELETE', `/users/me/blocks/${bob.id}`);
    expect(await seenBy(bob)).toEqual(seen);
    here.close();
  }, 30_000);

  test('[P4] on a topic nobody who is blocked hears of the blocker, or finds them in the list', async () => {
    const server = await open();
    await hideOnTopics(server, server);
  }, 30_000);

  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test('[P4] nor does anybody on another instance', async () => {
      const redis = await startRedis();
      const server = await open({ REDIS_URL: redis.url });
      await hideOnTopics(server, await open(server.env));
      await redis.stop();
    }, 30_000);
  });
});

/** Ann comes and goes through the one; the others are connected to the other. */
async function hideOnTopics(server: TestServer, elsewhere: TestServer): Promise<void> {
  const [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  const topic = chatTopic((await createGroup(server, ann, bob, cid)).id);
  await must(server, ann, 'PUT', `/users/me/blocks/${bob.id}`);
  const [blocked, witness] = [await elsewhere.connect(bob), await elsewhere.connect(cid)];
  for (const client of [blocked, witness]) await client.subscribe(topic);
  const list = async (client: TestClient): Promise<string[]> => {
    const { payload } = await client.request('presence.list', {}, { topic });
    return payload.users.map(({ userId }: { userId: string }) => userId).sort();
  };
  const isOfAnn =
    (type: string) =>
    (frame: Frame): boolean =>
      frame.type === type && frame.payload.userId === ann.id;

  const client = await server.connect(ann);
  await client.subscribe(topic);
  await witness.next(isOfAnn('presence.joined'));
  expect(await list(blocked)).toEqual([bob.id, cid.id].sort());
  expect(await list(witness)).toEqual([ann.id, bob.id, cid.id].sort());
  expect(await list(client)).toEqual([ann.id, bob.id, cid.id].sort()); // the one who blocks goes on seeing

  client.close();
  await witness.next(isOfAnn('presence.left'), 8_000);
  await blocked.request('ping');
  const ofAnn = (of: TestClient) =>
    of.frames.filter(({ type, payload }) => type.startsWith('presence.') && payload.userId === ann.id);
  expect([ofAnn(blocked).length, ofAnn(witness).length]).toEqual([0, 2]);

  await must(server, ann, 'DELETE', `/users/me/blocks/${bob.id}`);
  const again = await server.connect(ann);
  await again.subscribe(topic);
  await blocked.next(isOfAnn('presence.joined'));
  for (const each of [again, blocked, witness]) each.close();
}

/** `lastSeenAt` is written once a second. */
async function untilSeen(server: TestServer, viewer: TestUser, user: TestUser): Promise<void> {
  await until(
    async () => (await must(server, viewer, 'GET', `/users/${user.id}`)).lastSeenAt !== null,
    'the user was seen',
  );
}
