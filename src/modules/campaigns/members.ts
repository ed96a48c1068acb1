// Who belongs to a campaign: add, change a role, remove, leave, hand over. A campaign has one owner at all times.

import { and, asc, eq, gt, lte, ne, sql } from 'drizzle-orm';
import { users } from '../../auth/schema.ts';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { command, type Emit, type OnUserDeleted, query } from '../../realtime/index.ts';
import { isMembership, lockCampaign, lockOwnerToBe, requireActive, requireMember } from './access.ts';
import { change, memberCreated, memberDeleted, memberUpdated, updated } from './changes.ts';
import {
  AddMember,
  Campaign,
  ChangeRole,
  Departure,
  HandOver,
  ListInCampaign,
  Member,
  MemberPage,
  MemberPath,
  maxMembers,
  type Role,
} from './contract.ts';
import { removeCampaign } from './deleting.ts';
import { changesPerMinute } from './limits.ts';
import { IdPosition } from './pages.ts';
import { toMember } from './rows.ts';
import { campaignDepartures, campaignMembers, campaigns } from './schema.ts';
import { campaign, user } from './topics.ts';

const tag = 'Campaign members';

export const addMember = command('campaign.member.add', {
  summary: 'Add a member to a campaign, as its owner',
  tag,
  http: 'POST /campaigns/:campaignId/members',
  takesKey: true,
  limit: changesPerMinute,
  input: AddMember,
  output: Member,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit, audit }, { campaignId, userId, role = 'viewer' }) {
    const locked = await lockCampaign(tx, campaignId, actor.userId, 'owner');
    await requireActive(tx, userId);
    if ((await findMember(tx, campaignId, userId)) !== undefined) {
      throw new AppError('conflict', 'This user is a member of the campaign already.');
    }
    if ((await tx.$count(campaignMembers, eq(campaignMembers.campaignId, campaignId))) >= maxMembers) {
      throw new AppError('conflict', `A campaign has at most ${maxMembers} members.`);
    }
    const row = { campaignId, userId, role, joinedAt: new Date() };
    await tx.insert(campaignMembers).values(row);
    await tx.delete(campaignDepartures).where(isDeparture(campaignId, userId));
    await audit('campaign_member_added', { campaignId, userId, role });
    const member = toMember(row);
    emit(campaign.on(campaignId), 'entity.updated', memberCreated(member));
    emit(user.on(userId), 'campaign.added', { campaign: locked.campaign });
    return member;
  },
});

export const listMembers = query('campaign.member.list', {
  summary: 'The members of a campaign, by their ids',
  tag,
  http: 'GET /campaigns/:campaignId/members',
  input: ListInCampaign,
  output: MemberPage,
  refuses: ['not_found'],
  async run({ actor, db }, { campaignId, limit = defaultPageSize, cursor }) {
    const after = readCursor(IdPosition, cursor);
    const isBehind = after && gt(campaignMembers.userId, after[0]);
    const rows = await db
      .select()
      .from(campaignMembers)
      .where(and(eq(campaignMembers.campaignId, campaignId), isBehind))
      .orderBy(asc(campaignMembers.userId))
      .limit(limit + 1);
    await requireMember(db, campaignId, actor.userId);
    return toPage(rows, limit, ({ userId }) => [userId], toMember);
  },
});

export const getMember = query('campaign.member.get', {
  summary: 'A member of a campaign',
  tag,
  http: 'GET /campaigns/:campaignId/members/:userId',
  input: MemberPath,
  output: Member,
  refuses: ['not_found'],
  async run({ actor, db }, { campaignId, userId }) {
    const found = await findMember(db, campaignId, userId);
    await requireMember(db, campaignId, actor.userId);
    return found ?? noSuchMember();
  },
});

