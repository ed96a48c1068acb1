// Kingdoms, settlements and structures: what is created, shown, changed and deleted, and which topics hear of it.

import { beforeAll, expect, test } from 'bun:test';
import {
  type Campaign,
  campaignTopic,
  type Kingdom,
  type Settlement,
  settlementTopic,
  structureTopic,
} from '../../../src/modules/campaigns/contract.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  attempt,
  createCampaign,
  createKingdom,
  createSettlement,
  createStructure,
  createWorld,
  eventsOf,
  must,
  outputOf,
  registerAll,
  unknownId,
} from './setup.ts';

onEachDatabase('places in campaigns', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let campaign: Campaign;
  let kingdom: Kingdom;
  let settlement: Settlement;

  beforeAll(async () => {
    server = await open();
    [ann] = await registerAll(server, 'Ann');
    campaign = await createCampaign(server, ann);
    kingdom = await createKingdom(server, ann, campaign);
    settlement = await createSettlement(server, ann, kingdom);
  });

  const headOf = async (topic: string) => (await eventsOf(server, topic)).at(-1)?.seq ?? 0;
  const schemas = [
    { name: 'population', type: 'number', min: 0, max: 1_000 },
    { name: 'mood', type: 'enum', options: ['calm', 'wild'] },
    { name: 'open', type: 'boolean' },
    { name: 'motto', type: 'string' },
  ];

  test('what is created is announced whole on the campaign, and on no other topic', async () => {
    const head = await headOf(campaignTopic(campaign.id));
    const one = await createKingdom(server, ann, campaign);
    expect(one).toEqual({
      id: one.id,
      campaignId: campaign.id,
      name: 'Northmark',
      version: 1,
      createdAt: expect.any(String),
      updatedAt: one.createdAt,
    });
    const two = await createSettlement(server, ann, one, {
      level: 3,
      variables: { population: 120, mood: 'calm' },
      variableSchemas: schemas,
    });
    expect(two).toEqual({
      id: two.id,
      kingdomId: one.id,
      name: 'Harrow',
      level: 3,
      version: 1,
      variables: { population: 120, mood: 'calm' },
      variableSchemas: schemas,
    } as Settlement); // as the test made it
    const three = await createStructure(server, ann, two);
    expect(three).toMatchObject({ settlementId: two.id, type: 'keep', level: 0, variables: {} });
    const events = await eventsOf(server, campaignTopic(campaign.id), head);
    expect(events.map(({ type, payload }) => [type, payload])).toEqual(
      (
        [
          ['kingdom', one],
          ['settlement', two],
          ['structure', three],
        ] as const
      ).map(([entityType, entity]) => [
        'entity.updated',
        { entityType, entityId: entity.id, operation: 'created', changedFields: [], version: 1, entity },
      ]),
    );
    expect(await eventsOf(server, settlementTopic(two.id))).toEqual([]);
    expect(await eventsOf(server, structureTopic(three.id))).toEqual([]);
    expect(await must(server, ann, 'GET', `/kingdoms/${one.id}`)).toEqual(one);
    expect(await must(server, ann, 'GET', `/settlements/${two.id}`)).toEqual(two);
    expect(await must(server, ann, 'GET', `/structures/${three.id}`)).toEqual(three);
  });

  test('each list is paged, oldest first, without variables', async () => {
    const own = await createCampaign(server, ann);
    const kingdoms = [];
    for (let n = 0; n < 3; n += 1) kingdoms.push(await createKingdom(server, ann, own));
    const [first] = kingdoms;
    if (first === undefined) throw new Error('There are no kingdoms.');
    const settlements = [];
    for (let n = 0; n < 3; n += 1) settlements.push(await createSettlement(server, ann, first));
    const [place] = settlements;
    if (place === undefined) throw new Error('There are no settlements.');
    const structures = [];
    for (let n = 0; n < 3; n += 1) structures.push(await createStructure(server, ann, place));
    const face = (whole: object) => {
      const {
        variables: _,
        variableSchemas: __,
        ...rest
      }: { variables?: unknown; variableSchemas?: unknown } = whole;
      return rest;
    };
    for (const [path, made] of [
      [`/campaigns/${own.id}/kingdoms`, kingdoms],
      [`/kingdoms/${first.id}/settlements`, settlements],
      [`/settlements/${place.id}/structures`, structures],
    ] as const) {
      const page = await must(server, ann, 'GET', `${path}?limit=2`);
      const rest = await must(server, ann, 'GET', `${path}?limit=2&cursor=${page.nextCursor}`);
      expect([page.items.length, rest.items.length, rest.nextCursor]).toEqual([2, 1, null]);
      expect([...page.items, ...rest.items]).toEqual(made.map(face));
      expect((await attempt(server, ann, 'GET', `${path}?cursor=e30`)).status).toBe(400);
    }
  });

  test('a kingdom is renamed; the same name again is no event, an older version a conflict', async () => {
    const made = await createKingdom(server, ann, campaign);
    const head = await headOf(campaignTopic(campaign.id));
    const path = `/kingdoms/${made.id}`;
    const changed = await must(server, ann, 'PATCH', path, { version: 1, name: 'Southmark' });
    expect(changed).toMatchObject({ name: 'Southmark', version: 2, createdAt: made.createdAt });
    expect(changed.updatedAt >= made.updatedAt).toBe(true);
    expect(await must(server, ann, 'PATCH', path, { version: 2, name: 'Southmark' })).toEqual(changed);
    const { status, body } = await attempt(server, ann, 'PATCH', path, { version: 1, name: 'Westmark' });
    expect([status, body.error.code, body.error.details]).toEqual([409, 'conflict', changed]);
    const events = await eventsOf(server, campaignTopic(campaign.id), head);
    expect(events.map(({ payload }) => payload)).toEqual([
      {
        entityType: 'kingdom',
        entityId: made.id,
        operation: 'updated',
        changedFields: ['name'],
        version: 2,
        entity: changed,
      },
    ]);
  });

  test('a changed settlement is one event on the campaign and on itself; its variables are stale by name', async () => {
    const made = await createSettlement(server, ann, kingdom, {
      variables: { population: 120, mood: 'calm', motto: 'Ever on' },
      variableSchemas: schemas,
    });
    const head = await headOf(campaignTopic(campaign.id));
    const client = await server.connect(ann);
    const variables = { population: 90, mood: 'calm', open: true };
    const update = { settlementId: made.id, version: 1, name: 'New Harrow', level: 0, variables };
    const reply = await client.request('settlement.update', update);
    const changed = { ...made, name: 'New Harrow', variables, version: 2 };
    expect(outputOf(reply.payload)).toEqual(changed);
    const events = await eventsOf(server, campaignTopic(campaign.id), head);
    const payload = {
      entityType: 'settlement',
      entityId: made.id,
      operation: 'updated',
      changedFields: ['name', 'variables'],
      version: 2,
      entity: changed,
    };
    expect(events.map((event) => [event.type, event.payload])).toEqual([
      ['settlement.updated', payload],
      [
        'state.invalidated',
        {
          scope: 'settlement',
          keys: ['motto', 'open', 'population'].map((name) => `settlement:${made.id}.variables.${name}`),
          reason: 'settlement.updated',
        },
      ],
    ]);
    const [own, ...others] = await eventsOf(server, settlementTopic(made.id));
    expect([own?.id, own?.seq, own?.payload, others]).toEqual([events[0]?.id, 1, payload, []]);
    // The order of the fields is nothing that changed.
    const same = { open: true, mood: 'calm', population: 90 };
    const again = { settlementId: made.id, version: 2, variables: same };
    expect(outputOf((await client.request('settlement.update', again)).payload)).toEqual(changed);
    const { error } = await client.request('settlement.update', { ...update, name: 'Late' });
    expect([error.code, error.details]).toEqual(['conflict', changed]);
    expect(await headOf(settlementTopic(made.id))).toBe(1);
    client.close();
  });

  test('a changed structure is one event on the campaign, its settlement and itself', async () => {
    const made = await createStructure(server, ann, settlement, { variableSchemas: schemas });
    const topics = [campaignTopic(campaign.id), settlementTopic(settlement.id), structureTopic(made.id)];
    const heads = await Promise.all(topics.map(headOf));
    const client = await server.connect(ann);
    const variables = { mood: 'wild' };
    const reply = await client.request('structure.update', {
      structureId: made.id,
      version: 1,
      type: 'ruin',
      variables,
    });
    const changed = { ...made, type: 'ruin', variables, version: 2 };
    expect(outputOf(reply.payload)).toEqual(changed);
    const [ofCampaign = [], ...below] = await Promise.all(
      topics.map((topic, n) => eventsOf(server, topic, heads[n])),
    );
    expect(ofCampaign[0]).toMatchObject({
      type: 'structure.updated',
      payload: { changedFields: ['type', 'variables'], version: 2, entity: changed },
    });
    expect(ofCampaign[1]?.payload).toEqual({
      scope: 'structure',
      keys: [`structure:${made.id}.variables.mood`],
      reason: 'structure.updated',
    });
    for (const events of below) expect(events.map(({ id }) => id)).toEqual([ofCampaign[0]?.id ?? '']);
    const { error } = await client.request('structure.update', {
      structureId: made.id,
      version: 1,
      level: 1,
    });
    expect([error.code, error.details]).toEqual(['conflict', changed]);
    client.close();
  });

  test('a deleted structure, settlement or kingdom is gone with all that is in it, and its topics end', async () => {
    const world = await createWorld(server, ann);
    const second = await createStructure(server, ann, world.settlement);
    const topic = campaignTopic(world.campaign.id);
    let head = await headOf(topic);
    const remove = async (path: string) => {
      const { id } = await must(server, ann, 'DELETE', path);
      expect(path).toEndWith(id);
      const events = await eventsOf(server, topic, head);
      head = events.at(-1)?.seq ?? 0;
      expect((await attempt(server, ann, 'GET', path)).status).toBe(404);
      expect((await attempt(server, ann, 'DELETE', path)).status).toBe(404);
      return events.map(({ payload }) => payload.entityId ?? payload.keys);
    };
    const follower = await server.connect(ann);
    await follower.subscribe(structureTopic(second.id));
    await follower.subscribe(settlementTopic(world.settlement.id));
    await follower.subscribe(structureTopic(world.structure.id));
    expect(await remove(`/structures/${world.structure.id}`)).toEqual([
      world.structure.id,
      [structureTopic(world.structure.id)],
    ]);
    const out = await follower.next('unsubscribed');
    expect(out.topic).toBe(structureTopic(world.structure.id));
    expect(await remove(`/settlements/${world.settlement.id}`)).toEqual([
      second.id,
      world.settlement.id,
      [structureTopic(second.id)],
      [settlementTopic(world.settlement.id)],
    ]);
    const ended = [await follower.next('unsubscribed'), await follower.next('unsubscribed')];
    expect(ended.map(({ topic }) => topic ?? '').sort()).toEqual(
      [structureTopic(second.id), settlementTopic(world.settlement.id)].sort(),
    );
    const place = await createSettlement(server, ann, world.kingdom);
    const inn = await createStructure(server, ann, place);
    head = await headOf(topic);
    expect(await remove(`/kingdoms/${world.kingdom.id}`)).toEqual([
      inn.id,
      place.id,
      world.kingdom.id,
      [structureTopic(inn.id)],
      [settlementTopic(place.id)],
      [`kingdom:${world.kingdom.id}`],
    ]);
    expect(await must(server, ann, 'GET', `/campaigns/${world.campaign.id}/tree`)).toEqual({
      campaign: world.campaign,
      kingdoms: [],
    });
    follower.close();
  });

  test('[K1] with a key each is created once', async () => {
    for (const [path, body] of [
      [`/campaigns/${campaign.id}/kingdoms`, { name: 'Once' }],
      [`/kingdoms/${kingdom.id}/settlements`, { name: 'Once' }],
      [`/settlements/${settlement.id}/structures`, { name: 'Once', type: 'inn' }],
    ] as const) {
      const create = () =>
        attempt(server, ann, 'POST', path, body, { 'Idempotency-Key': `once ${path.slice(-11)}` });
      const [first, again] = [await create(), await create()];
      expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    }
  });

  test('what is not there is not found, whatever is asked of it', async () => {
    for (const [method, path, body] of [
      ['POST', `/campaigns/${unknownId}/kingdoms`, { name: 'x' }],
      ['POST', `/kingdoms/${unknownId}/settlements`, { name: 'x' }],
      ['POST', `/settlements/${unknownId}/structures`, { name: 'x', type: 'x' }],
      ['PATCH', `/kingdoms/${unknownId}`, { version: 1 }],
      ['PATCH', `/settlements/${unknownId}`, { version: 1 }],
      ['PATCH', `/structures/${unknownId}`, { version: 1 }],
      ['DELETE', `/kingdoms/${unknownId}`],
      ['DELETE', `/settlements/${unknownId}`],
      ['DELETE', `/structures/${unknownId}`],
      ['GET', `/campaigns/${unknownId}/kingdoms`],
      ['GET', `/kingdoms/${unknownId}/settlements`],
      ['GET', `/settlements/${unknownId}/structures`],
    ] as const) {
      const { status } = await attempt(server, ann, method, path, body);
      expect([method, path, status]).toEqual([method, path, 404]);
    }
  });
});
