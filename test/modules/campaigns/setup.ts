// What the suites of campaigns do all the time: campaigns and what is in them, also in numbers, and refusals in short.

import { sql } from 'drizzle-orm';
import type { Campaign, Kingdom, Settlement, Structure } from '../../../src/modules/campaigns/contract.ts';
import type { Answer, TestUser } from '../../support/api.ts';
import type { TestServer } from '../../support/server.ts';
import { must } from '../chat/setup.ts';

export { attempt, eventsOf, must, outputOf, registerAll, typesOf, unknownId } from '../chat/setup.ts';

export const createCampaign = (server: TestServer, owner: TestUser, body: object = {}): Promise<Campaign> =>
  must(server, owner, 'POST', '/campaigns', { name: 'The long winter', ...body });

export const addMember = (
  server: TestServer,
  owner: TestUser,
  { id }: Campaign,
  user: TestUser,
  role: 'editor' | 'viewer' = 'viewer',
) => must(server, owner, 'POST', `/campaigns/${id}/members`, { userId: user.id, role });

export const createKingdom = (server: TestServer, by: TestUser, { id }: Campaign): Promise<Kingdom> =>
  must(server, by, 'POST', `/campaigns/${id}/kingdoms`, { name: 'Northmark' });

export const createSettlement = (
  server: TestServer,
  by: TestUser,
  { id }: Kingdom,
  body: object = {},
): Promise<Settlement> =>
  must(server, by, 'POST', `/kingdoms/${id}/settlements`, { name: 'Harrow', ...body });

export const createStructure = (
  server: TestServer,
  by: TestUser,
  { id }: Settlement,
  body: object = {},
): Promise<Structure> =>
  must(server, by, 'POST', `/settlements/${id}/structures`, { name: 'Old Keep', type: 'keep', ...body });

export interface World {
  readonly campaign: Campaign;
  readonly kingdom: Kingdom;
  readonly settlement: Settlement;
  readonly structure: Structure;
}

/** A campaign with one of each in it. */
export async function createWorld(server: TestServer, owner: TestUser): Promise<World> {
  const campaign = await createCampaign(server, owner);
  const kingdom = await createKingdom(server, owner, campaign);
  const settlement = await createSettlement(server, owner, kingdom);
  return { campaign, kingdom, settlement, structure: await createStructure(server, owner, settlement) };
}

/** Status, code and message of a refusal; the message alone says which limit it was. */
export const refusalOf = ({ status, body }: Answer): unknown[] => [
  status,
  body.error?.code,
  body.error?.message,
];

/** Puts rows into the campaign behind the server's back, all settlements into the first kingdom, all structures into the first settlement. */
export async function fill(
  server: TestServer,
  campaignId: string,
  counts: { readonly kingdoms?: number; readonly settlements?: number; readonly structures?: number },
  names: { readonly name?: string; readonly type?: string } = {},
): Promise<void> {
  const { name = 'x', type = 'x' } = names;
  const { kingdoms = 0, settlements = 0, structures = 0 } = counts;
  await server.db.execute(sql`
    INSERT INTO kingdoms (id, campaign_id, name, created_at, updated_at)
    SELECT gen_random_uuid(), ${campaignId}, ${name}, now(), now() FROM generate_series(1, ${kingdoms}::int)`);
  await server.db.execute(sql`
    INSERT INTO settlements (id, kingdom_id, name, level, variables, variable_schemas)
    SELECT gen_random_uuid(), (SELECT id FROM kingdoms WHERE campaign_id = ${campaignId} ORDER BY id LIMIT 1),
      ${name}, 0, '{}', '[]' FROM generate_series(1, ${settlements}::int)`);
  await server.db.execute(sql`
    INSERT INTO structures (id, settlement_id, name, type, level, variables, variable_schemas)
    SELECT gen_random_uuid(),
      (SELECT s.id FROM settlements s JOIN kingdoms k ON k.id = s.kingdom_id
       WHERE k.campaign_id = ${campaignId} ORDER BY s.id LIMIT 1),
      ${name}, ${type}, 0, '{}', '[]' FROM generate_series(1, ${structures}::int)`);
}

/** Puts users like this one, that nobody will ever log in as, into the campaign behind the server's back. */
export async function addCrowd(
  server: TestServer,
  campaignId: string,
  like: TestUser,
  count: number,
): Promise<void> {
  await server.db.execute(sql`
    WITH crowd AS (
      INSERT INTO users
      SELECT (jsonb_populate_record(users, jsonb_build_object(
        'id', gen_random_uuid(), 'email', gen_random_uuid() || '@example.com'))).*
      FROM users, generate_series(1, ${count}::int) WHERE users.id = ${like.id}
      RETURNING id
    )
    INSERT INTO campaign_members (campaign_id, user_id, role, joined_at)
    SELECT ${campaignId}, id, 'viewer', now() FROM crowd`);
}
