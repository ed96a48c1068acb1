// Campaigns as a whole: create, look at, change, delete.

import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { command, query } from '../../realtime/index.ts';
import { lockCampaign, lockOwnerToBe, noSuchCampaign, requireMember, requireVersion } from './access.ts';
import { change, created, listChanged, memberCreated, updated } from './changes.ts';
import {
  Campaign,
  CampaignPage,
  CampaignPath,
  CampaignTree,
  CreateCampaign,
  Deleted,
  ListCampaigns,
  UpdateCampaign,
} from './contract.ts';
import { removeCampaign } from './deleting.ts';
import { changesPerMinute } from './limits.ts';
import { IdPosition } from './pages.ts';
import { campaignColumns, toMember, toWorldTime } from './rows.ts';
import { requireInstant } from './rules.ts';
import { campaignMembers, campaigns } from './schema.ts';
import { campaign, readState, user } from './topics.ts';
import { toTree } from './tree.ts';

const tag = 'Campaigns';

export const createCampaign = command('campaign.create', {
  summary: 'Create a campaign, as its owner',
  tag,
  http: 'POST /campaigns',
  takesKey: true,
  input: CreateCampaign,
  output: Campaign,
  refuses: ['conflict'],
  check: ({ worldTime }) => worldTime && requireInstant(worldTime, '/worldTime'),
  async run({ actor, tx, emit, audit }, { name, description = '', worldTime }) {
    const ownerId = actor.userId;
    await lockOwnerToBe(tx, ownerId);
    const id = Bun.randomUUIDv7();
    const startsAt =
      worldTime === undefined ? sql`now()` : toWorldTime(requireInstant(worldTime, '/worldTime'));
    const [made] = await tx
      .insert(campaigns)
      .values({ id, name, description, ownerId, worldTime: startsAt })
      .returning(campaignColumns);
    if (made === undefined) throw new Error('A campaign was written, and not answered.');
    const member = { campaignId: id, userId: ownerId, role: 'owner' as const, joinedAt: new Date() };
    await tx.insert(campaignMembers).values(member);
    await audit('campaign_created', { campaignId: id });
    emit(campaign.on(id), 'entity.updated', { entityType: 'campaign', ...created(made) });
    emit(campaign.on(id), 'entity.updated', memberCreated(toMember(member)));
    emit(user.on(ownerId), 'campaign.added', { campaign: made });
    return made;
  },
});

export const listCampaigns = query('campaign.list', {
  summary: 'The campaigns that I am a member of, the newest first',
  tag,
  http: 'GET /campaigns',
  input: ListCampaigns,
  output: CampaignPage,
  async run({ actor, db }, { limit = defaultPageSize, cursor }) {
    const before = readCursor(IdPosition, cursor);
    const isBehind = before && lt(campaignMembers.campaignId, before[0]);
    const rows = await db
      .select({ ...campaignColumns, role: campaignMembers.role })
      .from(campaignMembers)
      .innerJoin(campaigns, eq(campaigns.id, campaignMembers.campaignId))
      .where(and(eq(campaignMembers.userId, actor.userId), isBehind))
      .orderBy(desc(campaignMembers.campaignId))
      .limit(limit + 1);
    return toPage(
      rows,
      limit,
      ({ id }) => [id],
      (row) => row,
    );
  },
});

export const getCampaign = query('campaign.get', {
  summary: 'A campaign',
  tag,
  http: 'GET /campaigns/:campaignId',
  input: CampaignPath,
  output: Campaign,
  refuses: ['not_found'],
  async run({ actor, db }, { campaignId }) {
    const [found] = await db.select(campaignColumns).from(campaigns).where(eq(campaigns.id, campaignId));
    await requireMember(db, campaignId, actor.userId);
    if (found === undefined) throw noSuchCampaign();
    return found;
  },
});

export const getTree = query('campaign.tree', {
  summary: 'A campaign with its kingdoms, their settlements and their structures',
  description: 'Without variables: those are with each settlement and structure.',
  tag,
  http: 'GET /campaigns/:campaignId/tree',
  input: CampaignPath,
  output: CampaignTree,
  refuses: ['not_found'],
  run: ({ actor, db }, { campaignId }) =>
    db.transaction(
      async (tx) => {
        await requireMember(tx, campaignId, actor.userId);
        return toTree(await readState(tx, campaignId));
      },
      { isolationLevel: 'repeatable read', accessMode: 'read only' },
    ),
});

export const updateCampaign = command('campaign.update', {
  summary: 'Change the name or the description of a campaign, as an editor',
  tag,
  http: 'PATCH /campaigns/:campaignId',
  limit: changesPerMinute,
  input: UpdateCampaign,
  output: Campaign,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit }, { campaignId, version, ...given }) {
    const { campaign: present } = await lockCampaign(tx, campaignId, actor.userId, 'editor');
    requireVersion(present, version);
    const fields = listChanged(present, given);
    if (fields.length === 0) return present;
    const changed = change(present, given, fields);
    const { name, description } = changed;
    await tx
      .update(campaigns)
      .set({ name, description, version: changed.version })
      .where(eq(campaigns.id, campaignId));
    emit(campaign.on(campaignId), 'entity.updated', { entityType: 'campaign', ...updated(changed, fields) });
    return changed;
  },
});

/** Nobody hears anything of the campaign, or of what was in it, behind this. [S7] */
export const deleteCampaign = command('campaign.delete', {
  summary: 'Delete a campaign with all that is in it, as its owner',
  tag,
  http: 'DELETE /campaigns/:campaignId',
  limit: changesPerMinute,
  input: CampaignPath,
  output: Deleted,
  refuses: ['forbidden', 'not_found'],
  async run({ actor, tx, emit, audit }, { campaignId }) {
    const locked = await lockCampaign(tx, campaignId, actor.userId, 'owner');
    await removeCampaign({ tx, emit, audit }, locked);
    return { id: campaignId };
  },
});
