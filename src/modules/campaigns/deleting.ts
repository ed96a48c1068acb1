// What goes with a campaign, a kingdom, a settlement or a structure: rows below first, a statement for each table, and an
// announcement for each entity. Every topic that ends says so as its last word, and nobody follows it any more. [S7]

import { eq, type SQL, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.ts';
import { compare } from '../../protocol/order.ts';
import type { CommandContext, Emit } from '../../realtime/index.ts';
import type { LockedCampaign } from './access.ts';
import { deleted, invalidate } from './changes.ts';
import { campaignTopic, settlementTopic, structureTopic } from './contract.ts';
import {
  campaignDepartures,
  campaignMembers,
  campaigns,
  kingdoms,
  settlements,
  structures,
} from './schema.ts';
import { campaign, settlement, structure, user } from './topics.ts';

interface Last {
  readonly id: string;
  readonly version: number;
}

/** What went, each list ascending by id. */
interface Gone {
  readonly structures: readonly Last[];
  readonly settlements: readonly Last[];
  readonly kingdoms: readonly Last[];
}

/** Deletes the structure, behind the lock of its campaign. */
export async function deleteStructure(tx: Db, emit: Emit, locked: LockedCampaign, id: string): Promise<void> {
  const gone = { ...nothing, structures: await deleteStructuresWhere(tx, sql`id = ${id}`) };
  announceGone(emit, locked, await readMemberIds(tx, locked.campaign.id), gone);
}

/** Deletes the settlement and what is in it. */
export async function deleteSettlement(
  tx: Db,
  emit: Emit,
  locked: LockedCampaign,
  id: string,
): Promise<void> {
  const gone = {
    ...nothing,
    structures: await deleteStructuresWhere(tx, sql`settlement_id = ${id}`),
    settlements: await deleteSettlementsWhere(tx, sql`id = ${id}`),
  };
  announceGone(emit, locked, await readMemberIds(tx, locked.campaign.id), gone);
}

/** Deletes the kingdom and what is in it. */
export async function deleteKingdom(tx: Db, emit: Emit, locked: LockedCampaign, id: string): Promise<void> {
  const below = sql`settlement_id IN (SELECT id FROM settlements WHERE kingdom_id = ${id})`;
  const gone = {
    structures: await deleteStructuresWhere(tx, below),
    settlements: await deleteSettlementsWhere(tx, sql`kingdom_id = ${id}`),
    kingdoms: await deleteKingdomsWhere(tx, sql`id = ${id}`),
  };
  announceGone(emit, locked, await readMemberIds(tx, locked.campaign.id), gone);
}

/** Deletes the campaign and all that is in it. */
export async function removeCampaign(
  { tx, emit, audit }: Pick<CommandContext, 'tx' | 'emit' | 'audit'>,
  locked: LockedCampaign,
): Promise<void> {
  const { id: campaignId } = locked.campaign;
  const memberIds = await emptyCampaign(tx, emit, locked);
  await tx.delete(campaignDepartures).where(eq(campaignDepartures.campaignId, campaignId));
  await tx.delete(campaignMembers).where(eq(campaignMembers.campaignId, campaignId));
  await tx.delete(campaigns).where(eq(campaigns.id, campaignId));
  await audit('campaign_deleted', { campaignId });
  invalidate(emit, campaignId, 'campaign', [campaignTopic(campaignId)], 'entity.updated');
  const change = { entityType: 'campaign' as const, ...deleted(locked.campaign) };
  emit(campaign.on(campaignId), 'entity.updated', change, { revokes: memberIds });
  emit(memberIds.map(user.on), 'campaign.removed', { campaignId });
}

/** Answers whose it was. */
async function emptyCampaign(tx: Db, emit: Emit, locked: LockedCampaign): Promise<string[]> {
  const { id } = locked.campaign;
  const own = sql`SELECT id FROM kingdoms WHERE campaign_id = ${id}`;
  const gone = {
    structures: await deleteStructuresWhere(
      tx,
      sql`settlement_id IN (SELECT id FROM settlements WHERE kingdom_id IN (${own}))`,
    ),
    settlements: await deleteSettlementsWhere(tx, sql`kingdom_id IN (${own})`),
    kingdoms: await deleteKingdomsWhere(tx, sql`campaign_id = ${id}`),
  };
  const memberIds = await readMemberIds(tx, id);
  announceGone(emit, locked, memberIds, gone);
  return memberIds;
}

/**
 * Users from whom events are withheld, of all that one deletion announces: each event has its list in the log, and with 1,000
 * departures the 2,500 topics of a full campaign had 90 MB of them. Of many topics those who left last: they alone may not be
 * known to every instance yet, unless one was cut off.
 */
const maxWithheld = 250_000;

const nothing: Gone = { structures: [], settlements: [], kingdoms: [] };

const deleteStructuresWhere = async (tx: Db, where: SQL): Promise<Last[]> =>
  byId(
    await tx.delete(structures).where(where).returning({ id: structures.id, version: structures.version }),
  );

const deleteSettlementsWhere = async (tx: Db, where: SQL): Promise<Last[]> =>
  byId(
    await tx.delete(settlements).where(where).returning({ id: settlements.id, version: settlements.version }),
  );

const deleteKingdomsWhere = async (tx: Db, where: SQL): Promise<Last[]> =>
  byId(await tx.delete(kingdoms).where(where).returning({ id: kingdoms.id, version: kingdoms.version }));

const byId = (rows: Last[]): Last[] => rows.sort((a, b) => compare(a.id, b.id));

async function readMemberIds(tx: Db, campaignId: string): Promise<string[]> {
  const rows = await tx
    .select({ userId: campaignMembers.userId })
    .from(campaignMembers)
    .where(eq(campaignMembers.campaignId, campaignId));
  return rows.map(({ userId }) => userId);
}

/** Children first. Whoever left a while ago is told nothing on the topics below `campaign:`. */
function announceGone(
  emit: Emit,
  { campaign: { id: campaignId }, departedIds }: LockedCampaign,
  memberIds: readonly string[],
  gone: Gone,
): void {
  const on = campaign.on(campaignId);
  const topics = gone.structures.length + gone.settlements.length;
  const withheldFrom = departedIds.slice(0, Math.floor(maxWithheld / Math.max(1, topics)));
  const options = { revokes: memberIds, withheldFrom };
  for (const last of gone.structures) {
    const change = { entityType: 'structure' as const, ...deleted(last) };
    emit(on, 'entity.updated', change);
    emit(structure.on(last.id), 'structure.updated', change, options);
  }
  for (const last of gone.settlements) {
    const change = { entityType: 'settlement' as const, ...deleted(last) };
    emit(on, 'entity.updated', change);
    emit(settlement.on(last.id), 'settlement.updated', change, options);
  }
  for (const last of gone.kingdoms) {
    emit(on, 'entity.updated', { entityType: 'kingdom', ...deleted(last) });
  }
  const reason = 'entity.updated';
  invalidate(emit, campaignId, 'structure', listKeys(gone.structures, structureTopic), reason);
  invalidate(emit, campaignId, 'settlement', listKeys(gone.settlements, settlementTopic), reason);
  invalidate(emit, campaignId, 'campaign', listKeys(gone.kingdoms, kingdomKey), reason);
}

const listKeys = (gone: readonly Last[], keyOf: (id: string) => string): string[] =>
  gone.map(({ id }) => keyOf(id));

/** Kingdoms have no topic of their own. */
const kingdomKey = (kingdomId: string): string => `kingdom:${kingdomId}`;
