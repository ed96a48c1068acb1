// Kingdoms: what settlements stand in. They have no topic of their own; `campaign:` tells of them.

import { and, asc, eq, gt } from 'drizzle-orm';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { command, query } from '../../realtime/index.ts';
import {
  findOwnKingdoms,
  lockCampaign,
  lockKingdom,
  noSuchKingdom,
  requireMember,
  requireVersion,
} from './access.ts';
import { change, created, listChanged, updated } from './changes.ts';
import {
  CreateKingdom,
  Deleted,
  Kingdom,
  KingdomPage,
  KingdomPath,
  ListInCampaign,
  UpdateKingdom,
} from './contract.ts';
import { deleteKingdom as deleteWithContents } from './deleting.ts';
import { changesPerMinute } from './limits.ts';
import { IdPosition } from './pages.ts';
import { requireRoomForOne, requireRoomForTexts } from './room.ts';
import { toKingdom } from './rows.ts';
import { kingdoms } from './schema.ts';
import { campaign } from './topics.ts';

const tag = 'Kingdoms';

export const createKingdom = command('kingdom.create', {
  summary: 'Add a kingdom to a campaign, as an editor',
  tag,
  http: 'POST /campaigns/:campaignId/kingdoms',
  takesKey: true,
  input: CreateKingdom,
  output: Kingdom,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit }, { campaignId, name }) {
    await lockCampaign(tx, campaignId, actor.userId, 'editor');
    await requireRoomForOne(tx, campaignId, 'kingdoms', { name });
    const now = new Date();
    const row = { id: Bun.randomUUIDv7(), campaignId, name, version: 1, createdAt: now, updatedAt: now };
    await tx.insert(kingdoms).values(row);
    const made = toKingdom(row);
    emit(campaign.on(campaignId), 'entity.updated', { entityType: 'kingdom', ...created(made) });
    return made;
  },
});

export const listKingdoms = query('kingdom.list', {
  summary: 'The kingdoms of a campaign, the oldest first',
  tag,
  http: 'GET /campaigns/:campaignId/kingdoms',
  input: ListInCampaign,
  output: KingdomPage,
  refuses: ['not_found'],
  async run({ actor, db }, { campaignId, limit = defaultPageSize, cursor }) {
    const after = readCursor(IdPosition, cursor);
    const rows = await db
      .select()
      .from(kingdoms)
      .where(and(eq(kingdoms.campaignId, campaignId), after && gt(kingdoms.id, after[0])))
      .orderBy(asc(kingdoms.id))
      .limit(limit + 1);
    await requireMember(db, campaignId, actor.userId);
    return toPage(rows, limit, ({ id }) => [id], toKingdom);
  },
});

export const getKingdom = query('kingdom.get', {
  summary: 'A kingdom',
  tag,
  http: 'GET /kingdoms/:kingdomId',
  input: KingdomPath,
  output: Kingdom,
  refuses: ['not_found'],
  async run({ actor, db }, { kingdomId }) {
    const [row] = await db.select().from(kingdoms).where(eq(kingdoms.id, kingdomId));
    const own = await findOwnKingdoms(db, actor.userId, [kingdomId]);
    if (row === undefined || !own.has(kingdomId)) throw noSuchKingdom();
    return toKingdom(row);
  },
});

export const updateKingdom = command('kingdom.update', {
  summary: 'Rename a kingdom, as an editor',
  tag,
  http: 'PATCH /kingdoms/:kingdomId',
  limit: changesPerMinute,
  input: UpdateKingdom,
  output: Kingdom,
  refuses: ['forbidden', 'not_found', 'conflict'],
  async run({ actor, tx, emit }, { kingdomId, version, ...given }) {
    const { entity, campaign: within } = await lockKingdom(tx, kingdomId, actor.userId, 'editor');
    requireVersion(entity, version);
    const fields = listChanged(entity, given);
    if (fields.length === 0) return entity;
    const updatedAt = new Date();
    const changed = { ...change(entity, given, fields), updatedAt: updatedAt.toISOString() };
    await requireRoomForTexts(tx, within.id, entity, changed);
    await tx
      .update(kingdoms)
      .set({ name: changed.name, version: changed.version, updatedAt })
      .where(eq(kingdoms.id, kingdomId));
    emit(campaign.on(within.id), 'entity.updated', { entityType: 'kingdom', ...updated(changed, fields) });
    return changed;
  },
});

export const deleteKingdom = command('kingdom.delete', {
  summary: 'Delete a kingdom with all that is in it, as an editor',
  tag,
  http: 'DELETE /kingdoms/:kingdomId',
  limit: changesPerMinute,
  input: KingdomPath,
  output: Deleted,
  refuses: ['forbidden', 'not_found'],
  async run({ actor, tx, emit }, { kingdomId }) {
    const locked = await lockKingdom(tx, kingdomId, actor.userId, 'editor');
    await deleteWithContents(tx, emit, locked, kingdomId);
    return { id: kingdomId };
  },
});
