// How much there may be: each limit is hit through the API, and what is within all of them fits a snapshot and goes in one
// deletion.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import {
  type CampaignState,
  campaignTopic,
  maxFacesBytes,
  maxKingdoms,
  maxMembers,
  maxOwned,
  maxSettlements,
  maxStructures,
  settlementTopic,
  structureTopic,
} from '../../../src/modules/campaigns/contract.ts';
import { maxSnapshotBytes } from '../../../src/protocol/envelope.ts';
import { userTopic } from '../../../src/protocol/topics.ts';
import type { TestUser } from '../../support/api.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import {
  addCrowd,
  addMember,
  attempt,
  createCampaign,
  createKingdom,
  createSettlement,
  createStructure,
  eventsOf,
  fill,
  must,
  refusalOf,
  registerAll,
} from './setup.ts';

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

onEachDatabase('limits of campaigns', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob] = await registerAll(server, 'Ann', 'Bob');
  });

  const conflict = (message: string) => [409, 'conflict', expect.stringContaining(message)];
  const create = (path: string, body: object) => attempt(server, ann, 'POST', path, body);

  test('a user owns at most 50 campaigns, also when two come at once; handing one over makes room', async () => {
    const [dan, eve] = await registerAll(server, 'Dan', 'Eve');
    const first = await createCampaign(server, dan);
    await addMember(server, dan, first, eve);
    await server.db.execute(sql`
      INSERT INTO campaigns (id, name, description, owner_id, world_time)
      SELECT gen_random_uuid(), 'x', '', ${dan.id}, now() FROM generate_series(1, ${maxOwned - 2}::int)`);
    const more = () => attempt(server, dan, 'POST', '/campaigns', { name: 'One more' });
    const answers = await Promise.all([more(), more(), more()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    const refused = await more();
    expect(refusalOf(refused)).toEqual(conflict('50 campaigns'));
    await must(server, dan, 'POST', `/campaigns/${first.id}/owner`, { userId: eve.id });
    expect((await more()).status).toBe(201);
    expect((await more()).status).toBe(409);
  });

  test('two campaigns that are handed over to one user at once: only one comes to be the fiftieth', async () => {
    const [dan, heir] = await registerAll(server, 'Dan', 'Heir');
    const made = [await createCampaign(server, dan), await createCampaign(server, ann)];
    const owners = [dan, ann];
    await server.db.execute(sql`
      INSERT INTO campaigns (id, name, description, owner_id, world_time)
      SELECT gen_random_uuid(), 'x', '', ${heir.id}, now() FROM generate_series(1, ${maxOwned - 1}::int)`);
    for (const [n, campaign] of made.entries()) await addMember(server, owners[n] ?? ann, campaign, heir);
    const answers = await Promise.all(
      made.map(({ id }, n) =>
        attempt(server, owners[n] ?? ann, 'POST', `/campaigns/${id}/owner`, { userId: heir.id }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test('a campaign has at most 100 kingdoms, 500 settlements and 2,000 structures', async () => {
    const campaign = await createCampaign(server, ann);
    await fill(server, campaign.id, { kingdoms: maxKingdoms - 1 });
    const kingdom = await createKingdom(server, ann, campaign);
    expect(refusalOf(await create(`/campaigns/${campaign.id}/kingdoms`, { name: 'x' }))).toEqual(
      conflict('100 kingdoms'),
    );
    await fill(server, campaign.id, { settlements: maxSettlements - 1 });
    const settlement = await createSettlement(server, ann, kingdom);
    expect(refusalOf(await create(`/kingdoms/${kingdom.id}/settlements`, { name: 'x' }))).toEqual(
      conflict('500 settlements'),
    );
    await fill(server, campaign.id, { structures: maxStructures - 2 });
    const path = `/settlements/${settlement.id}/structures`;
    const answers = await Promise.all([0, 1, 2].map(() => create(path, { name: 'x', type: 'x' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409]);
    expect(refusalOf(await create(path, { name: 'x', type: 'x' }))).toEqual(conflict('2000 structures'));
    // Another campaign has room of its own.
    const other = await createCampaign(server, ann);
    await createStructure(
      server,
      ann,
      await createSettlement(server, ann, await createKingdom(server, ann, other)),
    );
  });

  test('[S3] names fill a campaign as well: what is over fits no more, and what is within fits a snapshot', async () => {
    const campaign = await createCampaign(server, ann, {
      name: '€'.repeat(100),
      description: '€'.repeat(2_000),
    });
    await addCrowd(server, campaign.id, ann, maxMembers - 1);
    const kingdom = await createKingdom(server, ann, campaign);
    const settlement = await createSettlement(server, ann, kingdom);
    // Quotes are two bytes as JSON, and these are one character of three bytes.
    const [name, type] = [`"${'€'.repeat(99)}`, '€'.repeat(50)];
    await fill(server, campaign.id, { structures: 800 }, { name, type });
    const path = `/settlements/${settlement.id}/structures`;
    let made = 0;
    for (;;) {
      const answer = await create(path, { name, type });
      if (answer.status !== 201) {
        expect(refusalOf(answer)).toEqual(conflict('500000 bytes'));
        break;
      }
      made += 1;
    }
    expect(made).toBeGreaterThan(10);
    // To the last byte: shorter ones still find room.
    let length = 100;
    while (length > 0) {
      const answer = await create(path, { name: 'x'.repeat(length), type: 'x' });
      if (answer.status !== 201) length -= 1;
    }
    const client = await server.connect(ann);
    const { snapshot } = await client.subscribe(campaignTopic(campaign.id), { snapshot: true });
    const { kingdoms, settlements, structures } = snapshot as CampaignState; // the contract of the topic
    const faces = [kingdoms, settlements, structures].map(bytesOf).reduce((a, b) => a + b);
    const room = bytesOf(snapshot);
    console.log(`a campaign full of names: faces of ${faces} bytes, a snapshot of ${room}`);
    expect(faces).toBeLessThanOrEqual(maxFacesBytes);
    // What is left is for numbers that grow: at most 9 digits of each version and 2 of each level.
    const growing = (structures.length + settlements.length) * 11 + kingdoms.length * 9;
    expect(faces + growing).toBeGreaterThan(maxFacesBytes - 300);
    expect(room + growing).toBeLessThanOrEqual(maxSnapshotBytes);
    client.close();
    const structure = structures.find((each) => each.name.startsWith('x'));
    const rename = (body: object) =>
      attempt(server, ann, 'PATCH', `/structures/${structure?.id}`, { version: 1, ...body });
    expect(refusalOf(await rename({ name: '€'.repeat(100) }))).toEqual(conflict('500000 bytes'));
    expect(refusalOf(await rename({ type: '"'.repeat(50), name: '"'.repeat(100) }))).toEqual(
      conflict('500000 bytes'),
    );
    const [ofKingdom, ofSettlement] = [`/kingdoms/${kingdom.id}`, `/settlements/${settlement.id}`];
    for (const place of [ofKingdom, ofSettlement]) {
      const answer = await attempt(server, ann, 'PATCH', place, { version: 1, name: '€'.repeat(100) });
      expect(refusalOf(answer)).toEqual(conflict('500000 bytes'));
    }
    expect((await rename({ name: 'x', level: 1 })).status).toBe(200);
    expect(
      (await attempt(server, ann, 'PATCH', ofSettlement, { version: 1, name: '€'.repeat(50) })).status,
    ).toBe(200);
  });

  test('[S3] with short names all limits fit at once; its deletion is one transaction that everyone hears of', async () => {
    const campaign = await createCampaign(server, ann, { description: '€'.repeat(2_000) });
    await addMember(server, ann, campaign, bob);
    await addCrowd(server, campaign.id, ann, maxMembers - 2);
    const name = 'fifteen letters';
    expect(name).toHaveLength(15);
    await fill(
      server,
      campaign.id,
      { kingdoms: maxKingdoms - 1, settlements: maxSettlements - 1, structures: maxStructures - 1 },
      { name, type: name },
    );
    const kingdom = await must(server, ann, 'POST', `/campaigns/${campaign.id}/kingdoms`, { name });
    const settlement = await createSettlement(server, ann, kingdom, { name });
    const structure = await createStructure(server, ann, settlement, { name, type: name });
    const topics = [campaignTopic(campaign.id), settlementTopic(settlement.id), structureTopic(structure.id)];
    const follower = await server.connect(bob);
    const { snapshot } = await follower.subscribe(topics[0] ?? '', { snapshot: true });
    const state = snapshot as CampaignState; // the contract of the topic
    expect([state.kingdoms.length, state.settlements.length, state.structures.length]).toEqual([
      maxKingdoms,
      maxSettlements,
      maxStructures,
    ]);
    const tree = await must(server, bob, 'GET', `/campaigns/${campaign.id}/tree`);
    expect(tree.kingdoms).toHaveLength(maxKingdoms);
    for (const topic of topics.slice(1)) await follower.subscribe(topic);
    const { seq: head = 0 } = (await eventsOf(server, topics[0] ?? '')).at(-1) ?? {};

    const startedAt = performance.now();
    const answer = await attempt(server, ann, 'DELETE', `/campaigns/${campaign.id}`);
    const ms = Math.round(performance.now() - startedAt);
    expect(answer.status).toBe(200);
    for (const topic of topics) {
      await follower.next((frame) => frame.type === 'unsubscribed' && frame.topic === topic);
    }
    const heardMs = Math.round(performance.now() - startedAt);
    console.log(
      `${database.kind}: a snapshot of ${bytesOf(snapshot)} bytes; deleted in ${ms} ms, all heard after ${heardMs} ms, ` +
        `an answer of ${bytesOf(answer.body)} bytes`,
    );
    const entities = maxKingdoms + maxSettlements + maxStructures + 1;
    const invalidations = Math.ceil(maxStructures / 100) + Math.ceil(maxSettlements / 100) + 1 + 1;
    const events = await eventsOf(server, topics[0] ?? '', head);
    expect(events).toHaveLength(entities + invalidations);
    expect(events.at(-1)?.payload).toMatchObject({ entityType: 'campaign', operation: 'deleted' });
    const kinds = Map.groupBy(events, ({ type }) => type);
    expect(kinds.get('entity.updated')).toHaveLength(entities);
    for (const { payload } of kinds.get('state.invalidated') ?? []) {
      expect(payload.keys.length).toBeLessThanOrEqual(100);
    }
    const heard = follower.frames.filter(({ topic, seq }) => topic === topics[0] && seq !== undefined);
    expect(heard.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq));
    const ended = await queryRows<{ topic: string; shuts_out: string[] }>(
      server.db,
      sql`SELECT topic, shuts_out FROM events WHERE topic IN (
        SELECT 'structure:' || (payload->>'entityId') FROM events
        WHERE topic = ${topics[0]} AND payload->>'entityType' = 'structure' AND payload->>'operation' = 'deleted')`,
    );
    expect(ended).toHaveLength(maxStructures);
    for (const { shuts_out } of ended) expect(shuts_out).toHaveLength(maxMembers);
    expect((await eventsOf(server, userTopic(bob.id))).at(-1)?.type).toBe('campaign.removed');
    const [rows] = await queryRows<{ kingdoms: number; members: number }>(
      server.db,
      sql`SELECT (SELECT count(*) FROM kingdoms WHERE campaign_id = ${campaign.id})::int AS kingdoms,
        (SELECT count(*) FROM campaign_members WHERE campaign_id = ${campaign.id})::int AS members`,
    );
    expect(rows).toEqual({ kingdoms: 0, members: 0 });
    follower.close();
  });

  test('changes are limited by user, ten times as many as messages, over HTTP and the socket; creating and leaving are not', async () => {
    const limited = await open({ RATE_MESSAGES_PER_MINUTE: '1' });
    const [dan, eve] = await registerAll(limited, 'Dan', 'Eve');
    const campaign = await createCampaign(limited, dan);
    await addMember(limited, dan, campaign, eve, 'editor');
    const step = (user: TestUser) =>
      attempt(limited, user, 'POST', `/campaigns/${campaign.id}/time`, { advanceSeconds: 1 });
    for (let n = 0; n < 10; n += 1) expect((await step(eve)).status).toBe(200);
    expect(refusalOf(await step(eve)).slice(0, 2)).toEqual([429, 'rate_limited']);
    const client = await limited.connect(eve);
    const asked = { campaignId: campaign.id, advanceSeconds: 1 };
    const { error } = await client.request('campaign.time.advance', asked);
    expect(error).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    const created = await client.request('kingdom.create', { campaignId: campaign.id, name: 'x' });
    expect(created.type).toBe('ok');
    client.close();
    await must(limited, eve, 'GET', `/campaigns/${campaign.id}/tree`);
    await must(limited, eve, 'DELETE', `/campaigns/${campaign.id}/members/${eve.id}`);
    expect((await step(dan)).status).toBe(200);
  });
});
