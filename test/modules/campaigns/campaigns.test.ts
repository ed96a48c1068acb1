// Campaigns as a whole: what is created, shown, changed and deleted, and what their followers hear of it.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { campaignTopic, settlementTopic, structureTopic } from '../../../src/modules/campaigns/contract.ts';
import { maxCampaignsAround } from '../../../src/modules/campaigns/topics.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  addMember,
  attempt,
  createCampaign,
  createKingdom,
  createSettlement,
  createStructure,
  createWorld,
  eventsOf,
  must,
  refusalOf,
  registerAll,
  typesOf,
} from './setup.ts';

onEachDatabase('campaigns', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const auditOf = (campaignId: string) =>
    queryRows<{ event: string; user_id: string; details: object }>(
      server.db,
      sql`SELECT event, user_id, details FROM audit_log WHERE details->>'campaignId' = ${campaignId} ORDER BY at, id`,
    );

  test('who creates one owns it, is its first member, and hears of it', async () => {
    const campaign = await createCampaign(server, ann, {
      description: 'Snow\nand more snow',
      worldTime: '1203-04-05T06:00:00Z',
    });
    expect(campaign).toEqual({
      id: campaign.id,
      name: 'The long winter',
      description: 'Snow\nand more snow',
      ownerId: ann.id,
      worldTime: '1203-04-05T06:00:00.000Z',
      version: 1,
    });
    const path = `/campaigns/${campaign.id}`;
    expect(await must(server, ann, 'GET', path)).toEqual(campaign);
    const { items: members } = await must(server, ann, 'GET', `${path}/members`);
    expect(members).toEqual([{ userId: ann.id, role: 'owner', joinedAt: expect.any(String) }]);
    const events = await eventsOf(server, campaignTopic(campaign.id));
    expect(events.map(({ type, payload }) => [type, payload])).toEqual([
      [
        'entity.updated',
        {
          entityType: 'campaign',
          entityId: campaign.id,
          operation: 'created',
          changedFields: [],
          version: 1,
          entity: campaign,
        },
      ],
      [
        'entity.updated',
        {
          entityType: 'member',
          entityId: ann.id,
          operation: 'created',
          changedFields: [],
          version: null,
          entity: members[0],
        },
      ],
    ]);
    expect((await eventsOf(server, userTopic(ann.id))).at(-1)).toMatchObject({
      type: 'campaign.added',
      payload: { campaign },
    });
    expect(await auditOf(campaign.id)).toMatchObject([{ event: 'campaign_created', user_id: ann.id }]);
  });

  test('without a world time it begins now, by the clock of the database, and without a description with none', async () => {
    const [before] = await queryRows<{ now: string }>(server.db, sql`SELECT now()::text AS now`);
    const { worldTime, description } = await createCampaign(server, ann);
    expect(description).toBe('');
    expect(worldTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const sinceMs = Date.parse(worldTime) - Date.parse(before?.now ?? '');
    expect(sinceMs).toBeGreaterThanOrEqual(-1);
    expect(sinceMs).toBeLessThan(10_000);
  });

  test.each([
    ['no name', {}],
    ['a name of spaces', { name: '  ' }],
    ['a name of two lines', { name: 'a\nb' }],
    ['a name of 101 characters', { name: 'a'.repeat(101) }],
    ['half a surrogate pair', { name: 'a\ud800' }],
    ['a NUL', { name: 'a', description: 'a\0' }],
    ['a description of 2,001 characters', { name: 'a', description: 'a'.repeat(2_001) }],
    ['a world time that is none', { name: 'a', worldTime: '2026-02-30T00:00:00Z' }],
    ['the year 0', { name: 'a', worldTime: '0000-12-31T00:00:00Z' }],
    ['the year 10000', { name: 'a', worldTime: '10000-01-01T00:00:00Z' }],
    ['a field that nobody knows', { name: 'a', ownerId: 'x' }],
  ])('%s is invalid', async (_, body) => {
    expect(refusalOf(await attempt(server, ann, 'POST', '/campaigns', body)).slice(0, 2)).toEqual([
      400,
      'invalid',
    ]);
  });

  test('[K1] with a key it is created once', async () => {
    const create = (name: string) =>
      attempt(server, ann, 'POST', '/campaigns', { name }, { 'Idempotency-Key': 'one campaign' });
    const [first, again] = [await create('One'), await create('One')];
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    expect((await create('Two')).status).toBe(409);
  });

  test('mine are listed newest first, page by page, with my role', async () => {
    const [dan, eve] = await registerAll(server, 'Dan', 'Eve');
    const made = [];
    for (const owner of [dan, eve, dan]) made.push(await createCampaign(server, owner));
    const [, ofEve] = made;
    if (ofEve !== undefined) await addMember(server, eve, ofEve, dan, 'editor');
    const first = await must(server, dan, 'GET', '/campaigns?limit=2');
    const second = await must(server, dan, 'GET', `/campaigns?limit=2&cursor=${first.nextCursor}`);
    const roles = ['owner', 'editor', 'owner'] as const;
    expect([...first.items, ...second.items]).toEqual(
      made.map((campaign, n) => ({ ...campaign, role: roles[n] })).reverse(),
    );
    expect(second.nextCursor).toBeNull();
    expect((await must(server, cid, 'GET', '/campaigns')).items).toEqual([]);
    const { status } = await attempt(server, dan, 'GET', '/campaigns?cursor=x');
    expect(status).toBe(400);
  });

  test('a change says what changed, and what changes nothing is no event', async () => {
    const campaign = await createCampaign(server, ann);
    const path = `/campaigns/${campaign.id}`;
    const changed = await must(server, ann, 'PATCH', path, {
      version: 1,
      name: 'The short summer',
      description: '',
    });
    expect(changed).toEqual({ ...campaign, name: 'The short summer', version: 2 });
    expect(await must(server, ann, 'PATCH', path, { version: 2, name: 'The short summer' })).toEqual(changed);
    expect(await must(server, ann, 'PATCH', path, { version: 2 })).toEqual(changed);
    const events = await eventsOf(server, campaignTopic(campaign.id), 2);
    expect(events.map(({ payload }) => payload)).toEqual([
      {
        entityType: 'campaign',
        entityId: campaign.id,
        operation: 'updated',
        changedFields: ['name'],
        version: 2,
        entity: changed,
      },
    ]);
  });

  test('a change of an older version is a conflict that shows the present one', async () => {
    const campaign = await createCampaign(server, ann);
    const path = `/campaigns/${campaign.id}`;
    const present = await must(server, ann, 'PATCH', path, { version: 1, name: 'Second' });
    for (const version of [1, 3]) {
      const { status, body } = await attempt(server, ann, 'PATCH', path, { version, name: 'Third' });
      expect([status, body.error.code, body.error.details]).toEqual([409, 'conflict', present]);
    }
    expect((await attempt(server, ann, 'PATCH', path, { name: 'Third' })).status).toBe(400);
    expect(await eventsOf(server, campaignTopic(campaign.id), 3)).toEqual([]);
  });

  test('the tree has everything in its place, without variables; a snapshot has the same in flat lists', async () => {
    const { campaign, kingdom, settlement, structure } = await createWorld(server, ann);
    const empty = await createKingdom(server, ann, campaign);
    const second = await createSettlement(server, ann, kingdom, {
      level: 7,
      variables: { open: true },
      variableSchemas: [{ name: 'open', type: 'boolean' }],
    });
    const other = await createStructure(server, ann, settlement, { type: 'inn' });
    const face = <Whole extends object>(whole: Whole) => {
      const { variables: _, variableSchemas: __, ...rest } = whole as Whole & Record<string, unknown>;
      return rest;
    };
    expect(await must(server, ann, 'GET', `/campaigns/${campaign.id}/tree`)).toEqual({
      campaign,
      kingdoms: [
        {
          ...kingdom,
          settlements: [
            { ...face(settlement), structures: [face(structure), face(other)] },
            { ...face(second), structures: [] },
          ],
        },
        { ...empty, settlements: [] },
      ],
    });
    const client = await server.connect(ann);
    const { snapshot } = await client.subscribe(campaignTopic(campaign.id), { snapshot: true });
    expect(snapshot).toEqual({
      campaign,
      members: [{ userId: ann.id, role: 'owner', joinedAt: expect.any(String) }],
      kingdoms: [kingdom, empty],
      settlements: [face(settlement), face(second)],
      structures: [face(structure), face(other)],
    });
    const whole = await client.subscribe(settlementTopic(second.id), { snapshot: true });
    expect(whole.snapshot).toEqual(second);
    const one = await client.subscribe(structureTopic(structure.id), { snapshot: true });
    expect(one.snapshot).toEqual(structure);
    client.close();
  });

  test('a deletion takes everything along, says so of each, children first, and ends every topic for everyone', async () => {
    const { campaign, kingdom, settlement, structure } = await createWorld(server, ann);
    await addMember(server, ann, campaign, bob);
    const topics = [campaignTopic(campaign.id), settlementTopic(settlement.id), structureTopic(structure.id)];
    const follower = await server.connect(bob);
    for (const topic of topics) await follower.subscribe(topic);
    const { seq: head = 0 } = (await eventsOf(server, topics[0] ?? '')).at(-1) ?? {};
    const client = await server.connect(ann);
    const reply = await client.request('campaign.delete', { campaignId: campaign.id });
    expect(reply.payload).toMatchObject({ id: campaign.id });
    for (const topic of topics) {
      const out = await follower.next((frame) => frame.type === 'unsubscribed' && frame.topic === topic);
      expect(out.payload).toEqual({ reason: 'forbidden' });
    }
    const gone = (entityType: string, entityId: string) => [
      'entity.updated',
      { entityType, entityId, operation: 'deleted', changedFields: [], version: 1, entity: null },
    ];
    const stale = (scope: string, key: string) => [
      'state.invalidated',
      { scope, keys: [key], reason: 'entity.updated' },
    ];
    const events = await eventsOf(server, campaignTopic(campaign.id), head);
    expect(events.map(({ type, payload }) => [type, payload])).toEqual([
      gone('structure', structure.id),
      gone('settlement', settlement.id),
      gone('kingdom', kingdom.id),
      stale('structure', `structure:${structure.id}`),
      stale('settlement', `settlement:${settlement.id}`),
      stale('campaign', `kingdom:${kingdom.id}`),
      stale('campaign', `campaign:${campaign.id}`),
      gone('campaign', campaign.id),
    ]);
    for (const [topic, type] of [
      [settlementTopic(settlement.id), 'settlement.updated'],
      [structureTopic(structure.id), 'structure.updated'],
    ] as const) {
      const own = await eventsOf(server, topic);
      expect(own.map((event) => [event.type, event.payload.operation])).toEqual([[type, 'deleted']]);
      // All of it was heard before the end.
      const heard = follower.frames.filter((frame) => frame.topic === topic && frame.seq !== undefined);
      expect(heard).toEqual(own);
    }
    for (const user of [ann, bob]) {
      expect((await eventsOf(server, userTopic(user.id))).at(-1)).toMatchObject({
        type: 'campaign.removed',
        payload: { campaignId: campaign.id },
      });
      for (const path of [
        `/campaigns/${campaign.id}`,
        `/campaigns/${campaign.id}/tree`,
        `/kingdoms/${kingdom.id}`,
        `/settlements/${settlement.id}`,
        `/structures/${structure.id}`,
      ]) {
        expect([path, (await attempt(server, user, 'GET', path)).status]).toEqual([path, 404]);
      }
      expect((await follower.request('subscribe', {}, { topic: topics[0] })).error.code).toBe('forbidden');
    }
    expect((await auditOf(campaign.id)).map(({ event }) => event)).toEqual([
      'campaign_created',
      'campaign_member_added',
      'campaign_deleted',
    ]);
    for (const each of [follower, client]) each.close();
  });

  test('viewers read, editors write, and only the owner deletes, adds, removes and hands over', async () => {
    const { campaign, kingdom, settlement, structure } = await createWorld(server, ann);
    await addMember(server, ann, campaign, bob, 'viewer');
    await addMember(server, ann, campaign, cid, 'editor');
    const [stranger] = await registerAll(server, 'Stranger');
    const ofCampaign = `/campaigns/${campaign.id}`;
    const readings = [
      ofCampaign,
      `${ofCampaign}/tree`,
      `${ofCampaign}/members`,
      `${ofCampaign}/members/${ann.id}`,
      `${ofCampaign}/kingdoms`,
      `/kingdoms/${kingdom.id}`,
      `/kingdoms/${kingdom.id}/settlements`,
      `/settlements/${settlement.id}`,
      `/settlements/${settlement.id}/structures`,
      `/structures/${structure.id}`,
    ];
    for (const path of readings) {
      const asked = [bob, cid, stranger].map((user) => attempt(server, user, 'GET', path));
      const statuses = (await Promise.all(asked)).map(({ status }) => status);
      expect([path, statuses]).toEqual([path, [200, 200, 404]]);
    }
    type Write = [method: string, path: string, body?: object];
    const version = 1;
    const ofOwner: Write[] = [
      ['POST', `${ofCampaign}/members`, { userId: stranger.id }],
      ['PATCH', `${ofCampaign}/members/${bob.id}`, { role: 'editor' }],
      ['DELETE', `${ofCampaign}/members/${ann.id}`],
      ['POST', `${ofCampaign}/owner`, { userId: cid.id }],
      ['DELETE', ofCampaign],
    ];
    const ofEditors: Write[] = [
      ['PATCH', ofCampaign, { version, name: 'Changed' }],
      ['POST', `${ofCampaign}/time`, { advanceSeconds: 1 }],
      ['POST', `${ofCampaign}/kingdoms`, { name: 'New' }],
      ['PATCH', `/kingdoms/${kingdom.id}`, { version, name: 'Changed' }],
      ['POST', `/kingdoms/${kingdom.id}/settlements`, { name: 'New' }],
      ['PATCH', `/settlements/${settlement.id}`, { version, name: 'Changed' }],
      ['POST', `/settlements/${settlement.id}/structures`, { name: 'New', type: 'inn' }],
      ['PATCH', `/structures/${structure.id}`, { version, name: 'Changed' }],
      ['DELETE', `/structures/${structure.id}`],
      ['DELETE', `/settlements/${settlement.id}`],
      ['DELETE', `/kingdoms/${kingdom.id}`],
    ];
    const { seq: head = 0 } = (await eventsOf(server, campaignTopic(campaign.id))).at(-1) ?? {};
    for (const write of [...ofOwner, ...ofEditors]) {
      expect([write, (await attempt(server, stranger, ...write)).status]).toEqual([write, 404]);
      const { status, body } = await attempt(server, bob, ...write);
      expect([write, status, body.error?.code]).toEqual([write, 403, 'forbidden']);
    }
    for (const write of ofOwner) {
      expect([write, (await attempt(server, cid, ...write)).status]).toEqual([write, 403]);
    }
    expect(await eventsOf(server, campaignTopic(campaign.id), head)).toEqual([]);
    for (const write of ofEditors) {
      const { status } = await attempt(server, cid, ...write);
      expect([write, status < 300]).toEqual([write, true]);
    }
  });

  test('who is no member may follow none of its topics', async () => {
    const { campaign, settlement, structure } = await createWorld(server, ann);
    const client = await server.connect(bob);
    for (const topic of [
      campaignTopic(campaign.id),
      settlementTopic(settlement.id),
      structureTopic(structure.id),
    ]) {
      expect((await client.request('subscribe', {}, { topic })).error.code).toBe('forbidden');
    }
    await addMember(server, ann, campaign, bob);
    const topics = [campaignTopic(campaign.id), settlementTopic(settlement.id), structureTopic(structure.id)];
    for (const topic of topics) await client.subscribe(topic, { since: 0 });
    client.close();
  });

  test('a new name of a member is announced in their campaigns, the newest, and in no other', async () => {
    const [dan] = await registerAll(server, 'Dan');
    const own = await createCampaign(server, dan);
    const foreign = await createCampaign(server, ann);
    await must(server, dan, 'PATCH', '/users/me', { name: 'Daniel' });
    const event = (await eventsOf(server, campaignTopic(own.id))).at(-1);
    expect(event).toMatchObject({
      type: 'profile.updated',
      payload: { id: dan.id, name: 'Daniel', avatarUrl: null },
    });
    expect((await eventsOf(server, userTopic(dan.id))).at(-1)?.id).toBe(event?.id ?? '');
    expect(typesOf(await eventsOf(server, campaignTopic(foreign.id)))).not.toContain('profile.updated');
    await server.db.execute(sql`
      WITH made AS (
        INSERT INTO campaigns (id, name, description, owner_id, world_time)
        SELECT ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'x', '', ${ann.id}, now()
        FROM generate_series(1, ${maxCampaignsAround}::int) AS n RETURNING id)
      INSERT INTO campaign_members (campaign_id, user_id, role, joined_at)
      SELECT id, ${dan.id}, 'viewer', now() FROM made`);
    await must(server, dan, 'PATCH', '/users/me', { name: 'Dani' });
    const [count] = await queryRows<{ topics: number }>(
      server.db,
      sql`SELECT count(*)::int AS topics FROM events WHERE type = 'profile.updated'
        AND topic LIKE 'campaign:%' AND payload->>'name' = 'Dani'`,
    );
    expect(count?.topics).toBe(maxCampaignsAround);
    expect((await eventsOf(server, campaignTopic(own.id))).at(-1)?.payload.name).toBe('Daniel');
  });
});
