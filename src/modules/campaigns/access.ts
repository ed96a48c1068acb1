// Who may do what in a campaign, decided inside the transaction that does it. For someone who is no member, what exists and
// what does not are the same: `not_found`.
//
// Locks are taken in this order, so that transactions wait for each other and never in a circle: the row of the user who is
// to own a campaign (creation and handover: the limit counts behind it), the campaign's row, whatever stands below it, the
// topics. Every change in a campaign begins with the campaign's row, so changes in one campaign come one after another, and
// each sees what the one before it did: a parent that is gone, a newer version, a limit that is reached.

import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import {
  type Campaign,
  type Kingdom,
  maxOwned,
  type Role,
  type Settlement,
  type Structure,
} from './contract.ts';
import { campaignColumns, settlementColumns, structureColumns, toKingdom } from './rows.ts';
import { campaignMembers, campaigns, kingdoms, settlements, structures } from './schema.ts';

/** A campaign whose row is locked until COMMIT. */
export interface LockedCampaign {
  readonly campaign: Campaign;
  /** The actor's. */
  readonly role: Role;
  /**
   * Who lost it a while ago: an instance that does not know it yet must not tell them of settlements and structures. It knows
   * within a second; an hour is for one that was cut off. The newest first.
   */
  readonly departedIds: readonly string[];
}

/** For 1,000 departures an hour of one campaign; of more, the newest. */
export const maxDeparted = 1_000;

/** Throws `not_found` for who is no member, and `forbidden` for a role below `needed`. */
export async function lockCampaign(
  tx: Db,
  campaignId: string,
  userId: string,
  needed: Role,
  missing: () => AppError = noSuchCampaign,
): Promise<LockedCampaign> {
  const [campaign] = await tx
    .select(campaignColumns)
    .from(campaigns)
    .where(eq(campaigns.id, campaignId))
    .for('update');
  if (campaign === undefined) throw missing();
  // Asked behind the lock: this sees what its last holder did.
  const [membership] = await tx
    .select({ role: campaignMembers.role, departedIds: departedIdsOf(campaignId) })
    .from(campaignMembers)
    .where(isMembership(campaignId, userId));
  if (membership === undefined) throw missing();
  if (ranks[membership.role] < ranks[needed]) throw notEnough(needed);
  return { campaign, ...membership };
}

export interface Locked<Entity> extends LockedCampaign {
  readonly entity: Entity;
}

/** Locks the campaign of a kingdom; throws `not_found` also where it was deleted meanwhile. */
export async function lockKingdom(
  tx: Db,
  kingdomId: string,
  userId: string,
  needed: Role,
): Promise<Locked<Kingdom>> {
  const is = eq(kingdoms.id, kingdomId);
  const [found] = await tx.select({ campaignId: kingdoms.campaignId }).from(kingdoms).where(is);
  if (found === undefined) throw noSuchKingdom();
  const locked = await lockCampaign(tx, found.campaignId, userId, needed, noSuchKingdom);
  const [row] = await tx.select().from(kingdoms).where(is);
  if (row === undefined) throw noSuchKingdom();
  return { ...locked, entity: toKingdom(row) };
}

/** As `lockKingdom`. */
export async function lockSettlement(
  tx: Db,
  settlementId: string,
  userId: string,
  needed: Role,
): Promise<Locked<Settlement>> {
  const is = eq(settlements.id, settlementId);
  const [found] = await tx
    .select({ campaignId: kingdoms.campaignId })
    .from(settlements)
    .innerJoin(kingdoms, eq(kingdoms.id, settlements.kingdomId))
    .where(is);
  if (found === undefined) throw noSuchSettlement();
  const locked = await lockCampaign(tx, found.campaignId, userId, needed, noSuchSettlement);
  const [entity] = await tx.select(settlementColumns).from(settlements).where(is);
  if (entity === undefined) throw noSuchSettlement();
  return { ...locked, entity };
}

/** As `lockKingdom`. */
export async function lockStructure(
  tx: Db,
  structureId: string,
  userId: string,
  needed: Role,
): Promise<Locked<Structure>> {
  const is = eq(structures.id, structureId);
  const [found] = await tx
    .select({ campaignId: kingdoms.campaignId })
    .from(structures)
    .innerJoin(settlements, eq(settlements.id, structures.settlementId))
    .innerJoin(kingdoms, eq(kingdoms.id, settlements.kingdomId))
    .where(is);
  if (found === undefined) throw noSuchStructure();
  const locked = await lockCampaign(tx, found.campaignId, userId, needed, noSuchStructure);
  const [entity] = await tx.select(structureColumns).from(structures).where(is);
  if (entity === undefined) throw noSuchStructure();
  return { ...locked, entity };
}

/**
 * Locks the user who is to own one more campaign; call it before the campaign is locked. Throws `conflict` over the limit, and
 * `invalid` for who is not there or disabled.
 */