export const changeRole = command('campaign.member.update', {
  summary: 'Make a member an editor or a viewer, as the owner',
  tag,
  http: 'PATCH /campaigns/:campaignId/members/:userId',
  limit: changesPerMinute,
  input: ChangeRole,
  output: Member,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit, audit }, { campaignId, userId, role }) {
    await lockCampaign(tx, campaignId, actor.userId, 'owner');
    const member = (await findMember(tx, campaignId, userId)) ?? noSuchMember();
    if (member.role === 'owner') throw handOverFirst();
    if (member.role === role) return member;
    await setRole(tx, campaignId, userId, role);
    await audit('campaign_member_updated', { campaignId, userId, role });
    const changed = { ...member, role };
    emit(campaign.on(campaignId), 'entity.updated', memberUpdated(changed));
    return changed;
  },
});

/** The member hears nothing of the campaign, or of what is in it, behind this. [S7] */
export const removeMember = command('campaign.member.remove', {
  summary: 'Remove a member as the owner, or leave',
  description: 'The owner stays: hand the campaign over first, or delete it.',
  tag,
  http: 'DELETE /campaigns/:campaignId/members/:userId',
  limit: changesPerMinute,
  // Whoever wants to leave may: to leave again takes someone who brings them back.
  isFree: ({ actor }, { userId }) => userId === actor.userId,
  input: MemberPath,
  output: Departure,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit, audit }, { campaignId, userId }) {
    const isLeaving = userId === actor.userId;
    await lockCampaign(tx, campaignId, actor.userId, isLeaving ? 'viewer' : 'owner');
    const member = (await findMember(tx, campaignId, userId)) ?? noSuchMember();
    if (member.role === 'owner') throw handOverFirst();
    await tx.delete(campaignMembers).where(isMembership(campaignId, userId));
    await audit('campaign_member_removed', { campaignId, userId });
    await depart(tx, emit, campaignId, userId);
    return { campaignId, userId };
  },
});

export const handOver = command('campaign.owner.change', {
  summary: 'Hand a campaign over to a member, who becomes its owner; the owner becomes an editor',
  tag,
  http: 'POST /campaigns/:campaignId/owner',
  limit: changesPerMinute,
  input: HandOver,
  output: Campaign,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit, audit }, { campaignId, userId }) {
    // Before anybody's row is locked: strangers must not hold up whom they name.
    const isOwner = (await requireMember(tx, campaignId, actor.userId)) === 'owner';
    if (isOwner && userId !== actor.userId) await lockOwnerToBe(tx, userId);
    const { campaign: present } = await lockCampaign(tx, campaignId, actor.userId, 'owner');
    if (userId === present.ownerId) return present;
    if (!isOwner) throw new AppError('conflict', 'You became the owner just now. Ask again.');
    const heir = (await findMember(tx, campaignId, userId)) ?? noSuchMember();
    const giver = (await findMember(tx, campaignId, actor.userId)) ?? noSuchMember();
    // In this order: there is never more than one owner, which an index watches over.
    await setRole(tx, campaignId, giver.userId, 'editor');
    emit(campaign.on(campaignId), 'entity.updated', memberUpdated({ ...giver, role: 'editor' }));
    await audit('campaign_owner_changed', { campaignId, userId });
    return await enthrone(tx, emit, present, heir);
  },
});

/**
 * A deleted user leaves all campaigns. One of theirs passes to the editor who has been there longest, else to such a viewer,
 * however many they own; where nobody else is in it, it is deleted.
 */
export const leaveCampaigns: OnUserDeleted = async ({ actor: { userId }, tx, emit, audit }) => {
  const own = await tx
    .select({ id: campaignMembers.campaignId })
    .from(campaignMembers)
    .where(eq(campaignMembers.userId, userId))
    .orderBy(asc(campaignMembers.campaignId)); // the order of their locks
  for (const { id } of own) {
    await tx.select({ id: campaigns.id }).from(campaigns).where(eq(campaigns.id, id)).for('update');
    if ((await findMember(tx, id, userId)) === undefined) continue; // removed meanwhile
    const locked = await lockCampaign(tx, id, userId, 'viewer');
    const heir = locked.role === 'owner' ? await findHeir(tx, id) : undefined;
    if (locked.role === 'owner' && heir === undefined) {
      await removeCampaign({ tx, emit, audit }, locked);
      continue;
    }
    await tx.delete(campaignMembers).where(isMembership(id, userId));
    if (heir !== undefined) {
      await audit('campaign_owner_changed', { campaignId: id, userId: heir.userId });
      await enthrone(tx, emit, locked.campaign, heir);
    }
    await audit('campaign_member_removed', { campaignId: id, userId });
    await depart(tx, emit, id, userId);
  }
};

