// Who belongs to a campaign, and what those who no longer do still hear: nothing, on no topic below it.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import {
  campaignTopic,
  maxMembers,
  settlementTopic,
  structureTopic,
} from '../../../src/modules/campaigns/contract.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { describeWith } from '../../support/needs.ts';
import { redisMissing, startRedis } from '../../support/redis.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  addCrowd,
  addMember,
  attempt,
  createCampaign,
  createWorld,
  eventsOf,
  fill,
  must,
  refusalOf,
  registerAll,
  unknownId,
  type World,
} from './setup.ts';

onEachDatabase('members of campaigns', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const membersOf = ({ id }: { id: string }) => `/campaigns/${id}/members`;
  const newest = async (topic: string) => (await eventsOf(server, topic)).at(-1);
  const topicsOf = ({ campaign, settlement, structure }: World) =>
    [campaignTopic(campaign.id), settlementTopic(settlement.id), structureTopic(structure.id)] as const;

  test('who is added is a viewer unless told otherwise, and hears of it', async () => {
    const campaign = await createCampaign(server, ann);
    const added = await attempt(server, ann, 'POST', membersOf(campaign), { userId: bob.id });
    const member = { userId: bob.id, role: 'viewer', joinedAt: expect.any(String) };
    expect([added.status, added.body]).toEqual([201, { ...member, events: expect.any(Array) }]);
    expect(await newest(campaignTopic(campaign.id))).toMatchObject({
      type: 'entity.updated',
      payload: {
        entityType: 'member',
        entityId: bob.id,
        operation: 'created',
        changedFields: [],
        version: null,
        entity: member,
      },
    });
    expect(await newest(userTopic(bob.id))).toMatchObject({ type: 'campaign.added', payload: { campaign } });
    await addMember(server, ann, campaign, cid, 'editor');
    expect(await must(server, bob, 'GET', `${membersOf(campaign)}/${cid.id}`)).toMatchObject({
      role: 'editor',
    });
    const first = await must(server, bob, 'GET', `${membersOf(campaign)}?limit=2`);
    const rest = await must(server, bob, 'GET', `${membersOf(campaign)}?limit=2&cursor=${first.nextCursor}`);
    const userIds = [...first.items, ...rest.items].map(({ userId }) => userId);
    expect([first.items.length, userIds]).toEqual([2, [ann.id, bob.id, cid.id].sort()]);
    expect((await attempt(server, bob, 'GET', `${membersOf(campaign)}/${unknownId}`)).status).toBe(404);
  });

  test('only active users of the server can be added, each once', async () => {
    const campaign = await createCampaign(server, ann);
    const [off] = await registerAll(server, 'Off');
    await server.db.execute(sql`UPDATE users SET disabled_at = now() WHERE id = ${off.id}`);
    for (const userId of [unknownId, off.id]) {
      const { status, body } = await attempt(server, ann, 'POST', membersOf(campaign), { userId });
      expect([status, body.error.details]).toEqual([
        400,
        [{ path: '/body/userId', message: 'There is no such user' }],
      ]);
    }
    await addMember(server, ann, campaign, bob);
    for (const user of [ann, bob]) {
      const again = await attempt(server, ann, 'POST', membersOf(campaign), { userId: user.id });
      expect(refusalOf(again).slice(0, 2)).toEqual([409, 'conflict']);
    }
    const owner = { userId: cid.id, role: 'owner' };
    expect((await attempt(server, ann, 'POST', membersOf(campaign), owner)).status).toBe(400);
  });

  test('a campaign has at most 100 members, also when two come at once', async () => {
    const campaign = await createCampaign(server, ann);
    await addCrowd(server, campaign.id, ann, maxMembers - 2);
    const answers = await Promise.all(
      [bob, cid].map(({ id }) => attempt(server, ann, 'POST', membersOf(campaign), { userId: id })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body.error).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('100 members'),
    });
    expect((await must(server, ann, 'GET', `${membersOf(campaign)}?limit=100`)).items).toHaveLength(100);
  });

  test('the owner changes the roles of others; the same role again is no event', async () => {
    const campaign = await createCampaign(server, ann);
    await addMember(server, ann, campaign, bob);
    const path = `${membersOf(campaign)}/${bob.id}`;
    const editor = await must(server, ann, 'PATCH', path, { role: 'editor' });
    expect(editor).toMatchObject({ userId: bob.id, role: 'editor' });
    const event = await newest(campaignTopic(campaign.id));
    expect(event?.payload).toEqual({
      entityType: 'member',
      entityId: bob.id,
      operation: 'updated',
      changedFields: ['role'],
      version: null,
      entity: editor,
    });
    expect(await must(server, ann, 'PATCH', path, { role: 'editor' })).toEqual(editor);
    expect((await newest(campaignTopic(campaign.id)))?.id).toBe(event?.id ?? '');
    const own = await attempt(server, ann, 'PATCH', `${membersOf(campaign)}/${ann.id}`, { role: 'viewer' });
    expect(refusalOf(own).slice(0, 2)).toEqual([409, 'conflict']);
    expect((await attempt(server, ann, 'PATCH', path, { role: 'owner' })).status).toBe(400);
    const absent = `${membersOf(campaign)}/${cid.id}`;
    expect((await attempt(server, ann, 'PATCH', absent, { role: 'editor' })).status).toBe(404);
  });

  test('[S7] who is removed hears of it as the last thing, and nothing of what stands below', async () => {
    const world = await createWorld(server, ann);
    const { campaign, settlement, structure } = world;
    for (const user of [bob, cid]) await addMember(server, ann, campaign, user, 'editor');
    const [removed, witness] = [await server.connect(bob), await server.connect(cid)];
    for (const topic of topicsOf(world)) {
      await removed.subscribe(topic);
      await witness.subscribe(topic);
    }
    const own = await removed.subscribe(userTopic(bob.id));
    const answer = await must(server, ann, 'DELETE', `${membersOf(campaign)}/${bob.id}`);
    expect(answer).toEqual({ campaignId: campaign.id, userId: bob.id });
    await must(server, ann, 'PATCH', `/settlements/${settlement.id}`, { version: 1, level: 9 });
    await must(server, ann, 'PATCH', `/structures/${structure.id}`, { version: 1, level: 9 });
    for (const topic of topicsOf(world)) {
      const out = await removed.next((frame) => frame.type === 'unsubscribed' && frame.topic === topic);
      expect(out.payload).toEqual({ reason: 'forbidden' });
    }
    await witness.next((frame) => frame.type === 'structure.updated' && frame.topic === topicsOf(world)[2]);
    await removed.request('ping');
    const heard = removed.frames.filter(({ seq, topic }) => seq !== undefined && topic !== own.topic);
    expect(heard.map(({ topic, type, payload }) => [topic, type, payload])).toEqual([
      [
        campaignTopic(campaign.id),
        'entity.updated',
        {
          entityType: 'member',
          entityId: bob.id,
          operation: 'deleted',
          changedFields: [],
          version: null,
          entity: null,
        },
      ],
    ]);
    const toBob = await eventsOf(server, userTopic(bob.id), own.seq);
    expect(toBob.map(({ type, payload }) => [type, payload])).toEqual([
      ['campaign.removed', { campaignId: campaign.id }],
      ['access.revoked', { campaignId: campaign.id }],
    ]);
    const [last] = await queryRows<{ shuts_out: string[] }>(
      server.db,
      sql`SELECT shuts_out FROM events WHERE topic = ${campaignTopic(campaign.id)} ORDER BY seq DESC LIMIT 1 OFFSET 2`,
    );
    expect(last?.shuts_out).toEqual([bob.id]); // behind it are the two changes
    for (const topic of topicsOf(world)) {
      expect((await removed.request('subscribe', { since: 0 }, { topic })).error.code).toBe('forbidden');
    }
    for (const client of [removed, witness]) client.close();
  });

  test('what comes behind a removal is withheld on every topic below, deletions too', async () => {
    const world = await createWorld(server, ann);
    const { campaign, settlement, structure } = world;
    await addMember(server, ann, campaign, bob);
    await must(server, ann, 'DELETE', `${membersOf(campaign)}/${bob.id}`);
    await must(server, ann, 'PATCH', `/settlements/${settlement.id}`, { version: 1, level: 1 });
    await must(server, ann, 'PATCH', `/structures/${structure.id}`, { version: 1, level: 1 });
    await must(server, ann, 'DELETE', `/kingdoms/${world.kingdom.id}`);
    const [, ...below] = topicsOf(world);
    const rows = await queryRows<{ type: string; operation: string; withheld_from: string[] | null }>(
      server.db,
      sql`SELECT type, payload->>'operation' AS operation, withheld_from FROM events
        WHERE topic IN (${below[0]}, ${below[1]}) ORDER BY topic, seq`,
    );
    const events = [
      ['settlement.updated', 'updated'], // on the settlement
      ['structure.updated', 'updated'],
      ['settlement.updated', 'deleted'],
      ['structure.updated', 'updated'], // on the structure
      ['structure.updated', 'deleted'],
    ] as const;
    expect(rows).toEqual(events.map(([type, operation]) => ({ type, operation, withheld_from: [bob.id] })));
  });

  test('withheld from are at most the 1,000 who left last, and of a deletion of many topics fewer of them', async () => {
    const { campaign, kingdom, settlement } = await createWorld(server, ann);
    await server.db.execute(sql`
      WITH crowd AS (
        INSERT INTO users
        SELECT (jsonb_populate_record(users, jsonb_build_object(
          'id', gen_random_uuid(), 'email', gen_random_uuid() || '@example.com', 'name', n))).*
        FROM users, generate_series(1, 1002) AS n WHERE users.id = ${ann.id}
        RETURNING id, name
      )
      INSERT INTO campaign_departures (campaign_id, user_id, left_at)
      SELECT ${campaign.id}, id, now() - make_interval(secs => name::int) FROM crowd`);
    const withheld = async (topic: string) => {
      const rows = await queryRows<{ name: string }>(
        server.db,
        sql`SELECT users.name FROM events, unnest(withheld_from) AS w(id) JOIN users ON users.id = w.id::uuid
          WHERE topic = ${topic} AND seq = (SELECT max(seq) FROM events WHERE topic = ${topic}) ORDER BY name::int`,
      );
      return rows.map(({ name }) => Number(name));
    };
    const newest = (count: number) => Array.from({ length: count }, (_, n) => n + 1);
    await must(server, ann, 'PATCH', `/settlements/${settlement.id}`, { version: 1, level: 1 });
    expect(await withheld(settlementTopic(settlement.id))).toEqual(newest(1_000));
    await fill(server, campaign.id, { structures: 498 });
    await must(server, ann, 'DELETE', `/kingdoms/${kingdom.id}`);
    expect(await withheld(settlementTopic(settlement.id))).toEqual(newest(500));
  });

  test('[S7] what is done at once with a removal is heard before it, or not at all', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { campaign } = await createWorld(server, ann);
      await addMember(server, ann, campaign, bob);
      const client = await server.connect(bob);
      await client.subscribe(campaignTopic(campaign.id));
      const advance = () =>
        attempt(server, ann, 'POST', `/campaigns/${campaign.id}/time`, { advanceSeconds: 1 });
      const first = [advance(), advance()];
      const removal = attempt(server, ann, 'DELETE', `${membersOf(campaign)}/${bob.id}`);
      await Promise.all([...first, removal, ...Array.from({ length: 8 }, advance)]);
      await client.next('unsubscribed');
      await client.request('ping');
      const heard = client.frames.filter(({ seq }) => seq !== undefined);
      expect(heard.at(-1)?.payload).toMatchObject({ entityId: bob.id, operation: 'deleted' });
      client.close();
    }
  });

  test('what comes behind a removal is withheld, until they come back', async () => {
    const { campaign, settlement } = await createWorld(server, ann);
    await addMember(server, ann, campaign, bob);
    const withheld = async () => {
      const rows = await queryRows<{ withheld_from: string[] | null }>(
        server.db,
        sql`SELECT withheld_from FROM events WHERE topic = ${settlementTopic(settlement.id)} ORDER BY seq DESC LIMIT 1`,
      );
      return rows[0]?.withheld_from;
    };
    let version = 0;
    const change = async () => {
      version += 1;
      await must(server, ann, 'PATCH', `/settlements/${settlement.id}`, { version, level: version });
      return await withheld();
    };
    expect(await change()).toBeNull();
    await must(server, ann, 'DELETE', `${membersOf(campaign)}/${bob.id}`);
    expect(await change()).toEqual([bob.id]);
    await addMember(server, ann, campaign, bob);
    expect(await change()).toBeNull();
    const client = await server.connect(bob);
    await client.subscribe(settlementTopic(settlement.id));
    await must(server, bob, 'DELETE', `${membersOf(campaign)}/${bob.id}`);
    expect(await change()).toEqual([bob.id]);
    // An hour later every instance knows it.
    await server.db.execute(
      sql`UPDATE campaign_departures SET left_at = now() - interval '61 minutes' WHERE campaign_id = ${campaign.id}`,
    );
    expect(await change()).toBeNull();
    await addMember(server, ann, campaign, cid);
    await must(server, ann, 'DELETE', `${membersOf(campaign)}/${cid.id}`);
    const [left] = await queryRows<{ count: number }>(
      server.db,
      sql`SELECT count(*)::int AS count FROM campaign_departures WHERE campaign_id = ${campaign.id}`,
    );
    expect(left?.count).toBe(1);
    await client.next('unsubscribed');
    expect(client.frames.filter(({ seq }) => seq !== undefined)).toEqual([]);
    client.close();
  });

  test('everyone but the owner may leave; who is no member cannot be removed', async () => {
    const campaign = await createCampaign(server, ann);
    await addMember(server, ann, campaign, bob);
    const leave = (user: TestUser) => attempt(server, user, 'DELETE', `${membersOf(campaign)}/${user.id}`);
    expect((await leave(bob)).status).toBe(200);
    expect((await leave(bob)).status).toBe(404);
    const refused = await leave(ann);
    expect(refused.body.error).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('Hand it over'),
    });
    expect((await attempt(server, ann, 'DELETE', `${membersOf(campaign)}/${cid.id}`)).status).toBe(404);
  });

  test('the owner hands over to a member, becomes an editor, and may leave then', async () => {
    const campaign = await createCampaign(server, ann);
    const [dan] = await registerAll(server, 'Dan');
    await addMember(server, ann, campaign, dan);
    const path = `/campaigns/${campaign.id}/owner`;
    const { seq: head = 0 } = (await newest(campaignTopic(campaign.id))) ?? {};
    expect(await must(server, ann, 'POST', path, { userId: ann.id })).toEqual(campaign);
    expect((await attempt(server, ann, 'POST', path, { userId: cid.id })).status).toBe(404);
    expect(await eventsOf(server, campaignTopic(campaign.id), head)).toEqual([]);
    const handed = await must(server, ann, 'POST', path, { userId: dan.id });
    expect(handed).toEqual({ ...campaign, ownerId: dan.id, version: 2 });
    const events = await eventsOf(server, campaignTopic(campaign.id), head);
    expect(
      events.map(({ payload }) => [payload.entityType, payload.entityId, payload.changedFields]),
    ).toEqual([
      ['member', ann.id, ['role']],
      ['member', dan.id, ['role']],
      ['campaign', campaign.id, ['ownerId']],
    ]);
    expect(events.map(({ payload }) => payload.entity.role ?? payload.entity.ownerId)).toEqual([
      'editor',
      'owner',
      dan.id,
    ]);
    expect((await attempt(server, ann, 'POST', path, { userId: ann.id })).status).toBe(403);
    expect((await attempt(server, ann, 'DELETE', `${membersOf(campaign)}/${ann.id}`)).status).toBe(200);
    expect(await must(server, dan, 'GET', `/campaigns/${campaign.id}`)).toEqual(handed);
  });

  test('a disabled user or one who owns 50 campaigns cannot become the owner', async () => {
    const campaign = await createCampaign(server, ann);
    const [full, off] = await registerAll(server, 'Full', 'Off');
    for (const user of [full, off]) await addMember(server, ann, campaign, user);
    await server.db.execute(sql`UPDATE users SET disabled_at = now() WHERE id = ${off.id}`);
    await server.db.execute(sql`
      INSERT INTO campaigns (id, name, description, owner_id, world_time)
      SELECT gen_random_uuid(), 'x', '', ${full.id}, now() FROM generate_series(1, 50)`);
    const path = `/campaigns/${campaign.id}/owner`;
    expect((await attempt(server, ann, 'POST', path, { userId: off.id })).status).toBe(400);
    const refused = await attempt(server, ann, 'POST', path, { userId: full.id });
    expect(refused.body.error).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('50 campaigns'),
    });
    expect((await must(server, ann, 'GET', `/campaigns/${campaign.id}`)).ownerId).toBe(ann.id);
  });

  if (database.kind === 'embedded') return; // it belongs to one instance

  describeWith('with Redis', redisMissing, () => {
    test('[S7] who is removed on one instance loses every topic on the other within a second', async () => {
      const redis = await startRedis();
      const first = await open({ REDIS_URL: redis.url });
      const second = await open(first.env);
      const [dan, eve] = await registerAll(first, 'Dan', 'Eve');
      const world = await createWorld(first, dan);
      await addMember(first, dan, world.campaign, eve);
      const client = await second.connect(eve);
      for (const topic of topicsOf(world)) await client.subscribe(topic);
      const startedAt = performance.now();
      await must(first, dan, 'DELETE', `${membersOf(world.campaign)}/${eve.id}`);
      await must(first, dan, 'PATCH', `/settlements/${world.settlement.id}`, { version: 1, level: 9 });
      for (const topic of topicsOf(world)) {
        await client.next((frame) => frame.type === 'unsubscribed' && frame.topic === topic);
      }
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      await client.request('ping');
      expect(client.frames.filter(({ type }) => type === 'settlement.updated')).toEqual([]);
      client.close();
      await redis.stop();
    });
  });
});