export async function lockOwnerToBe(tx: Db, userId: string): Promise<void> {
  const [user] = await tx
    .select({ disabledAt: users.disabledAt })
    .from(users)
    .where(eq(users.id, userId))
    .for('no key update');
  if (user === undefined || user.disabledAt !== null) throw noSuchUser();
  // Asked behind the lock: two at once cannot both be the last one.
  const owned = await tx.$count(campaigns, eq(campaigns.ownerId, userId));
  if (owned >= maxOwned) {
    throw new AppError(
      'conflict',
      `A user owns at most ${maxOwned} campaigns. Delete or hand over one first.`,
    );
  }
}

/** Throws `invalid` for who is not there or disabled. */
export async function requireActive(db: Db, userId: string): Promise<void> {
  const isIt = and(eq(users.id, userId), isNull(users.disabledAt));
  const found = await db.select({ id: users.id }).from(users).where(isIt);
  if (found.length === 0) throw noSuchUser();
}

/** Throws `conflict` with the entity as it is, where the change was about an older version of it. */
export function requireVersion(entity: Campaign | Kingdom | Settlement | Structure, version: number): void {
  if (entity.version === version) return;
  throw new AppError(
    'conflict',
    `Expected version ${entity.version}, not ${version}: it has been changed. Apply the change to what details show.`,
    { details: entity },
  );
}

/** Throws `not_found` for who is no member. Behind a reading: who lost the right in between gets nothing of it. */
export async function requireMember(
  db: Db,
  campaignId: string,
  userId: string,
  missing: () => AppError = noSuchCampaign,
): Promise<Role> {
  const [row] = await db
    .select({ role: campaignMembers.role })
    .from(campaignMembers)
    .where(isMembership(campaignId, userId));
  if (row === undefined) throw missing();
  return row.role;
}

/** Those of the campaigns in which the user is a member. */
export async function findOwnCampaigns(
  db: Db,
  userId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ id: campaignMembers.campaignId })
    .from(campaignMembers)
    .where(isMineAmong(campaignMembers.campaignId, userId, ids));
  return toSet(rows);
}

/** Those of the kingdoms that are in campaigns of the user. */
export async function findOwnKingdoms(
  db: Db,
  userId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ id: kingdoms.id })
    .from(kingdoms)
    .innerJoin(campaignMembers, eq(campaignMembers.campaignId, kingdoms.campaignId))
    .where(isMineAmong(kingdoms.id, userId, ids));
  return toSet(rows);
}

/** Those of the settlements that are in campaigns of the user. */
export async function findOwnSettlements(
  db: Db,
  userId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ id: settlements.id })
    .from(settlements)
    .innerJoin(kingdoms, eq(kingdoms.id, settlements.kingdomId))
    .innerJoin(campaignMembers, eq(campaignMembers.campaignId, kingdoms.campaignId))
    .where(isMineAmong(settlements.id, userId, ids));
  return toSet(rows);
}

/** Those of the structures that are in campaigns of the user. */
export async function findOwnStructures(
  db: Db,
  userId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ id: structures.id })
    .from(structures)
    .innerJoin(settlements, eq(settlements.id, structures.settlementId))
    .innerJoin(kingdoms, eq(kingdoms.id, settlements.kingdomId))
    .innerJoin(campaignMembers, eq(campaignMembers.campaignId, kingdoms.campaignId))
    .where(isMineAmong(structures.id, userId, ids));
  return toSet(rows);
}

export const isMembership = (campaignId: string, userId: string) =>
  and(eq(campaignMembers.campaignId, campaignId), eq(campaignMembers.userId, userId));

export const noSuchCampaign = () => new AppError('not_found', 'There is no such campaign among yours.');
export const noSuchKingdom = () => new AppError('not_found', 'There is no such kingdom in your campaigns.');
export const noSuchSettlement = () =>
  new AppError('not_found', 'There is no such settlement in your campaigns.');
export const noSuchStructure = () =>
  new AppError('not_found', 'There is no such structure in your campaigns.');

const ranks: Record<Role, number> = { viewer: 0, editor: 1, owner: 2 };

const notEnough = (needed: Role) =>
  new AppError(
    'forbidden',
    needed === 'owner'
      ? 'Only the owner of the campaign may do this.'
      : 'Only editors and the owner of the campaign may do this.',
  );

const noSuchUser = () =>
  new AppError('invalid', 'A member must be a user of this server.', {
    fields: [{ path: '/userId', message: 'There is no such user' }],
  });

const departedIdsOf = (campaignId: string) =>
  sql<string[]>`(
    SELECT coalesce(json_agg(user_id ORDER BY left_at DESC), '[]') FROM (
      SELECT user_id, left_at FROM campaign_departures
      WHERE campaign_id = ${campaignId} AND left_at > now() - interval '1 hour'
      ORDER BY left_at DESC LIMIT ${maxDeparted}
    ) AS newest)`;

const isMineAmong = (id: PgColumn, userId: string, ids: readonly string[]) =>
  and(inArray(id, [...ids]), eq(campaignMembers.userId, userId));

const toSet = (rows: readonly { readonly id: string }[]): ReadonlySet<string> =>
  new Set(rows.map(({ id }) => id));
