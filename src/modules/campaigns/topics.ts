// The topics of a campaign: `campaign:`, `settlement:` and `structure:<id>`, and its members' own. The members of the campaign
// may follow each of them. Their states, for those who begin to.

import { asc, desc, eq } from 'drizzle-orm';
import { userTopics } from '../../auth/topics.ts';
import type { Db } from '../../db/database.ts';
import { type TopicsAround, topicKind } from '../../realtime/index.ts';
import {
  findOwnCampaigns,
  findOwnSettlements,
  findOwnStructures,
  noSuchCampaign,
  noSuchSettlement,
  noSuchStructure,
} from './access.ts';
import { CampaignState, events, Settlement, Structure } from './contract.ts';
import {
  campaignColumns,
  settlementColumns,
  settlementFaceColumns,
  structureColumns,
  structureFaceColumns,
  toKingdom,
  toMember,
} from './rows.ts';
import { campaignMembers, campaigns, kingdoms, settlements, structures } from './schema.ts';

export const campaign = topicKind('campaign', {
  events,
  findFollowable: (db, actor, ids) => findOwnCampaigns(db, actor.userId, ids),
  snapshot: { schema: CampaignState, read: (tx, _actor, id) => readState(tx, id) },
});

export const settlement = topicKind('settlement', {
  events,
  findFollowable: (db, actor, ids) => findOwnSettlements(db, actor.userId, ids),
  snapshot: { schema: Settlement, read: (tx, _actor, id) => readSettlement(tx, id) },
});

export const structure = topicKind('structure', {
  events,
  findFollowable: (db, actor, ids) => findOwnStructures(db, actor.userId, ids),
  snapshot: { schema: Structure, read: (tx, _actor, id) => readStructure(tx, id) },
});

/** Members on their own topics. */
export const user = userTopics.carrying(events);

/** A new name is announced in so many campaigns of a user, the newest: more would hold up everything in them. */
export const maxCampaignsAround = 1_000;

/** The campaigns whose members know the user. Unlocked: who leaves meanwhile may still be called by the new name there. */
export const campaignsAround: TopicsAround = async (tx, userId) => {
  const rows = await tx
    .select({ id: campaignMembers.campaignId })
    .from(campaignMembers)
    .where(eq(campaignMembers.userId, userId))
    .orderBy(desc(campaignMembers.campaignId)) // their ids are in the order of their making
    .limit(maxCampaignsAround);
  return rows.map(({ id }) => campaign.on(id));
};

/** In one snapshot of `tx`, so that the parts belong together. Bounded where its parts are made: `room.ts`. */
export async function readState(tx: Db, campaignId: string): Promise<CampaignState> {
  const [found] = await tx.select(campaignColumns).from(campaigns).where(eq(campaigns.id, campaignId));
  if (found === undefined) throw noSuchCampaign();
  const members = await tx
    .select()
    .from(campaignMembers)
    .where(eq(campaignMembers.campaignId, campaignId))
    .orderBy(asc(campaignMembers.userId));
  const kingdomRows = await tx
    .select()
    .from(kingdoms)
    .where(eq(kingdoms.campaignId, campaignId))
    .orderBy(asc(kingdoms.id));
  return {
    campaign: found,
    members: members.map(toMember),
    kingdoms: kingdomRows.map(toKingdom),
    settlements: await tx
      .select(settlementFaceColumns)
      .from(settlements)
      .innerJoin(kingdoms, eq(kingdoms.id, settlements.kingdomId))
      .where(eq(kingdoms.campaignId, campaignId))
      .orderBy(asc(settlements.id)),
    structures: await tx
      .select(structureFaceColumns)
      .from(structures)
      .innerJoin(settlements, eq(settlements.id, structures.settlementId))
      .innerJoin(kingdoms, eq(kingdoms.id, settlements.kingdomId))
      .where(eq(kingdoms.campaignId, campaignId))
      .orderBy(asc(structures.id)),
  };
}

export async function readSettlement(db: Db, settlementId: string): Promise<Settlement> {
  const [found] = await db
    .select(settlementColumns)
    .from(settlements)
    .where(eq(settlements.id, settlementId));
  if (found === undefined) throw noSuchSettlement();
  return found;
}

export async function readStructure(db: Db, structureId: string): Promise<Structure> {
  const [found] = await db.select(structureColumns).from(structures).where(eq(structures.id, structureId));
  if (found === undefined) throw noSuchStructure();
  return found;
}
