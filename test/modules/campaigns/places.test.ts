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
  refusalOf,
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

  const malformed: [string, object][] = [
    ['level 101', { level: 101 }],
    ['level −1', { level: -1 }],
    ['level 1.5', { level: 1.5 }],
    ['a variable without a schema', { variables: { a: 1 } }],
    [
      'a variable that does not fit',
      { variables: { a: 'x' }, variableSchemas: [{ name: 'a', type: 'number' }] },
    ],
    ['a variable that is null', { variables: { a: null }, variableSchemas: [{ name: 'a', type: 'string' }] }],
    ['a variable that is a list', { variables: { a: [] }, variableSchemas: [{ name: 'a', type: 'string' }] }],
    ['a variable with a NUL', { variables: { a: '\0' }, variableSchemas: [{ name: 'a', type: 'string' }] }],
    [
      'a variable with half a surrogate pair',
      { variables: { a: '\ud800' }, variableSchemas: [{ name: 'a', type: 'string' }] },
    ],
    [
      'a variable called __proto__',
      JSON.parse('{"variables":{"__proto__":1},"variableSchemas":[{"name":"a","type":"number"}]}'),
    ],
    ['a schema called __proto__', { variableSchemas: [{ name: '__proto__', type: 'number' }] }],
    ['a schema of no type', { variableSchemas: [{ name: 'a', type: 'list' }] }],
    ['a bound of a string', { variableSchemas: [{ name: 'a', type: 'string', max: 1 }] }],
    ['bounds the wrong way round', { variableSchemas: [{ name: 'a', type: 'number', min: 2, max: 1 }] }],
    ['a choice without options', { variableSchemas: [{ name: 'a', type: 'enum', options: [] }] }],
    [
      'a choice with an option twice',
      { variableSchemas: [{ name: 'a', type: 'enum', options: ['x', 'x'] }] },
    ],
    [
      'two schemas of one name',
      {
        variableSchemas: [
          { name: 'a', type: 'string' },
          { name: 'a', type: 'string' },
        ],
      },
    ],
    [
      '33 schemas',
      { variableSchemas: Array.from({ length: 33 }, (_, n) => ({ name: `v${n}`, type: 'string' })) },
    ],
    ['33 variables', { variables: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`v${n}`, n])) }],
    ['a field that nobody knows', { kingdom: 1 }],
  ];

  test.each(malformed)('%s is invalid, in a settlement and a structure, new or there', async (_, given) => {
    const structure = await createStructure(server, ann, settlement);
    for (const [method, path, body] of [
      ['POST', `/kingdoms/${kingdom.id}/settlements`, { name: 'x', ...given }],
      ['PATCH', `/settlements/${settlement.id}`, { version: 1, ...given }],
      ['POST', `/settlements/${settlement.id}/structures`, { name: 'x', type: 'x', ...given }],
      ['PATCH', `/structures/${structure.id}`, { version: 1, ...given }],
    ] as const) {
      const { status, body: answer } = await attempt(server, ann, method, path, body);
      expect([method, status, answer.error?.code]).toEqual([method, 400, 'invalid']);
      expect(answer.error.details).not.toBeEmpty();
    }
  });

  test('variables of more than 4 KiB together, and schemas of more than 16 KiB, are conflicts that name the limit', async () => {
    const options = Array.from({ length: 50 }, (_, n) => `${n}`.padEnd(100, '€'));
    for (const [given, limit] of [
      [
        {
          variables: { a: 'x'.repeat(2_000), b: '€'.repeat(700) },
          variableSchemas: ['a', 'b'].map((name) => ({ name, type: 'string' })),
        },
        '4096 bytes',
      ],
      [{ variableSchemas: ['a', 'b'].map((name) => ({ name, type: 'enum', options })) }, '16384 bytes'],
    ] as const) {
      for (const [method, path] of [
        ['POST', `/kingdoms/${kingdom.id}/settlements`],
        ['PATCH', `/settlements/${settlement.id}`],
      ] as const) {
        const body = method === 'POST' ? { name: 'x', ...given } : { version: 1, ...given };
        expect(refusalOf(await attempt(server, ann, method, path, body))).toEqual([
          409,
          'conflict',
          expect.stringContaining(limit),
        ]);
      }
    }
  });

  test('new schemas that present variables do not fit are invalid, unless the same change mends them', async () => {
    const place = await createSettlement(server, ann, kingdom, {
      variables: { population: 120 },
      variableSchemas: schemas,
    });
    const path = `/settlements/${place.id}`;
    const patch = (body: object) => attempt(server, ann, 'PATCH', path, { version: 1, ...body });
    const narrow = [{ name: 'population', type: 'number', max: 100 }];
    const refused = await patch({ variableSchemas: narrow });
    expect([refused.status, refused.body.error.details]).toEqual([
      400,
      [{ path: '/body/variables/population', message: 'Expected at most 100' }],
    ]);
    expect((await patch({ variableSchemas: [] })).status).toBe(400);
    expect((await patch({ variables: { population: 1_001 } })).status).toBe(400);
    expect(await eventsOf(server, settlementTopic(place.id))).toEqual([]);
    const mended = await patch({ variableSchemas: narrow, variables: { population: 100 } });
    expect(outputOf(mended.body)).toEqual({
      ...place,
      variables: { population: 100 },
      variableSchemas: narrow,
      version: 2,
    });
    // A schema may stand without its variable, and all of them go with what takes their place.
    const emptied = await must(server, ann, 'PATCH', path, { version: 2, variables: {} });
    expect(emptied.variables).toEqual({});
    expect(
      (await must(server, ann, 'PATCH', path, { version: 3, variableSchemas: [] })).variableSchemas,
    ).toEqual([]);
  });

  test('numbers and texts of any kind come back as they were given', async () => {
    const variables = {
      huge: 1e308,
      tiny: 5e-324,
      third: 1 / 3,
      whole: Number.MAX_SAFE_INTEGER,
      text: '\u0001 "quoted" \\ 🎉\n',
      toString: 'mine',
    };
    const variableSchemas = Object.entries(variables).map(([name, value]) => ({ name, type: typeof value }));
    const made = await createStructure(server, ann, settlement, { variables, variableSchemas });
    expect(made.variables).toEqual(variables as unknown as typeof made.variables); // a name that objects have, too
    expect(await must(server, ann, 'GET', `/structures/${made.id}`)).toEqual(made);
    const same = await must(server, ann, 'PATCH', `/structures/${made.id}`, { version: 1, variables });
    expect(same).toEqual(made);
  });
});