/** Makes the heir the owner; the one before is none any more. */
async function enthrone(tx: Db, emit: Emit, present: Campaign, heir: Member): Promise<Campaign> {
  const { userId } = heir;
  const changed = change(present, { ownerId: userId }, ['ownerId']);
  await setRole(tx, present.id, userId, 'owner');
  await tx
    .update(campaigns)
    .set({ ownerId: userId, version: changed.version })
    .where(eq(campaigns.id, present.id));
  const on = campaign.on(present.id);
  emit(on, 'entity.updated', memberUpdated({ ...heir, role: 'owner' }));
  emit(on, 'entity.updated', { entityType: 'campaign', ...updated(changed, ['ownerId']) });
  return changed;
}

/** Says to everybody that the member is gone, to that one last. */
async function depart(tx: Db, emit: Emit, campaignId: string, userId: string): Promise<void> {
  await noteDeparture(tx, campaignId, userId);
  emit(campaign.on(campaignId), 'entity.updated', memberDeleted(userId), { revokes: [userId] });
  emit(user.on(userId), 'campaign.removed', { campaignId });
  emit(user.on(userId), 'access.revoked', { campaignId });
}

/** Disabled ones come last: it is better theirs than gone. */
async function findHeir(tx: Db, campaignId: string): Promise<Member | undefined> {
  const [row] = await tx
    .select({ member: campaignMembers })
    .from(campaignMembers)
    .innerJoin(users, eq(users.id, campaignMembers.userId))
    .where(and(eq(campaignMembers.campaignId, campaignId), ne(campaignMembers.role, 'owner')))
    .orderBy(
      sql`${users.disabledAt} IS NOT NULL`,
      sql`${campaignMembers.role} <> 'editor'`,
      asc(campaignMembers.joinedAt),
      asc(campaignMembers.userId),
    )
    .limit(1);
  return row && toMember(row.member);
}

async function findMember(db: Db, campaignId: string, userId: string): Promise<Member | undefined> {
  const [row] = await db.select().from(campaignMembers).where(isMembership(campaignId, userId));
  return row && toMember(row);
}

async function setRole(tx: Db, campaignId: string, userId: string, role: Role): Promise<void> {
  await tx.update(campaignMembers).set({ role }).where(isMembership(campaignId, userId));
}

/** For as long as events are withheld from who left; those of which every instance knows by now are forgotten. */
async function noteDeparture(tx: Db, campaignId: string, userId: string): Promise<void> {
  const { leftAt } = campaignDepartures;
  await tx
    .delete(campaignDepartures)
    .where(and(eq(campaignDepartures.campaignId, campaignId), lte(leftAt, sql`now() - interval '1 hour'`)));
  await tx
    .insert(campaignDepartures)
    .values({ campaignId, userId })
    .onConflictDoUpdate({
      target: [campaignDepartures.campaignId, campaignDepartures.userId],
      set: { leftAt: sql`now()` },
    });
}

const isDeparture = (campaignId: string, userId: string) =>
  and(eq(campaignDepartures.campaignId, campaignId), eq(campaignDepartures.userId, userId));

function noSuchMember(): never {
  throw new AppError('not_found', 'There is no such member in this campaign.');
}

const handOverFirst = () =>
  new AppError('conflict', 'A campaign needs its owner. Hand it over to another member first.');
