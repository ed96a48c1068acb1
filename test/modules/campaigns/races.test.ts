// What happens at once: each race has exactly the outcomes that are named here, whoever wins; and afterwards the log tells
// the same as the tables.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { queryRows } from '../../../src/db/database.ts';
import { type CampaignState, campaignTopic } from '../../../src/modules/campaigns/contract.ts';
import { applyCampaign } from '../../../src/modules/campaigns/state.ts';
import { readState } from '../../../src/modules/campaigns/topics.ts';
import type { Answer, TestUser } from '../../support/api.ts';
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
  registerAll,
} from './setup.ts';

onEachDatabase('races in campaigns', (open, database) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let cid: TestUser;

  beforeAll(async () => {
    server = await open();
    [ann, bob, cid] = await registerAll(server, 'Ann', 'Bob', 'Cid');
  });

  const statusesOf = (answers: readonly Answer[]) => answers.map(({ status }) => status);
  const nobody = {} as CampaignState; // the first event of all makes the state

  /** What somebody knows who heard everything from the beginning is what stands in the tables. */
  async function expectLogged(campaignId: string): Promise<CampaignState> {
    const events = await eventsOf(server, campaignTopic(campaignId));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => n + 1));
    const state = events.reduce(
      (state, { type, payload }) => applyCampaign(state, { type, payload }),
      nobody,
    );
    expect(state).toEqual(await readState(server.db, campaignId));
    return state;
  }

  test('50 that are created below what is being deleted are there before it and go with it, or are not found', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { campaign, kingdom, settlement } = await createWorld(server, ann);
      const deleted = round % 2 === 0 ? `/kingdoms/${kingdom.id}` : `/settlements/${settlement.id}`;
      const path =
        round < 2 && round % 2 === 0
          ? `/kingdoms/${kingdom.id}/settlements`
          : `/settlements/${settlement.id}/structures`;
      const body = path.endsWith('settlements') ? { name: 'x' } : { name: 'x', type: 'x' };
      const creates = Array.from({ length: 50 }, () => () => attempt(server, ann, 'POST', path, body));
      const half = creates.splice(0, 25).map((create) => create());
      const removal = attempt(server, ann, 'DELETE', deleted);
      const answers = await Promise.all([...half, ...creates.map((create) => create())]);
      expect((await removal).status).toBe(200);
      for (const { status } of answers) expect([201, 404]).toContain(status);
      const made = answers.flatMap(({ status, body }) => (status === 201 ? [body.id as string] : []));
      const state = await expectLogged(campaign.id);
      expect([...state.settlements, ...state.structures].map(({ id }) => id)).not.toContainAnyValues(made);
      // Each that was there was announced, and so was its end.
      const changes = (await eventsOf(server, campaignTopic(campaign.id))).filter(({ payload }) =>
        made.includes(payload.entityId),
      );
      for (const id of made) {
        const own = changes.filter(({ payload }) => payload.entityId === id);
        expect(own.map(({ payload }) => payload.operation)).toEqual(['created', 'deleted']);
      }
    }
  });

  test('50 kingdoms that are created in a campaign that is being deleted go with it, or are not found', async () => {
    const campaign = await createCampaign(server, ann);
    const create = () => attempt(server, ann, 'POST', `/campaigns/${campaign.id}/kingdoms`, { name: 'x' });
    const first = Array.from({ length: 25 }, create);
    const removal = attempt(server, ann, 'DELETE', `/campaigns/${campaign.id}`);
    const answers = await Promise.all([...first, ...Array.from({ length: 25 }, create)]);
    expect((await removal).status).toBe(200);
    for (const { status } of answers) expect([201, 404]).toContain(status);
    const events = await eventsOf(server, campaignTopic(campaign.id));
    const of = (operation: string) =>
      events.filter(({ payload }) => payload.entityType === 'kingdom' && payload.operation === operation)
        .length;
    const made = answers.filter(({ status }) => status === 201).length;
    expect([of('created'), of('deleted')]).toEqual([made, made]);
    expect(events.at(-1)?.payload).toMatchObject({ entityType: 'campaign', operation: 'deleted' });
    const [left] = await queryRows<{ count: number }>(
      server.db,
      sql`SELECT count(*)::int AS count FROM kingdoms WHERE campaign_id = ${campaign.id}`,
    );
    expect(left?.count).toBe(0);
  });

  test('of changes of one version one wins, and the others are shown what it made', async () => {
    const { campaign, kingdom, settlement, structure } = await createWorld(server, ann);
    for (const path of [
      `/campaigns/${campaign.id}`,
      `/kingdoms/${kingdom.id}`,
      `/settlements/${settlement.id}`,
      `/structures/${structure.id}`,
    ]) {
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, n) =>
          attempt(server, ann, 'PATCH', path, { version: 1, name: `Name ${n}` }),
        ),
      );
      expect([path, statusesOf(answers).sort()]).toEqual([path, [200, 409, 409, 409, 409, 409]]);
      const present = await must(server, ann, 'GET', path);
      expect(present.version).toBe(2);
      for (const { status, body } of answers) {
        if (status === 409) expect(body.error).toMatchObject({ code: 'conflict', details: present });
        else expect(body).toMatchObject(present);
      }
    }
    await expectLogged(campaign.id);
  });

  test('a handover against the removal of the heir: one of the two, and there is one owner', async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 8; round += 1) {
      const campaign = await createCampaign(server, ann);
      await addMember(server, ann, campaign, bob);
      const ofBob = `/campaigns/${campaign.id}/members/${bob.id}`;
      const handing = () =>
        attempt(server, ann, 'POST', `/campaigns/${campaign.id}/owner`, { userId: bob.id });
      const removing = () => attempt(server, ann, 'DELETE', ofBob);
      const [handover, removal] =
        round % 2 === 0
          ? await Promise.all([handing(), removing()])
          : (await Promise.all([removing(), handing()])).reverse();
      const outcome = `${handover?.status} ${removal?.status}`;
      outcomes.add(outcome);
      // Handed over: whoever is an editor by then removes nobody. Removed: who is no member becomes no owner.
      expect(['200 403', '404 200']).toContain(outcome);
      const { campaign: present, members } = await expectLogged(campaign.id);
      const owners = members.filter(({ role }) => role === 'owner').map(({ userId }) => userId);
      expect(owners).toEqual([present.ownerId]);
    }
    console.log(`${database.kind}: handover and removal: ${[...outcomes].join(', ')}`);
  });

  test('the removal of an editor against their changes: they come before it, or not at all', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { campaign, settlement } = await createWorld(server, ann);
      await addMember(server, ann, campaign, bob, 'editor');
      const path = `/settlements/${settlement.id}/structures`;
      const create = () => attempt(server, bob, 'POST', path, { name: 'x', type: 'x' });
      const first = Array.from({ length: 4 }, create);
      const removal = attempt(server, ann, 'DELETE', `/campaigns/${campaign.id}/members/${bob.id}`);
      const answers = await Promise.all([...first, ...Array.from({ length: 4 }, create)]);
      expect((await removal).status).toBe(200);
      for (const { status } of answers) expect([201, 404]).toContain(status);
      const events = await eventsOf(server, campaignTopic(campaign.id));
      const left = events.findIndex(
        ({ payload }) => payload.entityType === 'member' && payload.operation === 'deleted',
      );
      const byBob = events.flatMap(({ meta }, n) => (meta?.actorId === bob.id ? [n] : []));
      expect(byBob).toHaveLength(answers.filter(({ status }) => status === 201).length);
      for (const place of byBob) expect(place).toBeLessThan(left);
      await expectLogged(campaign.id);
    }
  });

  test('whatever is done in opposite orders at once, nobody waits in a circle', async () => {
    const deadlocks = async () => {
      if (database.kind === 'embedded') return 0;
      const [row] = await queryRows<{ deadlocks: number }>(
        server.db,
        sql`SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()`,
      );
      return row?.deadlocks;
    };
    for (let round = 0; round < 5; round += 1) {
      const [ofAnn, ofBob] = [await createWorld(server, ann), await createWorld(server, bob)];
      for (const user of [bob, cid]) await addMember(server, ann, ofAnn.campaign, user, 'editor');
      for (const user of [ann, cid]) await addMember(server, bob, ofBob.campaign, user, 'editor');
      const place = await createSettlement(server, ann, await createKingdom(server, ann, ofAnn.campaign));
      await createStructure(server, ann, place);
      const answers = await Promise.all([
        // Each other's: users and campaigns crosswise.
        attempt(server, ann, 'POST', `/campaigns/${ofAnn.campaign.id}/owner`, { userId: bob.id }),
        attempt(server, bob, 'POST', `/campaigns/${ofBob.campaign.id}/owner`, { userId: ann.id }),
        attempt(server, ann, 'POST', '/campaigns', { name: 'x' }),
        attempt(server, bob, 'POST', '/campaigns', { name: 'x' }),
        // Names: users, then all their campaigns.
        attempt(server, ann, 'PATCH', '/users/me', { name: `Ann ${round}` }),
        attempt(server, bob, 'PATCH', '/users/me', { name: `Bob ${round}` }),
        // From above and from below.
        attempt(server, cid, 'DELETE', `/kingdoms/${ofAnn.kingdom.id}`),
        attempt(server, cid, 'PATCH', `/structures/${ofAnn.structure.id}`, { version: 1, level: 1 }),
        attempt(server, cid, 'PATCH', `/settlements/${ofAnn.settlement.id}`, { version: 1, level: 1 }),
        attempt(server, cid, 'DELETE', `/settlements/${place.id}`),
        attempt(server, cid, 'DELETE', `/campaigns/${ofBob.campaign.id}/members/${cid.id}`),
        attempt(server, cid, 'PATCH', `/structures/${ofBob.structure.id}`, { version: 1, level: 1 }),
      ]);
      for (const { status } of answers) expect([200, 201, 404]).toContain(status);
      await expectLogged(ofAnn.campaign.id);
      await expectLogged(ofBob.campaign.id);
    }
    expect(await deadlocks()).toBe(0);
  });
});
